package change

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/skyql/skyql/internal/cloudcontrol"
)

// Undo gives the intents that take back what a set of the journal has done, by
// what it was before and what AWS has now. What can't be taken back, or not
// whole, is said in notes, a line each. The intents are checked, shown and
// applied like those of a statement; deletions come out of creations, so guards
// hold for them too.
func Undo(ctx context.Context, h *History, s *Set, at Place, clouds Clouds) (intents []Intent, notes []string, err error) {
	if why := h.Place.Differs(at); why != "" {
		return nil, nil, refuse("change set %s can't be undone here: %s", h.ID, why)
	}
	for i := len(h.Changes) - 1; i >= 0; i-- {
		p, c := h.Changes[i], s.Changes[i]
		if p.State != StateDone && !(p.State == StateFailed && p.half()) {
			if p.State != NotSent && p.State != StateSkipped {
				notes = append(notes, fmt.Sprintf("%s: %s, so there is nothing sure to take back", c, p.State))
			}
			continue
		}
		if c.deleted(p) {
			why, err := h.revived(ctx, c, clouds)
			if err != nil {
				return nil, nil, fmt.Errorf("undo %s: %w", c, err)
			}
			if why != "" {
				notes = append(notes, fmt.Sprintf("%s: %s", c, why))
				continue
			}
		}
		in, more, err := c.undo(ctx, p, clouds)
		if err != nil {
			return nil, nil, fmt.Errorf("undo %s: %w", c, err)
		}
		notes = append(notes, more...)
		if in != nil {
			intents = append(intents, *in)
		}
	}
	return intents, notes, nil
}

// deleted reports whether a change has deleted its resource and made no other
// in its place.
func (c *Change) deleted(p Past) bool { return c.Action == Delete || p.half() && !c.creates }

// revived says who has made a deleted resource anew already, or "": where AWS
// gives the names, nothing else would keep it from being made once more.
func (h *History) revived(ctx context.Context, c *Change, clouds Clouds) (string, error) {
	for _, u := range h.undone {
		i := slices.IndexFunc(u.plan.Changes, func(x savedChange) bool { return x.Identifier == c.revival() && x.Type == c.Table.Type })
		if i < 0 {
			continue
		}
		switch p := u.Changes[i]; p.State {
		case Open, StateUnknown:
			return fmt.Sprintf("may have been made anew by change set %s: skyql recover", u.ID), nil
		case StateDone:
			cloud, err := clouds(ctx, c.Account, c.Region)
			if err != nil {
				return "", err
			}
			_, err = cloud.Get(ctx, c.Table.Type, p.Identifier)
			if err == nil {
				return fmt.Sprintf("was made anew by change set %s, as %s", u.ID, p.Identifier), nil
			}
			if !errors.Is(err, cloudcontrol.ErrNotFound) {
				return "", err
			}
		}
	}
	return "", nil
}

// revival is the placeholder of a resource that is made anew.
func (c *Change) revival() string { return Placeholder + "undo-" + fmt.Sprint(c.Number) }

// undo gives the way back of one change.
func (c *Change) undo(ctx context.Context, p Past, clouds Clouds) (*Intent, []string, error) {
	in := &Intent{Table: c.Table, Account: c.Account, Region: c.Region, Identifier: p.Identifier, ReadAt: time.Now()}
	cloud, err := clouds(ctx, c.Account, c.Region)
	if err != nil {
		return nil, nil, err
	}
	if c.deleted(p) {
		return c.revive(ctx, in, cloud)
	}
	d, err := cloud.Get(ctx, c.Table.Type, p.Identifier)
	if errors.Is(err, cloudcontrol.ErrNotFound) {
		return nil, []string{fmt.Sprintf("%s: is gone since", c)}, nil
	}
	if err != nil {
		return nil, nil, err
	}
	in.Before = d.Properties
	if c.Action == Create || p.half() {
		return in, nil, nil
	}
	now, err := parseModel(d.Properties)
	if err != nil {
		return nil, nil, err
	}
	if c.Action == Replace {
		after, notes := c.lostSecrets(c.rules.creatable(c.before), "it is made anew once more, and is not the one that it was")
		in.After = encode(union(after, nil))
		return in, notes, nil
	}
	after, notes := c.reverted(now)
	in.After = encode(after)
	return in, notes, nil
}

// reverted gives a model with a change's differences taken back.
func (c *Change) reverted(now map[string]any) (map[string]any, []string) {
	after := cloneModel(now)
	var notes []string
	say := func(d diff, what string) {
		notes = append(notes, fmt.Sprintf("%s: %s %s", c, c.rules.path(d.at), what))
	}
	for _, d := range c.diffs {
		is, _ := lookup(now, d.at)
		switch {
		case c.rules.writeOnly.covers(d.at):
			say(d, "is write-only: what it was is not known")
			continue
		case !c.known(d.old):
			say(d, "is a secret: what it was was not kept")
			continue
		case c.known(d.new) && (comparison{rules: c.rules}).values(c.rules.node(d.at), d.at, d.new, is, c.after) == different:
			say(d, "was changed by somebody else since, and is left as it is")
			continue
		}
		ops := []Operation{{Op: "add", Path: pointer(d.at), Value: encode(d.old)}}
		if d.old == nil {
			ops = []Operation{{Op: "remove", Path: pointer(d.at)}}
			if is == nil {
				continue
			}
		}
		v, err := Apply(after, ops)
		if err != nil {
			say(d, "can't be set back: what it was in is gone")
			continue
		}
		after = v.(map[string]any)
	}
	for _, in := range c.missing {
		if !slices.ContainsFunc(c.diffs, func(d diff) bool { return fits(d.at, in) }) {
			notes = append(notes, fmt.Sprintf("%s: %s is a secret: what it was was not kept", c, c.rules.path(in)))
		}
	}
	return after, notes
}

// revive makes a deleted resource anew.
func (c *Change) revive(ctx context.Context, in *Intent, cloud Reader) (*Intent, []string, error) {
	model := c.rules.creatable(c.before)
	why := ""
	id, chosen := c.rules.compose(model)
	if chosen {
		if _, err := cloud.Get(ctx, c.Table.Type, id); err == nil {
			return nil, []string{fmt.Sprintf("%s: is there again", c)}, nil
		} else if !errors.Is(err, cloudcontrol.ErrNotFound) {
			return nil, nil, err
		}
		in.Identifier = id
	} else {
		in.Identifier = c.revival()
		why = "AWS gives it a new identifier: what refers to the old one has to be changed"
	}
	after, notes := c.lostSecrets(model, why)
	in.After = encode(after)
	return in, notes, nil
}

// lostSecrets takes the masked values out of a model, and says so.
func (c *Change) lostSecrets(model map[string]any, why string) (map[string]any, []string) {
	var notes []string
	if why != "" {
		notes = append(notes, fmt.Sprintf("%s: %s", c, why))
	}
	each(model, nil, func(at []string, v any) {
		if v == Sensitive {
			notes = append(notes, fmt.Sprintf("%s: %s is a secret: what it was was not kept", c, c.rules.path(at)))
		}
	})
	for _, at := range c.rules.writeOnly {
		if len(at) == 1 && c.rules.node(at) != nil {
			notes = append(notes, fmt.Sprintf("%s: %s is write-only: what it was is not known", c, c.rules.path(at)))
		}
	}
	out := cloneModel(model)
	dropMasked(out)
	return out, notes
}

// dropMasked gives a value without the members and elements that stand for a
// secret. It may change what it is handed.
func dropMasked(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			if x == Sensitive {
				delete(v, k)
				continue
			}
			v[k] = dropMasked(x)
		}
	case []any:
		v = slices.DeleteFunc(v, func(x any) bool { return x == Sensitive })
		for i, x := range v {
			v[i] = dropMasked(x)
		}
		return v
	}
	return v
}
