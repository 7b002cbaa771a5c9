package session

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
)

// A gen writes random statements. Every decision is a number, the first choice
// being the plainest, so that a statement can be written again from its numbers
// and made smaller by taking some away.
type gen struct {
	rng     *rand.Rand
	choices []int
	fixed   bool // choices alone; where they end, the first one is taken
	made    []int
	pools   map[string][]string

	names int
	ctes  []item
	head  string // WITH
}

// pick chooses one of n.
func (g *gen) pick(n int) int {
	c := 0
	switch {
	case len(g.made) < len(g.choices):
		c = g.choices[len(g.made)] % n
	case !g.fixed:
		c = g.rng.IntN(n)
	}
	g.made = append(g.made, c)
	return c
}

// once in n.
func (g *gen) once(n int) bool { return g.pick(n) == n-1 }

func (g *gen) name(prefix string) string {
	g.names++
	return fmt.Sprintf("%s%d", prefix, g.names)
}

func choose[T any](g *gen, of ...T) T { return of[g.pick(len(of))] }

// A field is a column that an expression can use.
type field struct {
	text   string // a.region
	name   string // region
	domain string
}

// An item is something in FROM.
type item struct {
	text   string
	fields []field
}

func (i item) as(alias string) []field {
	var out []field
	for _, f := range i.fields {
		out = append(out, field{alias + "." + f.name, f.name, f.domain})
	}
	return out
}

// value is a text of a domain, now and then of none.
func (g *gen) value(domain string) string {
	pool := g.pools[domain]
	if len(pool) == 0 || domain != "region" && domain != "account" && g.once(12) {
		return "'none'"
	}
	return "'" + pool[g.pick(len(pool))] + "'"
}

func (g *gen) worldTable() (worldTable, item) {
	t := worldTables[g.pick(len(worldTables))]
	it := item{text: t.name}
	for _, c := range append(append([]worldColumn{}, base...), t.columns...) {
		it.fields = append(it.fields, field{name: c.name, domain: c.domain})
	}
	return t, it
}

// leaf is a table, derived table, CTE, view, local table or VALUES.
func (g *gen) leaf(depth int) item {
	switch k := g.pick(12); {
	case k <= 6 || depth <= 0:
		_, it := g.worldTable()
		if g.once(25) {
			it.text += " TABLESAMPLE reservoir(3 ROWS) REPEATABLE (4)"
		}
		return it
	case k == 7:
		return item{"l", []field{{"", "k", choose(g, "url", "vpc", "instance", "profile", "role", "name", "region")}, {"", "n", "int"}}}
	case k == 8:
		domain := choose(g, "url", "vpc", "region", "profile", "role", "instance")
		return item{fmt.Sprintf("(VALUES (%s), (%s), (NULL))", g.value(domain), g.value(domain)), []field{{"", "col0", domain}}}
	case k == 9:
		return item{"queue_view", []field{{"", "url", "url"}, {"", "place", "region"}, {"", "queue_name", "name"}}}
	case k == 10 && len(g.ctes) > 0:
		return g.ctes[g.pick(len(g.ctes))]
	}
	sub := g.query(depth - 1)
	sub.text = "(" + sub.text + ")"
	return sub
}

// from is a FROM tree and the columns that it shows.
func (g *gen) from(depth int) (string, []field) {
	first := g.leaf(depth)
	alias := g.name("t")
	text, fields := aliased(first, alias), first.as(alias)
	for range g.pick(3) {
		next := g.leaf(depth - 1)
		alias := g.name("t")
		right := next.as(alias)
		on := g.on(fields, right)
		switch k := g.pick(12); {
		case k <= 2:
			text += " JOIN " + aliased(next, alias) + " ON " + on
		case k <= 4:
			text += " LEFT JOIN " + aliased(next, alias) + " ON " + on
		case k == 5:
			text += " RIGHT JOIN " + aliased(next, alias) + " ON " + on
		case k == 6:
			text += " FULL JOIN " + aliased(next, alias) + " ON " + on
		case k == 7:
			text += " SEMI JOIN " + aliased(next, alias) + " ON " + on
			right = nil
		case k == 8:
			text += " ANTI JOIN " + aliased(next, alias) + " ON " + on
			right = nil
		case k == 9:
			c, ok := common(fields, right)
			if !ok {
				text += " JOIN " + aliased(next, alias) + " ON " + on
				break
			}
			text += choose(g, " JOIN ", " LEFT JOIN ", " FULL JOIN ", " RIGHT JOIN ") + aliased(next, alias) + " USING (" + c + ")"
		case k == 10:
			text += ", " + aliased(next, alias)
		default:
			l, lok := unique(fields)
			r, rok := unique(right)
			if !lok || !rok {
				text += " JOIN " + aliased(next, alias) + " ON " + on
				break
			}
			text += choose(g, " ASOF JOIN ", " ASOF LEFT JOIN ") + aliased(next, alias) + " ON " + l + " >= " + r
		}
		if right == nil {
			continue
		}
		fields = append(fields, right...)
	}
	return text, fields
}

func aliased(i item, alias string) string {
	if table, sample, ok := strings.Cut(i.text, " TABLESAMPLE "); ok && strings.HasPrefix(i.text, "aws.") {
		return table + " " + alias + " TABLESAMPLE " + sample
	}
	return i.text + " " + alias
}

// unique is a column whose values no two rows share.
func unique(fields []field) (string, bool) {
	for _, f := range fields {
		switch f.name {
		case "queue_url", "vpc_id", "subnet_id", "user_arn", "arn", "url":
			if f.name != "vpc_id" || len(fields) == 5 {
				return f.text, true
			}
		}
	}
	return "", false
}

func common(a, b []field) (string, bool) {
	for _, x := range a {
		n := 0
		for _, y := range a {
			if x.name == y.name {
				n++
			}
		}
		for _, y := range b {
			if x.name == y.name && n == 1 && !strings.HasPrefix(x.name, "c") {
				return x.name, true
			}
		}
	}
	return "", false
}

// on is a join condition: mostly an equality of one domain.
func (g *gen) on(left, right []field) string {
	var pairs []string
	for _, l := range left {
		for _, r := range right {
			if l.domain == r.domain && l.domain != "int" && l.domain != "word" {
				pairs = append(pairs, l.text+" = "+r.text)
			}
		}
	}
	on := "true"
	if len(pairs) > 0 {
		on = pairs[len(pairs)-1-g.pick(len(pairs))]
		if g.once(3) {
			on += " AND " + pairs[g.pick(len(pairs))]
		}
	}
	if g.once(3) {
		on += " AND " + g.predicate(append(append([]field{}, left...), right...), 0)
	}
	return on
}

func (g *gen) field(fields []field) field { return fields[g.pick(len(fields))] }

// predicate is one conjunct, in one of the forms that planning tells apart.
func (g *gen) predicate(fields []field, depth int) string {
	f := g.field(fields)
	if f.domain == "int" {
		return choose(g, f.text+" > 1", f.text+" = 2", f.text+" IS NULL", f.text+" IN (0, 10, 20)", f.text+" BETWEEN 0 AND 20", "NOT "+f.text+" < 2")
	}
	v := func() string { return g.value(f.domain) }
	if f.domain == "account" && g.once(8) {
		return f.text + " = 111122223333"
	}
	switch g.pick(29) {
	case 0, 1, 2:
		return f.text + " = " + v()
	case 3:
		return v() + " = " + f.text
	case 4, 5:
		return f.text + " IN (" + v() + ", " + v() + ")"
	case 6:
		return f.text + " = ANY([" + v() + ", " + v() + "])"
	case 7:
		return "(" + f.text + " = " + v() + " OR " + f.text + " = " + v() + ")"
	case 8:
		return f.text + " IS NOT DISTINCT FROM " + choose(g, v(), "NULL")
	case 9:
		return f.text + " = concat(" + v() + ", '')"
	case 10:
		return f.text + " = " + choose(g, "$reg", "lower(upper("+v()+"))")
	case 11:
		o := g.field(fields)
		return "(" + f.text + " = " + v() + " OR " + o.text + " IS NULL)"
	case 12:
		o := g.field(fields)
		return fmt.Sprintf("((%s = %s AND %s IS NOT NULL) OR (%s = %s AND %s IS NULL))", f.text, v(), o.text, f.text, v(), o.text)
	case 13:
		return "NOT (" + f.text + " = " + v() + ")"
	case 14:
		return f.text + " <> " + v()
	case 15:
		return f.text + choose(g, " LIKE '%a%'", " LIKE '%1'", " NOT LIKE '%e%'")
	case 16:
		return f.text + " > " + v()
	case 17:
		return f.text + choose(g, " IS NULL", " IS NOT NULL")
	case 18:
		return "upper(" + f.text + ") = upper(" + v() + ")"
	case 19:
		return f.text + " || '' = " + v()
	case 20:
		return f.text + " COLLATE NOCASE = upper(" + v() + ")"
	case 21:
		o := g.field(fields)
		return f.text + " = " + o.text
	case 22:
		return choose(g, f.text+" = NULL", "false", "true", "coalesce("+f.text+", 'z') = "+v())
	}
	if depth <= 0 {
		return f.text + " = " + v()
	}
	return g.nested(f, depth)
}

// nested is a conjunct with a sub-select.
func (g *gen) nested(f field, depth int) string {
	if g.once(5) {
		return f.text + choose(g, " IN ", " NOT IN ") + "(SELECT k FROM l WHERE k IS NOT NULL)"
	}
	var it item
	var inner, same []field
	alias := g.name("s")
	for range 4 { // a table that has the domain too makes more sense
		_, it = g.worldTable()
		inner = it.as(alias)
		for _, x := range inner {
			if x.domain == f.domain {
				same = append(same, x)
			}
		}
		if len(same) > 0 {
			break
		}
	}
	if len(same) == 0 {
		same = inner
	}
	s := same[g.pick(len(same))]
	where := ""
	if g.once(2) {
		where = " AND " + g.predicate(inner, 0)
	}
	from := it.text + " " + alias
	switch g.pick(11) {
	case 9:
		return fmt.Sprintf("%s = (SELECT %s FROM %s WHERE true%s ORDER BY 1 LIMIT 1)", f.text, s.text, from, where)
	case 10:
		return fmt.Sprintf("%s IN (SELECT upper(k)%s FROM l)", f.text, choose(g, "", " COLLATE NOCASE"))
	case 0:
		return fmt.Sprintf("%s IN (SELECT %s FROM %s WHERE true%s)", f.text, s.text, from, where)
	case 1:
		return fmt.Sprintf("EXISTS (SELECT 1 FROM %s WHERE %s = %s%s)", from, s.text, f.text, where)
	case 2:
		return fmt.Sprintf("NOT EXISTS (FROM %s WHERE %s = %s%s)", from, f.text, s.text, where)
	case 3:
		return fmt.Sprintf("%s NOT IN (SELECT %s FROM %s WHERE true%s)", f.text, s.text, from, where)
	case 4:
		return fmt.Sprintf("(%s IN (SELECT %s FROM %s) OR %s IS NULL)", f.text, s.text, from, f.text)
	case 5:
		return fmt.Sprintf("(SELECT count(*) FROM %s WHERE %s = %s%s) %s", from, s.text, f.text, where, choose(g, "> 0", "= 0"))
	case 6:
		return fmt.Sprintf("EXISTS (SELECT count(*) FROM %s WHERE %s = %s%s)", from, s.text, f.text, where)
	case 7:
		return fmt.Sprintf("%s = (SELECT max(%s) FROM %s WHERE true%s)", f.text, s.text, from, where)
	}
	return fmt.Sprintf("EXISTS (SELECT 1 FROM %s WHERE (%s = %s OR %s IS NULL)%s)", from, s.text, f.text, s.text, where)
}

func (g *gen) where(fields []field, depth int) string {
	var all []string
	for range g.pick(4) {
		all = append(all, g.predicate(fields, depth))
	}
	if len(all) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(all, " AND ")
}

// query is a SELECT or a set operation; what it shows is called c1, c2 …
func (g *gen) query(depth int) item {
	if depth > 0 && g.once(6) {
		return g.setOperation(depth)
	}
	return g.block(depth, 0)
}

// inOrder are the sources whose rows come in the order in which they were
// loaded. A join's come as it is carried out, which depends on how many rows its
// sides have: a sample of one has no rows that it should have.
var inOrder = regexp.MustCompile(`^aws\.\w+\.\w+ \w+$`)

// block is one SELECT. columns: so many, 0 for any number.
func (g *gen) block(depth, columns int) item {
	from, fields := g.from(depth)
	where := g.where(fields, depth)
	var cols []field
	n := columns
	if n == 0 {
		n = 1 + g.pick(4)
	}
	for range n {
		cols = append(cols, g.field(fields))
	}
	var out item
	heads := func(list []string, domains []string) {
		for i, e := range list {
			out.fields = append(out.fields, field{"", fmt.Sprintf("c%d", i+1), domains[i]})
			list[i] = fmt.Sprintf("%s AS c%d", e, i+1)
		}
		out.text = strings.Join(list, ", ")
	}
	var list, domains []string
	for _, c := range cols {
		list, domains = append(list, c.text), append(domains, c.domain)
	}
	order := ""
	if g.once(8) {
		order = fmt.Sprintf(" ORDER BY ALL LIMIT %d", 1+g.pick(4))
		if g.once(3) {
			order += " OFFSET 1"
		}
	}
	sample := ""
	if g.once(12) && inOrder.MatchString(from) && !strings.Contains(where, "SELECT") {
		sample = " USING SAMPLE reservoir(3 ROWS) REPEATABLE (5)"
	}
	switch k := g.pick(10); {
	case k <= 4:
		heads(list, domains)
		return item{"SELECT " + out.text + " FROM " + from + where + sample + order, out.fields}
	case k == 5:
		heads(list, domains)
		return item{"SELECT DISTINCT " + out.text + " FROM " + from + where + sample + order, out.fields}
	case k == 6 && columns == 0:
		group := strings.Join(list, ", ")
		switch g.pick(4) {
		case 1:
			group = "ROLLUP (" + group + ")"
		case 2:
			group = "GROUPING SETS ((" + group + "), ())"
		case 3:
			group, cols = list[0], cols[:1]
			for i := 1; i < len(list); i++ {
				list[i] = "max(" + list[i] + ")"
			}
		}
		having := ""
		if g.once(2) {
			having = " HAVING " + choose(g, g.predicate(cols, 0), "count(*) > 1", "max("+cols[0].text+") IS NOT NULL AND "+g.predicate(cols, 0))
		}
		list, domains = append(list, "count(*)"), append(domains, "int")
		heads(list, domains)
		return item{"SELECT " + out.text + " FROM " + from + where + " GROUP BY " + group + having + order, out.fields}
	case k == 7 && columns == 0:
		keys := strings.Join(list, ", ")
		for _, f := range fields {
			keys += ", " + f.text
		}
		window := "(PARTITION BY " + list[g.pick(len(list))] + " ORDER BY " + keys + ")"
		list, domains = append(list, "row_number() OVER "+window), append(domains, "int")
		qualify := ""
		if g.once(2) {
			qualify = " QUALIFY count(*) OVER (PARTITION BY " + cols[0].text + ") > 1"
		}
		heads(list, domains)
		return item{"SELECT " + out.text + " FROM " + from + where + qualify + order, out.fields}
	case k == 8 && columns == 0 && order == "":
		keys := list[0]
		for _, f := range fields {
			keys += ", " + f.text
		}
		on := list[0]
		heads(list, domains)
		return item{"SELECT DISTINCT ON (" + on + ") " + out.text + " FROM " + from + where + " ORDER BY " + keys, out.fields}
	case k == 9 && columns == 0:
		list, domains = append(list, "'text'"), append(domains, "word")
		if g.once(2) {
			list[0], domains[0] = "upper("+list[0]+"::VARCHAR)", "word"
		}
	}
	heads(list, domains)
	return item{"SELECT " + out.text + " FROM " + from + where + sample + order, out.fields}
}

func (g *gen) setOperation(depth int) item {
	n := 1 + g.pick(2)
	a, b := g.block(depth-1, n), g.block(depth-1, n)
	op := choose(g, "UNION ALL", "UNION", "EXCEPT", "INTERSECT", "UNION ALL BY NAME", "UNION BY NAME")
	right := b.text
	if strings.HasSuffix(op, "BY NAME") && n == 2 && g.once(2) { // the same names, the other way round
		right = "SELECT c2, c1 FROM (" + right + ") r"
	}
	fields := a.fields
	for i := range fields {
		if fields[i].domain != b.fields[i].domain {
			if a.fields[i].domain == "int" || b.fields[i].domain == "int" {
				return a
			}
			fields[i].domain = "word" // of two domains
		}
	}
	if g.once(4) {
		right = "SELECT " + choose(g, "1 AS c1", "NULL AS c1") + strings.Repeat(", 'x' AS c2", n-1)
	}
	return item{"(" + a.text + ") " + op + " (" + right + ")", fields}
}

// statement is a whole one.
func (g *gen) statement() string {
	switch g.pick(22) {
	case 18, 19, 20, 21:
		return g.related()
	case 9, 8:
		return g.wrapped()
	case 10:
		return g.pivot()
	case 16, 17:
		return g.unusual()
	case 11:
		return g.recursive()
	case 12, 13:
		return g.few()
	case 14:
		g.with()
		inner := g.query(2)
		return g.head + "SELECT count(*), count(c1), min(c1::VARCHAR) FROM (" + inner.text + ") x" + strings.ReplaceAll(g.where(inner.as("x"), 1), "\n", " ")
	case 15:
		inner := g.query(2)
		return "SELECT * FROM (" + inner.text + ") x" + g.where(inner.as("x"), 1)
	}
	g.with()
	q := g.query(2)
	return g.head + q.text
}

func (g *gen) with() {
	if !g.once(3) {
		return
	}
	sub := g.query(1)
	name := g.name("w")
	g.ctes = []item{{name, sub.fields}}
	g.head = "WITH " + name + " AS (" + sub.text + ") "
}

func (g *gen) pivot() string {
	_, it := g.worldTable()
	inner := "(SELECT region, account_id, 1 AS one FROM " + it.text + " t" + g.where(it.as("t"), 0) + ")"
	if g.once(2) {
		source := choose(g, inner, it.text, "(FROM "+it.text+" t"+g.where(it.as("t"), 0)+")", "("+it.text+" t CROSS JOIN (SELECT 1 AS one) s)")
		in := choose(g, "('us-east-1', 'eu-west-1')", "('us-east-1' AS account_id, 'eu-west-1')", "(SELECT region FROM "+it.text+")", "(SELECT region FROM aws.ec2.vpcs WHERE vpc_id = "+g.value("vpc")+" OR region = 'us-east-1')")
		return "SELECT * FROM (PIVOT " + source + " ON region IN " + in + " USING " + choose(g, "count(*)", "max(account_id)") + " GROUP BY account_id) p WHERE " + choose(g, "true", "account_id = '111122223333'")
	}
	return "FROM (UNPIVOT " + inner + " ON region, account_id INTO NAME n VALUE v) u WHERE " + choose(g, "true", "u.n = 'region'", "u.v = 'eu-west-1'")
}

func (g *gen) recursive() string {
	_, it := g.worldTable()
	t := it.as("t")
	a := t[g.pick(len(t))]
	for a.domain == "int" {
		a = t[0]
	}
	where := choose(g, "", " WHERE r.k = "+g.value(a.domain), " WHERE r.d = 1", " WHERE r.k = "+g.value(a.domain)+" AND r.d = 1")
	return fmt.Sprintf("WITH RECURSIVE r(k, place, d) AS (SELECT %s, t.region, 0 FROM %s t%s UNION SELECT %s, t.region, d + 1 FROM r JOIN %s t ON t.region <> r.place WHERE d < 2) SELECT * FROM r%s",
		a.text, it.text, g.where(t, 0), a.text, it.text, where)
}

// few are statements that stop early.
func (g *gen) few() string {
	table, it := g.worldTable()
	t := it.as("t")
	from := it.text + " t"
	n := 1 + g.pick(6)
	limit := fmt.Sprintf(" LIMIT %d", n)
	if g.once(3) {
		limit += fmt.Sprintf(" OFFSET %d", g.pick(4))
	}
	id := map[string]string{"aws.sqs.queues": "t.queue_url", "aws.ec2.vpcs": "t.vpc_id", "aws.iam.roles": "t.role_name"}[table.name]
	if id == "" {
		id = "t.identifier"
	}
	keys := choose(g, "t.account_id, t.region, "+id, "t.account_id DESC, t.region, "+id, "t.region, "+id+" DESC, t.account_id", "t."+table.columns[len(table.columns)-1].name+" NULLS FIRST, t.account_id, t.region, "+id)
	switch g.pick(9) {
	case 0:
		return "SELECT count(*) FROM (SELECT * FROM " + from + g.where(t, 0) + limit + ")"
	case 1:
		return "SELECT count(*) FROM (SELECT t.region FROM " + from + g.where(t, 1) + limit + ")"
	case 2, 3:
		return "/* ordered */ SELECT * FROM " + from + g.where(t, 0) + " ORDER BY " + keys + limit
	case 4:
		return "SELECT EXISTS (FROM " + from + g.where(t, 0) + "), EXISTS (SELECT 1 FROM " + it.text + " t" + g.where(t, 0) + limit + ")"
	case 5:
		return "SELECT count(*) FROM (SELECT " + choose(g, "DISTINCT t.region", "DISTINCT t.account_id", "unnest([t.region, t.account_id])") + " FROM " + from + g.where(t, 0) + limit + ")"
	case 6:
		return "SELECT x.region, count(*) FROM (SELECT * FROM " + from + " ORDER BY " + keys + limit + ") x, " + choose(g, it.text, "aws.iam.roles") + " y GROUP BY 1"
	case 7:
		return "SELECT count(*) FROM (SELECT region, count(*) AS n FROM " + from + g.where(t, 0) + " GROUP BY region" + limit + ")"
	}
	return "SELECT * FROM " + from + " WHERE CASE WHEN t." + choose(g, "region", "identifier") + " IS NOT NULL THEN nextval('q') END > 2"
}

// united joins a table with two parts of another.
func (g *gen) united() string {
	_, it := g.worldTable()
	t := it.as("t")
	f := g.field(t)
	alias := "u"
	for range 8 {
		_, other := g.worldTable()
		for _, u := range other.as(alias) {
			if u.domain == f.domain && f.domain != "int" && f.domain != "word" && f.name != "region" && f.name != "account_id" {
				return "SELECT x.k, u.region FROM (SELECT " + f.text + " AS k FROM " + it.text + " t" + g.where(t, 0) + choose(g, " UNION ALL ", " UNION ", " EXCEPT ", " INTERSECT ") +
					"SELECT " + f.text + " AS k FROM " + it.text + " t" + g.where(t, 0) + ") x JOIN " + other.text + " u ON x.k = " + u.text
			}
		}
		f = g.field(t)
	}
	return "SELECT * FROM " + it.text + " t"
}

// wrapped is a block of each kind that holds conditions back, with one on a
// table's own column around it.
func (g *gen) wrapped() string {
	_, it := g.worldTable()
	t := it.as("t")
	f := g.field(t)
	for f.domain == "int" {
		f = t[1]
	}
	o := g.field(t)
	where := g.where(t, 0)
	keys := "t.account_id, t.region, t.identifier"
	inner := ""
	switch g.pick(15) {
	case 13:
		return g.united()
	case 14: // names that stand for something else than the column of that name
		if f.name == "region" || f.name == "account_id" {
			f = t[2]
		}
		if f.domain == "int" || o.domain == "int" || o.name == f.name {
			o = t[0]
		}
		shadow := "SELECT " + o.text + " AS " + f.name + ", " + f.text + " AS " + o.name + ", count(*) AS n FROM " + it.text + " t GROUP BY " + f.text + ", " + o.text +
			" HAVING " + f.name + " = " + g.value(o.domain)
		return choose(g, shadow, "SELECT r.role_name, (SELECT count(*) FROM (SELECT "+o.text+" AS role_name FROM "+it.text+" t WHERE role_name = "+o.text+")) FROM aws.iam.roles r")
	case 11: // inside others it has crashed the engine
		_, as := g.worldTable()
		return "SELECT " + f.text + ", u.region, u.identifier FROM " + it.text + " t POSITIONAL JOIN " + as.text + " u WHERE " + f.text + " = " + g.value(f.domain)
	case 0:
		inner = "SELECT " + f.text + " AS k, count(*) AS n FROM " + it.text + " t" + where + " GROUP BY ALL"
	case 1:
		inner = "SELECT max(" + f.text + ") AS k, count(*) AS n FROM " + it.text + " t" + where + " GROUP BY " + o.text
	case 2:
		inner = "SELECT " + f.text + " AS k, count(*) AS n FROM " + it.text + " t" + where + " GROUP BY ROLLUP (" + f.text + ")"
	case 3:
		inner = "SELECT " + f.text + " AS k, row_number() OVER (PARTITION BY " + o.text + " ORDER BY " + keys + ") AS n FROM " + it.text + " t" + where
	case 4:
		inner = "SELECT DISTINCT ON (" + o.text + ") " + f.text + " AS k, 1 AS n FROM " + it.text + " t" + where + " ORDER BY " + o.text + ", " + keys
	case 5:
		inner = "SELECT " + f.text + " AS k, 1 AS n FROM " + it.text + " t" + where + " ORDER BY " + keys + " LIMIT 3"
	case 6:
		inner = "SELECT " + f.text + " AS k, 1 AS n FROM " + it.text + " t TABLESAMPLE reservoir(3 ROWS) REPEATABLE (9)" + where
	case 7:
		inner = "SELECT " + f.text + " AS k, t.region AS n FROM " + it.text + " t" + where + " UNION ALL " + choose(g, "SELECT 1, 'x'", "SELECT "+f.text+", t.account_id FROM "+it.text+" t")
	case 8:
		inner = "SELECT " + f.text + " AS k, t.account_id AS n FROM " + it.text + " t" + where + " UNION ALL BY NAME SELECT t.account_id AS n, " + f.text + " AS k FROM " + it.text + " t"
	case 9:
		_, as := g.worldTable()
		inner = "SELECT " + f.text + " AS k, 1 AS n FROM " + it.text + " t " + choose(g, "JOIN ", "LEFT JOIN ", "RIGHT JOIN ", "FULL JOIN ") + as.text + " u USING (" + choose(g, "region", "account_id", "region, account_id") + ")" + where
	case 10:
		return "WITH w AS (SELECT " + f.text + " AS k, 1 AS n FROM " + it.text + " t" + where + ") SELECT a.k, b.n FROM w a JOIN w b ON a.n = b.n WHERE a.k = " + g.value(f.domain) + choose(g, "", " AND b.k = "+g.value(f.domain))
	default:
		inner = "SELECT " + f.text + " AS k, 1 AS n FROM " + it.text + " t" + where + " USING SAMPLE reservoir(3 ROWS) REPEATABLE (9)"
	}
	outer := choose(g, "x.k = "+g.value(f.domain), "x.k IN ("+g.value(f.domain)+", "+g.value(f.domain)+")", "x.k = "+g.value(f.domain)+" OR x.k = "+g.value(f.domain))
	return "SELECT x.k, x.n FROM (" + inner + ") x WHERE " + outer
}
