package pgwire

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/skyql/skyql/internal/engine"
	"github.com/skyql/skyql/internal/session"
	"github.com/skyql/skyql/internal/sqlerr"
	"github.com/skyql/skyql/internal/syntax"
)

// setConfig reads SELECT set_config(name, value, is_local), which is SET as a
// query. The arguments are constants or parameters; ok is false for any other
// statement.
func setConfig(st syntax.Statement) (args []syntax.Token, ok bool) {
	toks := st.Tokens[1:]
	if st.Word != "SELECT" || len(toks) < 9 {
		return nil, false
	}
	if toks[0].Is("pg_catalog") && toks[1].IsOp(".") {
		toks = toks[2:]
	}
	if len(toks) < 9 || !toks[0].Is("set_config") || !toks[1].IsOp("(") || !toks[3].IsOp(",") || !toks[5].IsOp(",") || !toks[7].IsOp(")") || toks[8].Kind != syntax.EOF {
		return nil, false
	}
	return []syntax.Token{toks[2], toks[4], toks[6]}, true
}

// runSetConfig sets a variable, and gives its value as a row.
func (c *conn) runSetConfig(ctx context.Context, p *portal, args []syntax.Token) error {
	var values [3]string
	for i, t := range args {
		switch {
		case t.Kind == syntax.Param:
			n, err := strconv.Atoi(strings.TrimPrefix(t.Text, "$"))
			if err != nil || n < 1 || n > len(p.values) {
				return sqlerr.New(sqlerr.SyntaxError, "there is no parameter %s", t.Text).At(p.st.Text, t.Pos)
			}
			switch v := p.values[n-1].(type) {
			case string:
				values[i] = v
			case bool:
				values[i] = strconv.FormatBool(v)
			}
		case t.Kind == syntax.String, t.Is("true"), t.Is("false"):
			values[i] = t.Text
		default:
			return sqlerr.New(sqlerr.FeatureNotSupported, "set_config takes constants").At(p.st.Text, t.Pos)
		}
	}
	name := strings.ToLower(values[0])
	text := "SET "
	if on, err := onOff(values[2]); err == nil && on == "on" {
		text += "LOCAL "
	}
	text += name + " = " + syntax.Literal(values[1])
	if name == "search_path" && strings.TrimSpace(values[1]) == "" {
		text = "SET search_path = pg_catalog" // '' is a path without schemas
	}
	if strings.IndexFunc(name, func(r rune) bool { return r != '.' && r != '_' && (r < 'a' || r > 'z') && (r < '0' || r > '9') }) >= 0 {
		return sqlerr.New(sqlerr.UndefinedObject, "unrecognized configuration parameter %q", name)
	}
	if err := c.set(ctx, syntax.Split(text)[0]); err != nil {
		return err
	}
	value := c.vars.values[name]
	if slices.Contains(session.SettingNames(), name) {
		value, _ = c.session.Setting(name)
	}
	p.rows = engine.Static([]engine.Column{textColumn("set_config")}, [][]any{{value}})
	return nil
}

// signSetConfig gives what set_config takes and gives.
func signSetConfig(args []syntax.Token, types []string) engine.Signature {
	sig := engine.Signature{Params: slices.Clone(types), Columns: []engine.Column{textColumn("set_config")}}
	for i, t := range args {
		n, err := strconv.Atoi(strings.TrimPrefix(t.Text, "$"))
		if t.Kind != syntax.Param || err != nil || n < 1 || n > len(args) {
			continue
		}
		for len(sig.Params) < n {
			sig.Params = append(sig.Params, "VARCHAR")
		}
		if i == 2 {
			sig.Params[n-1] = "BOOLEAN"
		}
	}
	return sig
}
