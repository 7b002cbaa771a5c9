package plan

import (
	"slices"
	"strings"

	"github.com/skyql/skyql/internal/syntax"
)

func (b *binder) join(r *syntax.Ref, sc *scope, bl *block) *node {
	first, before := len(sc.relations), len(sc.merged)
	n := &node{kind: r.Type, form: r.Form}
	n.left = b.ref(r.Left, sc, bl)
	middle, between := len(sc.relations), len(sc.merged)
	n.right = b.ref(r.Right, sc, bl)
	left := side{slices.Clone(sc.relations[first:middle]), slices.Clone(sc.merged[before:between])}
	right := side{slices.Clone(sc.relations[middle:]), slices.Clone(sc.merged[between:])}
	n.cond = r.Cond
	b.expr(r.Cond, sc, inPredicate, bl)
	using := r.Using
	if r.Form == "NATURAL" {
		var known bool
		if using, known = b.natural(left.relations, right.relations); !known {
			b.opaque(n, left, right, sc)
		}
	}
	for _, name := range using {
		b.merge(n, name, left, right, sc)
	}
	if n.kind == "SEMI" || n.kind == "ANTI" { // what the right side is called means nothing outside of ON
		sc.relations = sc.relations[:middle:middle]
		sc.merged = slices.DeleteFunc(sc.merged, func(m *column) bool { return slices.Contains(right.merged, m) })
	}
	return n
}

// A side is what one side of a join shows to USING.
type side struct {
	relations []*relation
	merged    []*column
}

// find gives the column that USING means by a name.
func (b *binder) find(s side, name string) (found *column) {
	for _, r := range s.relations {
		if c, _ := r.find(name); c != nil {
			b.want(c)
			found = c
		}
	}
	for _, m := range s.merged {
		if strings.EqualFold(m.name, name) {
			found = m
		}
	}
	return found
}

// natural gives the names that both sides have. Which those are must not
// depend on what is fetched, so every column is.
func (b *binder) natural(left, right []*relation) (out []string, known bool) {
	open := false
	for _, r := range append(append([]*relation{}, left...), right...) {
		b.wantAll(r)
		open = open || r.open
	}
	if open {
		return nil, false
	}
	for _, l := range left {
		for _, c := range l.columns {
			for _, r := range right {
				if m, canonical := r.find(c.name); m != nil && canonical == "" && !has(out, c.name) {
					out = append(out, c.name)
				}
			}
		}
	}
	return out, true
}

// opaque makes names that an outer join may have merged, with what is not known, mean nothing.
func (b *binder) opaque(n *node, left, right side, sc *scope) {
	for i, s := range []side{left, right} {
		if n.kind != "FULL" && n.kind != [2]string{"RIGHT", "LEFT"}[i] {
			continue
		}
		for _, r := range s.relations {
			for _, c := range r.columns {
				sc.merged = append(slices.DeleteFunc(slices.Clone(sc.merged), func(m *column) bool { return strings.EqualFold(m.name, c.name) }), &column{name: c.name})
			}
		}
	}
}

// merge makes one column of the two that USING names.
func (b *binder) merge(n *node, name string, left, right side, sc *scope) {
	l, r := b.find(left, name), b.find(right, name)
	if l == nil && r == nil {
		return
	}
	if l == nil || r == nil { // the other one is of a side that is not known
		if l != nil && (n.kind == "RIGHT" || n.kind == "FULL") || r != nil && (n.kind == "LEFT" || n.kind == "FULL") {
			sc.merged = append(slices.DeleteFunc(slices.Clone(sc.merged), func(m *column) bool { return m == l || m == r }), &column{name: name})
		}
		return
	}
	sc.merged = slices.DeleteFunc(slices.Clone(sc.merged), func(m *column) bool { return m == l || m == r })
	m := &column{name: name, of: []*column{l, r}, from: l.from, item: l.item}
	if n.kind == "RIGHT" {
		m.from, m.item = r.from, r.item
	} else if n.kind == "FULL" {
		m.from = origin{}
	}
	n.using = append(n.using, [2]*column{l, r})
	n.merged = append(n.merged, m)
	sc.merged = append(sc.merged, m)
}
