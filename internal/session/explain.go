package session

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/skyql/skyql/internal/engine"
	"github.com/skyql/skyql/internal/fetch"
	"github.com/skyql/skyql/internal/plan"
	"github.com/skyql/skyql/internal/sqlerr"
	"github.com/skyql/skyql/internal/syntax"
)

// An explanation is what EXPLAIN says, as (FORMAT json) writes it.
type explanation struct {
	Scope  scopeExplained `json:"scope"`
	Scans  []scanLine     `json:"scans"`
	Calls  string         `json:"calls"`
	Writes string         `json:"writes,omitempty"` // of a statement that changes a table
	Unused []unusedLine   `json:"not_used"`
	Needs  policy         `json:"needs"`
	// Analyzed is what happened, of EXPLAIN ANALYZE.
	Analyzed []analyzedLine `json:"analyzed,omitempty"`
	Took     string         `json:"took,omitempty"`
	Rows     *int           `json:"rows,omitempty"`
}

type scopeExplained struct {
	Accounts []string `json:"accounts"`
	Regions  []string `json:"regions"`
}

type unusedLine struct {
	Condition string `json:"condition"`
	Reason    string `json:"reason"`
}

type analyzedLine struct {
	Table     string  `json:"table"`
	Lists     int     `json:"lists"`
	Gets      int     `json:"gets"`
	Rows      int     `json:"rows"`
	Avoided   int     `json:"gets_avoided"`
	Retries   int     `json:"retries"`
	Throttled int     `json:"throttled"`
	Seconds   float64 `json:"seconds"`
}

// explain is EXPLAIN [ANALYZE | PERMISSIONS] [(FORMAT json)] query. But for
// ANALYZE it makes no call that reads resources.
func (s *Session) explain(ctx context.Context, st syntax.Statement) (*engine.Rows, error) {
	o, at, err := explainOptions(st)
	if err != nil {
		return nil, err
	}
	inner := syntax.Split(st.Text[at:])
	if len(inner) != 1 {
		return nil, sqlerr.New(sqlerr.SyntaxError, "EXPLAIN needs a statement").At(st.Text, len(st.Text)).WithHint("EXPLAIN SELECT …")
	}
	p, w, err := s.planExplained(ctx, inner[0])
	if err != nil {
		return nil, shifted(err, inner[0].Text, st.Text, at)
	}
	if o.analyze && w != nil {
		return nil, sqlerr.New(sqlerr.FeatureNotSupported, "EXPLAIN ANALYZE would run it, and %s changes %s", w.st.Word, w.table.Name()).At(st.Text, at).WithHint("EXPLAIN, or skyql query --plan")
	}
	x := s.explained(ctx, p, w)
	if o.analyze {
		if err := s.analyze(ctx, inner[0], x); err != nil {
			return nil, shifted(err, inner[0].Text, st.Text, at)
		}
	}
	switch {
	case o.permissions:
		return engine.Lines("policy", strings.Split(indented(x.Needs), "\n")), nil
	case o.json:
		return engine.Lines("QUERY PLAN", strings.Split(indented(x), "\n")), nil
	}
	return engine.Lines("QUERY PLAN", x.lines()), nil
}

// planExplained plans a query, or what a statement that changes a cloud table
// reads; then w is that statement.
func (s *Session) planExplained(ctx context.Context, st syntax.Statement) (p *plan.Plan, w *writing, err error) {
	s.explaining = true
	defer func() { s.explaining = false }()
	if st.Verb == syntax.Read {
		p, err = s.plan(ctx, st)
		return p, nil, err
	}
	if err := misspelt(st); err != nil {
		return nil, nil, err
	}
	e, form, ok := s.cloudTable(st.Target)
	if st.Verb != syntax.Write || !ok {
		return nil, nil, sqlerr.New(sqlerr.FeatureNotSupported, "EXPLAIN takes a query, or a change of a table of AWS").At(st.Text, 0)
	}
	if w, err = s.writing(ctx, st, e, form); err != nil {
		return nil, nil, err
	}
	if err := w.makePlan(ctx); err != nil {
		return nil, nil, err
	}
	return w.plan, w, nil
}

// calls are the operations by which a statement changes its table.
func (w *writing) calls() []string {
	var out []string
	add := func(word string) {
		op := map[string]string{"INSERT": "CreateResource", "UPDATE": "UpdateResource", "DELETE": "DeleteResource"}[word]
		if op != "" && !slices.Contains(out, op) {
			out = append(out, op)
		}
	}
	add(w.w.Word)
	for _, x := range w.w.Whens {
		add(x.Action)
	}
	return out
}

// explain says what a statement changes, and adds the actions that it needs
// for that: updating reads first, and making looks at what was made.
func (w *writing) explain(actions map[string]bool) string {
	for _, t := range w.types() {
		for _, op := range w.calls() {
			grantWrite(actions, t, op)
		}
	}
	return fmt.Sprintf("%s for each row of %s that is not as it was", strings.Join(w.calls(), ", "), w.table.Name())
}

// shifted moves an error's place from the inner statement to the outer one.
func shifted(err error, inner, outer string, at int) error {
	if e, ok := asError[*sqlerr.Error](err); ok && e.Position > 0 && e.Statement == inner {
		e.Statement = outer
		e.Position += at + strings.Index(outer[at:], inner)
	}
	return err
}

func indented(v any) string {
	out, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		panic("session: an explanation does not encode: " + err.Error())
	}
	return string(out)
}

type explainOption struct{ analyze, permissions, json bool }

// explainOptions reads what stands before the statement, and where that begins.
func explainOptions(st syntax.Statement) (o explainOption, at int, err error) {
	i := 1
	for ; i < len(st.Tokens); i++ {
		switch t := st.Tokens[i]; {
		case t.Is("ANALYZE"), t.Is("ANALYSE"):
			o.analyze = true
		case t.Is("PERMISSIONS"):
			o.permissions = true
		case t.IsOp("(") && (st.Tokens[i+1].Is("FORMAT") || st.Tokens[i+1].Is("ANALYZE")):
			for i++; i < len(st.Tokens) && !st.Tokens[i].IsOp(")"); i++ {
				switch t := st.Tokens[i]; {
				case t.Is("FORMAT"), t.IsOp(","), t.Is("TEXT"):
				case t.Is("JSON"), t.Kind == syntax.String && strings.EqualFold(t.Text, "json"):
					o.json = true
				case t.Is("ANALYZE"):
					o.analyze = true
				default:
					return o, 0, sqlerr.New(sqlerr.SyntaxError, "EXPLAIN knows no option %s", t.Text).At(st.Text, t.Pos).WithHint("EXPLAIN (FORMAT json) SELECT …, EXPLAIN ANALYZE SELECT …, EXPLAIN PERMISSIONS SELECT …")
				}
			}
		default:
			return o, t.Pos, nil
		}
	}
	return o, len(st.Text), nil
}

// explained says what a plan would do; w is nil but for a change.
func (s *Session) explained(ctx context.Context, p *plan.Plan, w *writing) *explanation {
	x := &explanation{Unused: []unusedLine{}}
	x.Scope = s.scopeOf(ctx)
	number := map[string]int{}
	scans := slices.Clone(p.Scans)
	slices.SortStableFunc(scans, func(a, b *plan.Scan) int { return a.Stage - b.Stage })
	var sum []string
	gets, exact := 0, true
	actions := map[string]bool{}
	for _, sc := range scans {
		if len(sc.Boxes) == 0 && len(sc.Bindings) == 0 {
			x.Scans = append(x.Scans, scanLine{len(x.Scans) + 1, strings.Join(sc.Names(), ", "), sc.Table.Name(), "no resource can matter", "nothing"})
			number[sc.Table.Type] = len(x.Scans)
			continue
		}
		under := s.explainParents(sc, x, number, actions, &sum)
		line := scanLine{len(x.Scans) + 1, strings.Join(sc.Names(), ", "), sc.Table.Name(), "", ""}
		line.Keys = keysOf(sc, number)
		if under > 0 {
			line.Keys = join(line.Keys, fmt.Sprintf("under each of %d", under))
		}
		var cost string
		var n int
		line.How, cost, n = howOf(sc)
		if n < 0 {
			exact = false
		}
		gets += max(n, 0) * s.placesOf(sc, x)
		sum = append(sum, cost)
		if line.Keys == "" {
			line.Keys = "all"
		}
		x.Scans = append(x.Scans, line)
		number[sc.Table.Type] = len(x.Scans)
		for _, t := range s.typesOf(sc) {
			grant(actions, t, line.How != "get", !strings.HasSuffix(line.How, "list") || t.SpansRegions)
		}
	}
	switch {
	case len(sum) == 0 || exact && gets == 0 && !slices.ContainsFunc(sum, func(c string) bool { return strings.Contains(c, "List") }):
		x.Calls = "none"
	case exact && !slices.ContainsFunc(sum, func(c string) bool { return strings.Contains(c, "List") }):
		x.Calls = fmt.Sprintf("Get %d", gets)
	default:
		x.Calls = strings.Join(sum, " + ")
		if n := len(x.Scope.Regions) * len(x.Scope.Accounts); n > 1 {
			x.Calls += fmt.Sprintf(", in each of %d accounts × %d regions that its keys leave", len(x.Scope.Accounts), len(x.Scope.Regions))
		}
	}
	if w != nil {
		x.Writes = w.explain(actions)
	}
	for _, u := range p.Unused {
		x.Unused = append(x.Unused, unusedLine{u.Text, u.Reason})
	}
	if len(actions) > 0 {
		if slices.ContainsFunc(s.settings.Regions, isPattern) {
			actions["account:ListRegions"] = true
		}
		if slices.ContainsFunc(s.settings.Accounts, func(a string) bool { return a == "org" || isPattern(a) }) {
			actions["organizations:ListAccounts"] = true
		}
	}
	x.Needs = policy{Version: "2012-10-17", Statement: []policyGranted{{"Allow", slices.Sorted(maps.Keys(actions)), "*"}}}
	if len(actions) == 0 {
		x.Needs.Statement = []policyGranted{}
	}
	if role := s.options.Cloud.RoleName; role != "" && len(s.settings.Accounts) > 0 && len(actions) > 0 {
		x.Needs.Statement = append(x.Needs.Statement, policyGranted{"Allow", []string{"sts:AssumeRole"}, "arn:*:iam::*:role/" + role})
	}
	return x
}

// scopeOf gives the settings' accounts and regions without asking for more
// than who the credentials belong to.
func (s *Session) scopeOf(ctx context.Context) scopeExplained {
	out := scopeExplained{Accounts: s.settings.Accounts, Regions: s.settings.Regions}
	link, err := s.connect(ctx)
	if err != nil {
		return out
	}
	if len(out.Accounts) == 0 {
		out.Accounts = []string{"of the credentials"}
		if me, err := link.cloud.Identity(ctx); err == nil {
			out.Accounts = []string{me.Account}
		}
	}
	if len(out.Regions) == 0 {
		out.Regions = []string{"none: the profile names no region"}
		if r := link.cloud.Region(); r != "" {
			out.Regions = []string{r}
		}
	}
	return out
}

// analyze runs a statement and notes what it took.
func (s *Session) analyze(ctx context.Context, st syntax.Statement, x *explanation) error {
	start := time.Now()
	s.report = fetch.Report{}
	rows, err := s.read(ctx, st)
	if err != nil {
		return err
	}
	defer rows.Close()
	n := 0
	for rows.Next() {
		n++
	}
	if err := rows.Err(); err != nil {
		return err
	}
	x.Rows, x.Took = &n, time.Since(start).Round(time.Millisecond).String()
	for _, r := range s.report.Stats {
		x.Analyzed = append(x.Analyzed, analyzedLine{r.Table.Name(), r.Lists, r.Gets, r.Rows, r.Avoided, r.Retries, r.Throttled, r.Took.Round(time.Millisecond).Seconds()})
	}
	return nil
}

// lines writes an explanation for people.
func (x *explanation) lines() []string {
	var b strings.Builder
	account := "account"
	if len(x.Scope.Accounts) > 1 {
		account = "accounts"
	}
	fmt.Fprintf(&b, "scope      %s %s · %s\n", account, strings.Join(x.Scope.Accounts, ", "), strings.Join(x.Scope.Regions, ", "))
	w := tabwriter.NewWriter(&b, 0, 0, 3, ' ', 0)
	for _, s := range x.Scans {
		fmt.Fprintf(w, "%d %s\t%s\t%s\t%s\n", s.Number, s.Name, s.Table, s.Keys, s.How)
	}
	w.Flush()
	fmt.Fprintf(&b, "\ncalls      %s\n", x.Calls)
	if x.Writes != "" {
		fmt.Fprintf(&b, "writes     %s\n", x.Writes)
	}
	if len(x.Unused) == 0 {
		b.WriteString("not used   nothing: every condition that can narrow does\n")
	}
	for i, u := range x.Unused {
		head := "not used   "
		if i > 0 {
			head = "           "
		}
		fmt.Fprintf(&b, "%s%s: %s\n", head, u.Condition, u.Reason)
	}
	if len(x.Needs.Statement) > 0 {
		all := x.Needs.Statement[0].Action
		more := ""
		if len(all) > 5 {
			all, more = all[:5], ", …"
		}
		fmt.Fprintf(&b, "needs      %s%s (EXPLAIN PERMISSIONS)\n", strings.Join(all, ", "), more)
	}
	if x.Rows != nil {
		rows := "rows"
		if *x.Rows == 1 {
			rows = "row"
		}
		fmt.Fprintf(&b, "\n%d %s in %s\n", *x.Rows, rows, x.Took)
		w := tabwriter.NewWriter(&b, 0, 0, 3, ' ', 0)
		fmt.Fprintln(w, "table\tlists\tgets\trows\tgets avoided\tretries\tthrottled\ttime")
		for _, a := range x.Analyzed {
			fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%.3f s\n", a.Table, a.Lists, a.Gets, a.Rows, a.Avoided, a.Retries, a.Throttled, a.Seconds)
		}
		w.Flush()
	}
	lines := strings.Split(strings.TrimRight(b.String(), "\n"), "\n")
	for i, l := range lines {
		lines[i] = strings.TrimRight(l, " ")
	}
	return lines
}
