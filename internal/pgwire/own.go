package pgwire

import (
	"context"

	"github.com/skyql/skyql/internal/session"
	"github.com/skyql/skyql/internal/syntax"
)

// own gives the settings of the session's own as they are.
func (v *variables) own() map[string]string {
	out := map[string]string{}
	for _, name := range session.SettingNames() {
		out[name], _ = v.conn.session.Setting(name)
	}
	return out
}

// restore brings settings of the session's own back to what they were.
func (v *variables) restore(ctx context.Context, to map[string]string) error {
	for name, value := range to {
		if now, _ := v.conn.session.Setting(name); now == value {
			continue
		}
		text := "RESET " + name
		if value != "" {
			text = "SET " + name + " = " + syntax.Literal(value)
		}
		if err := v.tell(ctx, text); err != nil {
			return err
		}
	}
	return nil
}

// hides notes what SET LOCAL hides until the transaction block ends. Without one
// it is over at once, and that is said.
func (v *variables) hides(name string) bool {
	if v.before == nil {
		v.conn.warn("25P01", "SET LOCAL can only be used in transaction blocks")
		return false
	}
	hidden, now := v.local, v.values[name]
	if own, ok := v.conn.session.Setting(name); ok {
		hidden, now = v.ownLocal, own
	}
	if _, already := hidden[name]; !already {
		hidden[name] = now
	}
	return true
}
