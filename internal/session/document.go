package session

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/skyql/skyql/internal/catalog"
	"github.com/skyql/skyql/internal/change"
	"github.com/skyql/skyql/internal/sqlerr"
	"github.com/skyql/skyql/internal/syntax"
)

// The columns by which statements give whole documents instead of columns, as
// StackQL's do.
const (
	desiredState  = "data__DesiredState"
	patchDocument = "data__PatchDocument"
)

// documents finds the place of a patch document in SET, and that of a desired
// state among an INSERT's columns; -1 for none.
func (w *writing) documents() (patch, desired int) {
	patch, desired = -1, -1
	for i, a := range w.w.Set {
		if len(a.Columns) == 1 && strings.EqualFold(a.Columns[0][0].Text, patchDocument) {
			patch = i
		}
	}
	for i, c := range w.w.Columns {
		if strings.EqualFold(c.Text, desiredState) {
			desired = i
		}
	}
	return patch, desired
}

// patched runs UPDATE … SET data__PatchDocument = '[…]': the patch is sent as
// it is, once it is known to apply to what was read.
func (w *writing) patched(ctx context.Context, want *pending) ([]*wanted, error) {
	at := w.w.Set[0].Columns[0][0].Pos
	if len(w.w.Set) > 1 || w.w.Word != "UPDATE" {
		return nil, sqlerr.New(sqlerr.FeatureNotSupported, "%s is all that is set, or nothing", patchDocument).At(w.st.Text, at).WithHint("SET column = value")
	}
	text, err := w.fill(ctx, false)
	if err != nil {
		return nil, w.here(err, text, w.st, w.plan)
	}
	t := w.w.Alias
	query := text.Part(w.w.With) + "SELECT " + t + ".account_id, " + t + ".region, " + t + ".identifier, CAST((" + text.Part(w.w.Set[0].Value) + ") AS VARCHAR) FROM " + text.Part(w.w.Table)
	if w.w.Source.Some() {
		query += ", " + text.Part(w.w.Source)
	}
	if w.w.Condition.Some() {
		query += " WHERE " + text.Part(w.w.Condition)
	}
	rows, err := w.texts(ctx, query)
	if err != nil {
		return nil, err
	}
	var out []*wanted
	given := map[rowKey]string{}
	for _, r := range rows {
		key := keyOf(w.table, r[0], r[1], r[2])
		if before, ok := given[key]; ok && before == r[3] {
			continue
		} else if ok {
			return nil, w.several(r)
		}
		given[key] = r[3]
		x, err := w.patchOne(key, r[3], want)
		if err != nil {
			return nil, err
		}
		want.want(x)
		out = append(out, x)
	}
	w.cover(len(out), want)
	return out, nil
}

// texts runs a query that was made of parts of the statement: where in it an
// error stands says nothing to the user.
func (w *writing) texts(ctx context.Context, query string) ([][]string, error) {
	rows, ok, err := w.db.Texts(ctx, query, w.options.Params, maxKeys)
	if e, is := asError[*sqlerr.Error](err); is {
		e.Statement, e.Position = "", 0
	}
	if err == nil && !ok {
		err = sqlerr.New(sqlerr.ProgramLimitExceeded, "more than %d rows", maxKeys)
	}
	return rows, err
}

func (w *writing) patchOne(key rowKey, text string, want *pending) (*wanted, error) {
	doc := w.docs[key]
	x := &wanted{table: w.table, key: key, before: doc.properties, read: doc.read, patch: json.RawMessage(text)}
	if w.table.Type == catalog.ResourceType {
		var err error
		if x.table, err = w.ofType(key.typ); err != nil {
			return nil, err
		}
	}
	if want.rows[key] != nil {
		return nil, sqlerr.New(sqlerr.FeatureNotSupported, "%s %s is changed in this transaction already: a patch of its own can't follow", w.table.Name(), key.identifier)
	}
	fail := func(err error) error {
		return sqlerr.New(sqlerr.InvalidText, "%s: %v", patchDocument, err).At(w.st.Text, w.faultAt(text, err, w.w.Set[0].Value.Pos)).
			WithHint(`'[{"op": "replace", "path": "/Description", "value": "…"}]'`)
	}
	ops, err := change.ParsePatch(x.patch)
	if err != nil {
		return nil, fail(err)
	}
	var model any
	d := json.NewDecoder(strings.NewReader(string(x.before)))
	d.UseNumber()
	if err := d.Decode(&model); err != nil {
		return nil, err
	}
	after, err := change.Apply(model, ops)
	if err != nil {
		return nil, fail(err)
	}
	x.after, err = json.Marshal(after)
	return x, err
}

// faultAt gives the place in the statement where a document that stands there as
// a literal is no JSON; otherwise the place that is given.
func (w *writing) faultAt(document string, err error, otherwise int) int {
	fault, ok := asError[*change.SyntaxError](err)
	if !ok {
		return otherwise
	}
	for _, t := range w.st.Tokens {
		if t.Kind != syntax.String || t.Text != document {
			continue
		}
		at := t.Pos + 1 + fault.At + strings.Count(document[:fault.At], "'") // which are doubled
		if w.st.Text[t.Pos] == '\'' && at < t.End {
			return at
		}
		return t.Pos
	}
	return otherwise
}

// isTypeName reports whether a column is the type_name of the table of any type.
func (w *writing) isTypeName(column string) bool {
	i, ok := w.table.Column(column)
	return ok && w.table.Type == catalog.ResourceType && w.table.Columns[i].Name == "type_name"
}

// desired runs INSERT INTO t (data__DesiredState, region) …: the document is
// the resource's properties, whole.
func (w *writing) desired(ctx context.Context, at int, want *pending) ([]*wanted, error) {
	columns := map[string]int{}
	var names, casts []string
	for i, c := range w.w.Columns {
		names = append(names, "c"+string(rune('a'+i%26)))
		casts = append(casts, "coalesce(CAST("+names[i]+" AS VARCHAR), '')")
		if n := strings.ToLower(c.Text); i != at {
			typed := w.isTypeName(n)
			if n != "region" && n != "account_id" && !typed {
				return nil, sqlerr.New(sqlerr.FeatureNotSupported, "beside %s only region and account_id can be given, not %s", desiredState, c.Text).At(w.st.Text, c.Pos)
			}
			if typed {
				n = "type_name"
			}
			columns[n] = i
		}
	}
	if len(names) > 4 || !w.w.Source.Some() {
		return nil, sqlerr.New(sqlerr.SyntaxError, "%s needs a value", desiredState).At(w.st.Text, w.w.Columns[at].Pos)
	}
	text, err := w.fill(ctx, false)
	if err != nil {
		return nil, w.here(err, text, w.st, w.plan)
	}
	query := text.Part(w.w.With) + "SELECT " + strings.Join(casts, ", ") + " FROM (" + text.Part(w.w.Source) + "\n) AS skyql_rows(" + strings.Join(names, ", ") + ")"
	rows, err := w.texts(ctx, query)
	if err != nil {
		return nil, err
	}
	var out []*wanted
	for _, r := range rows {
		x := &wanted{table: w.table, key: rowKey{typ: w.table.Type}, after: json.RawMessage(r[at])}
		if i, ok := columns["region"]; ok {
			x.key.region = r[i]
		}
		if i, ok := columns["account_id"]; ok {
			x.key.account = r[i]
		}
		if w.table.Type == catalog.ResourceType {
			if i, ok := columns["type_name"]; ok {
				x.key.typ = r[i]
			}
			if x.table, err = w.ofType(x.key.typ); err == nil {
				err = w.handled(x.table, "INSERT")
			}
			if err != nil {
				return nil, err
			}
		}
		if err := change.ParseDesired(x.after); err != nil {
			return nil, sqlerr.New(sqlerr.InvalidText, "%s: %v", desiredState, err).At(w.st.Text, w.faultAt(r[at], err, w.w.Columns[at].Pos)).WithHint(`'{"Name": "…"}'`)
		}
		if err := w.place(x, want); err != nil {
			return nil, err
		}
		want.want(x)
		out = append(out, x)
	}
	return out, nil
}
