package change

import "slices"

// maskedPatch gives an update's operations without the secrets in their values.
func (c *Change) maskedPatch() []Operation {
	ops := c.operationsSent()
	out := slices.Clone(ops)
	for i, op := range out {
		if op.Value == nil {
			continue
		}
		if v, err := parse(op.Value); err == nil {
			at := steps(op.Path)
			out[i].Value = encode(c.rules.maskedAt(at, v, c.holder(at)))
		}
	}
	return out
}

// operationsSent are those of the patch, skyql's or the user's own.
func (c *Change) operationsSent() []Operation {
	if !c.Given {
		return c.Patch
	}
	ops, _ := ParsePatch(c.given) // it was read before
	return ops
}

// holder gives the object that a path's last step is in: its other members may
// say that the value is a secret.
func (c *Change) holder(at []string) map[string]any {
	if len(at) == 0 {
		return nil
	}
	for _, model := range []map[string]any{c.after, c.before} {
		if v, ok := lookup(model, at[:len(at)-1]); ok {
			o, _ := v.(map[string]any)
			return o
		}
	}
	return nil
}

// secretGiven reports whether the user's own patch holds a secret, be it one
// that it only tests for or takes back again.
func (c *Change) secretGiven() bool {
	return c.Given && !slices.EqualFunc(c.operationsSent(), c.maskedPatch(), func(a, b Operation) bool { return a.Value == nil || isJSON(a.Value, valueOf(b)) })
}

// maskedGiven reports whether something in the user's own patch stands for a
// secret: as it is, it can't be sent.
func (c *Change) maskedGiven() bool {
	return c.Given && slices.ContainsFunc(c.operationsSent(), func(o Operation) bool { return o.Value != nil && !c.known(valueOf(o)) })
}

func valueOf(o Operation) any {
	v, _ := parse(o.Value)
	return v
}

// refilled puts the secrets of After back into the user's own patch. Those of
// test operations, and of what the patch itself takes back, are in no After.
func (c *Change) refilled() []byte {
	ops, err := ParsePatch(c.given)
	if err != nil {
		return c.given
	}
	for i, op := range ops {
		if op.Value == nil || op.Op == "test" || c.known(valueOf(op)) {
			continue
		}
		if v, ok := lookup(c.after, steps(op.Path)); ok {
			ops[i].Value = encode(v)
		}
	}
	return mustJSON(ops)
}
