package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/skyql/skyql/internal/catalog"
	"github.com/skyql/skyql/internal/change"
	"github.com/skyql/skyql/internal/engine"
	"github.com/skyql/skyql/internal/plan"
	"github.com/skyql/skyql/internal/sqlerr"
	"github.com/skyql/skyql/internal/syntax"
)

// A writing is an INSERT, UPDATE, DELETE or MERGE of a cloud table under way.
type writing struct {
	*Session
	st    syntax.Statement
	w     syntax.Clauses
	table *catalog.Table
	form  catalog.Form

	copy    *engine.Copy
	plan    *plan.Plan
	docs    map[rowKey]document // of the table, as they were read
	looked  time.Time           // when the table's resources were asked for; zero: they weren't
	account string              // of new rows that name none
	region  string

	returning *plan.Plan // of RETURNING's query; nil for none
}

// write runs a statement that changes a cloud table: on the copy of what it can
// touch, whose rows that differ afterwards are what it wants. Outside a
// transaction that is what happens then; inside one it waits for COMMIT.
func (s *Session) write(ctx context.Context, st syntax.Statement, e catalog.Entry, form catalog.Form) (*engine.Rows, error) {
	w, err := s.writing(ctx, st, e, form)
	if err != nil {
		return nil, err
	}
	if s.tx != nil && s.tx.readOnly {
		return nil, sqlerr.New("25006", "%s in a transaction that only reads", st.Word).At(st.Text, 0).WithHint("ROLLBACK; BEGIN")
	}
	s.changed = 0
	want := newPending()
	if s.tx != nil {
		want = s.tx.clone()
	}
	changed, err := w.run(ctx, want)
	if err != nil {
		return nil, err
	}
	if s.tx != nil {
		if len(s.tx.order) == 0 {
			s.notify("%d planned: SHOW PLAN shows the whole, COMMIT makes it so, ROLLBACK forgets it", len(changed))
		} else {
			s.notify("%d planned", len(changed))
		}
		s.tx, s.changed = want, len(changed)
		return w.returned(ctx, wantedRows(changed))
	}
	now, err := s.carryOut(ctx, want, w.w.Returning.Some())
	s.changed = len(now)
	if err != nil {
		return nil, w.pointed(err)
	}
	return w.returned(ctx, now)
}

// Changed is how many rows the last statement that changes a table has changed;
// in a transaction, how many it wants changed.
func (s *Session) Changed() int { return s.changed }

// writing takes a statement apart that changes a cloud table.
func (s *Session) writing(ctx context.Context, st syntax.Statement, e catalog.Entry, form catalog.Form) (*writing, error) {
	t, err := s.catalog.Table(e.Type)
	if err != nil {
		return nil, err
	}
	w := &writing{Session: s, st: st, table: t, form: form, docs: map[rowKey]document{}}
	return w, w.cut(ctx)
}

// pointed puts a caret under the value, or the column, of the first problem that
// the statement shows.
func (w *writing) pointed(err error) error {
	var problems change.Problems
	e, ok := asError[*sqlerr.Error](err)
	if !ok || !errors.As(err, &problems) {
		return err
	}
	for _, p := range problems.Errors() {
		if at := w.shows(p.Column); at >= 0 {
			e.At(w.st.Text, at)
			break
		}
	}
	return err
}

// shows gives the place where the statement sets a column, -1 for none.
func (w *writing) shows(column string) int {
	is := func(name string) bool {
		i, ok := w.table.Column(name)
		return ok && w.table.Columns[i].Name == column
	}
	for _, a := range w.w.Set {
		if len(a.Columns) == 1 && is(a.Columns[0][0].Text) && a.Value.Some() {
			return a.Value.Pos
		}
	}
	for _, c := range w.w.Columns {
		if is(c.Text) {
			return c.Pos
		}
	}
	return -1
}

// cut takes the statement apart, and refuses the forms that would only seem to
// work on a copy.
func (w *writing) cut(ctx context.Context) error {
	name := w.table.Name()
	var ok bool
	w.w, ok = w.st.Clauses()
	refuse := func(at int, what, instead string) error {
		return sqlerr.New(sqlerr.FeatureNotSupported, "%s", what).At(w.st.Text, at).WithHint("%s", instead)
	}
	switch {
	case w.form != catalog.PluralForm && w.form != catalog.Singular:
		return refuse(w.st.Target[0].Pos, fmt.Sprintf("this form of %s can only be read", name), "write to "+name)
	case w.st.Word == "TRUNCATE":
		return refuse(0, "TRUNCATE of "+name+" is not supported: it could not be looked over", "DELETE FROM "+name+" WHERE …")
	case w.st.Word == "COPY":
		return refuse(0, "COPY into "+name+" is not supported", "INSERT INTO "+name+" BY NAME FROM 'file.csv'")
	case w.w.Upsert >= 0:
		return refuse(w.w.Upsert, "AWS knows no upsert", "MERGE INTO "+name+" t USING … s ON … WHEN MATCHED THEN UPDATE SET … WHEN NOT MATCHED THEN INSERT …")
	case !ok:
		return w.misspelt(ctx)
	}
	return w.handled(w.table, w.w.Word)
}

// misspelt lets DuckDB's parser say what is wrong.
func (w *writing) misspelt(ctx context.Context) error {
	if err := w.db.Bind(ctx, w.st.Text); err != nil {
		if e, ok := asError[*sqlerr.Error](err); ok && e.Code == sqlerr.SyntaxError {
			return e
		}
	}
	return sqlerr.New(sqlerr.FeatureNotSupported, "this form of %s is not supported", w.st.Word).At(w.st.Text, 0)
}

// handled refuses what a type has no handler for.
func (w *writing) handled(t *catalog.Table, word string) error {
	var missing, instead string
	switch {
	case word == "INSERT" && t.Create == nil:
		missing = "created"
	case word == "DELETE" && t.Delete == nil:
		missing = "deleted"
	case word == "UPDATE" && t.Update == nil && w.settings.Replace != "allow":
		missing, instead = "updated", "SET replace = 'allow' deletes and makes anew"
	}
	if missing == "" {
		return nil
	}
	e := sqlerr.New(sqlerr.FeatureNotSupported, "resources of %s can't be %s: %s has no such handler", t.Name(), missing, t.Type).At(w.st.Text, w.st.Target[0].Pos)
	if instead != "" && t.Create != nil && t.Delete != nil {
		return e.WithHint("%s", instead)
	}
	return e
}

// run runs the statement on a copy, and puts what it wants into want.
func (w *writing) run(ctx context.Context, want *pending) ([]*wanted, error) {
	if err := w.makePlan(ctx); err != nil {
		return nil, err
	}
	if err := w.homes(ctx); err != nil {
		return nil, err
	}
	w.copy = w.db.Begin()
	defer w.copy.Close()
	switch patch, desired := w.documents(); {
	case patch >= 0:
		return w.patched(ctx, want)
	case desired >= 0:
		return w.desired(ctx, desired, want)
	}
	text, err := w.fill(ctx, true)
	if err == nil {
		err = w.onlyOne(ctx, text)
	}
	if err == nil {
		if err = w.copy.Track(ctx, w.table, w.account, w.region, want.made); err == nil {
			err = w.db.Exec(ctx, text.Text, w.options.Params)
		}
	}
	if err != nil {
		return nil, w.here(err, text, w.st, w.plan)
	}
	changes, err := w.copy.Changes(ctx, w.table)
	if err != nil {
		return nil, err
	}
	return w.collect(changes, want)
}

// makePlan plans what the statement reads, and rewrites the names in it.
func (w *writing) makePlan(ctx context.Context) error {
	edits, err := w.edits()
	if err != nil {
		return err
	}
	if w.plan, err = w.planOf(ctx, w.w.Reading(w.st.Text)); err != nil {
		return err
	}
	w.plan.Edit(edits...)
	return nil
}

// planOf plans a query that was composed of the statement's parts.
func (w *writing) planOf(ctx context.Context, c *syntax.Composed) (*plan.Plan, error) {
	if strings.TrimSpace(c.Text) == "" {
		return plan.None(w.st.Text), nil
	}
	tree, err := w.db.Parse(ctx, c.Text)
	if err != nil {
		return nil, w.misspelt(ctx)
	}
	if err := w.permitTree(tree, w.st.Text); err != nil {
		return nil, err
	}
	q, err := syntax.DecodeAt(tree, c.Offset)
	if err != nil {
		return nil, err
	}
	p, err := plan.Make(q, w.st.Text, w.env(ctx))
	if err == nil {
		err = together(p, w.st)
	}
	if err != nil {
		return nil, err
	}
	for _, n := range p.Notices {
		w.notify("%s", n)
	}
	if err := checkRegions(p, w.st.Text); err != nil {
		return nil, err
	}
	for _, sc := range p.Scans {
		w.checkKeys(sc)
	}
	return p, nil
}

// edits give the names that no query of the statement holds: the table that an
// INSERT names, and the columns that are set.
func (w *writing) edits() ([]syntax.Edit, error) {
	var out []syntax.Edit
	if w.w.Returning.Some() { // asked for afterwards, of what AWS has then
		out = append(out, syntax.Edit{Pos: w.w.ReturningClause.Pos, End: w.w.ReturningClause.End})
	}
	if w.st.Word == "REPLACE" { // StackQL's word
		t := w.st.Tokens[0]
		out = append(out, syntax.Edit{Pos: t.Pos, End: t.End, Text: "UPDATE"})
	}
	if w.w.Word == "INSERT" {
		out = append(out, syntax.Edit{Pos: w.st.Target[0].Pos, End: w.st.Target[len(w.st.Target)-1].End, Text: w.name()})
	}
	column := func(parts []syntax.Part, insert bool) error {
		e, err := w.column(parts, insert)
		if err == nil && e.Text != "" {
			out = append(out, e)
		}
		return err
	}
	for _, p := range w.w.Columns {
		if err := column([]syntax.Part{p}, true); err != nil {
			return nil, err
		}
	}
	sets := w.w.Set
	for _, x := range w.w.Whens {
		sets = append(slices.Clip(sets), x.Set...)
		for _, p := range x.Columns {
			if err := column([]syntax.Part{p}, true); err != nil {
				return nil, err
			}
		}
	}
	for _, a := range sets {
		for _, c := range a.Columns {
			if err := column(c, false); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// name is the table's in the copy.
func (w *writing) name() string {
	return fmt.Sprintf("aws.%s.%s", engine.Quote(w.table.Service), engine.Quote(w.table.Plural))
}

// column finds a column that a statement sets, and writes it as DuckDB must
// read it.
func (w *writing) column(parts []syntax.Part, insert bool) (syntax.Edit, error) {
	first := parts[0]
	if strings.EqualFold(first.Text, desiredState) || strings.EqualFold(first.Text, patchDocument) {
		return syntax.Edit{}, nil
	}
	i, ok := w.table.Column(first.Text)
	if !ok {
		e := sqlerr.New(sqlerr.UndefinedColumn, "column %q does not exist in %s", first.Text, w.table.Name()).At(w.st.Text, first.Pos)
		if near := w.table.NearColumns(first.Text); len(near) > 0 {
			return syntax.Edit{}, e.WithHint("%s", strings.Join(near, ", "))
		}
		return syntax.Edit{}, e.WithHint("DESCRIBE %s", w.table.Name())
	}
	name := w.table.Columns[i].Name
	if len(parts) > 1 {
		return syntax.Edit{}, w.wholeColumn(i, parts)
	}
	if !insert && i < 3 {
		return syntax.Edit{}, sqlerr.New(sqlerr.FeatureNotSupported, "%s can't be updated: it says which resource a row is", name).At(w.st.Text, first.Pos)
	}
	return syntax.Edit{Pos: first.Pos, End: first.End, Text: engine.Quote(name)}, nil
}

// wholeColumn refuses to set a member of a column, and shows how it is set.
func (w *writing) wholeColumn(column int, parts []syntax.Part) error {
	path := make([]string, 0, len(parts))
	for _, p := range parts[1:] {
		path = append(path, p.Text)
	}
	name := w.table.Columns[column].Name
	e := sqlerr.New(sqlerr.FeatureNotSupported, "SET takes whole columns, not %s.%s", name, strings.Join(path, ".")).At(w.st.Text, parts[0].Pos)
	leaf, err := w.table.Leaf(column, path)
	if unknown, ok := asError[*catalog.UnknownMember](err); ok {
		e.Message += ", and " + unknown.Error()
		return e.WithHint("%s", cmp.Or(strings.Join(unknown.Near, ", "), "DESCRIBE EXTENDED "+w.table.Name()))
	}
	object := "…"
	for _, step := range slices.Backward(leaf.Path) {
		object = "{" + syntax.Literal(step) + ": " + object + "}"
	}
	return e.WithHint("SET %s = json_merge_patch(%s, %s)", name, name, object)
}

// homes finds out where new rows go that don't say so.
func (w *writing) homes(ctx context.Context) error {
	if w.w.Word != "INSERT" && w.w.Word != "MERGE" {
		return nil
	}
	link, err := w.connect(ctx)
	if err != nil {
		return err
	}
	me, err := link.cloud.Identity(ctx)
	if err != nil {
		return err
	}
	accounts, err := w.accounts(ctx, link.cloud, me.Account)
	if err != nil {
		return err
	}
	if len(accounts) == 1 {
		w.account = accounts[0]
	}
	if w.table.Global {
		w.region = catalog.HomeRegion(cmp.Or(link.cloud.Region(), map[string]string{"aws-us-gov": "us-gov-west-1", "aws-cn": "cn-north-1"}[me.Partition]))
		return nil
	}
	regions := w.settings.Regions
	if len(regions) == 0 && link.cloud.Region() != "" {
		regions = []string{link.cloud.Region()}
	}
	if len(regions) == 1 && !isPattern(regions[0]) {
		w.region = regions[0]
	}
	return nil
}

// fill fetches what the statement reads, anew, and all or nothing. whole says
// that the statement runs as it is: it is bound before the first call.
func (w *writing) fill(ctx context.Context, whole bool) (syntax.Rewritten, error) {
	text := w.plan.Text(nil)
	loaders, err := w.tables(ctx)
	if err != nil {
		return text, err
	}
	if whole {
		if err := w.db.Bind(ctx, text.Text); err != nil {
			return text, err
		}
	}
	if err := w.planReturning(ctx); err != nil {
		return text, err
	}
	if err := w.fetch(ctx, w.copy, w.plan, loaders, &keeping{w.table, w.docs}); err != nil {
		return text, err
	}
	wide, err := w.widePaths(ctx, w.plan)
	return w.plan.Text(wide), err
}

// tables makes the tables of the copy, empty.
func (w *writing) tables(ctx context.Context) (map[*catalog.Table]*engine.Loader, error) {
	loaders := map[*catalog.Table]*engine.Loader{}
	for _, sc := range w.plan.Scans {
		columns := sc.Columns
		if sc.Table == w.table {
			columns = everyColumn(w.table)
			sc.Columns = columns
			w.looked = time.Now()
		}
		l, err := w.copy.Table(ctx, sc.Table, columns)
		if err != nil {
			return nil, err
		}
		loaders[sc.Table] = l
	}
	if loaders[w.table] == nil {
		l, err := w.copy.Table(ctx, w.table, everyColumn(w.table))
		if err != nil {
			return nil, err
		}
		loaders[w.table] = l
	}
	return loaders, w.helpers(ctx, w.st)
}
