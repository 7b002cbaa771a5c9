package syntax

import (
	"slices"
	"strings"
)

// An Edit replaces the bytes [Pos, End) of a text. Pos == End inserts.
type Edit struct {
	Pos, End int
	Text     string
}

// A Rewritten is a text after edits, which still knows where each of its bytes
// came from, so that an error in it can point into what the user wrote.
type Rewritten struct {
	Original, Text string
	edits          []Edit
}

// Rewrite applies edits, given in any order. Edits must not overlap; of several
// with the same extent the first counts.
func Rewrite(text string, edits []Edit) Rewritten {
	es := slices.Clone(edits)
	slices.SortStableFunc(es, func(a, b Edit) int {
		if a.Pos != b.Pos {
			return a.Pos - b.Pos
		}
		return a.End - b.End
	})
	var b strings.Builder
	kept := es[:0]
	at := 0
	for i, e := range es {
		if i > 0 && e.Pos == es[i-1].Pos && e.End == es[i-1].End && e.Text == es[i-1].Text {
			continue
		}
		if e.Pos < at {
			panic("syntax: edits overlap")
		}
		b.WriteString(text[at:e.Pos])
		b.WriteString(e.Text)
		at = e.End
		kept = append(kept, e)
	}
	b.WriteString(text[at:])
	return Rewritten{text, b.String(), kept}
}

// Offset turns a byte offset in Text into one in Original. An offset inside
// replaced text gives the start of what it stands for.
func (r Rewritten) Offset(pos int) int {
	shift := 0 // what to take off an offset in Text
	for _, e := range r.edits {
		start := e.Pos + shift
		if pos < start {
			break
		}
		if pos < start+len(e.Text) {
			return e.Pos
		}
		shift += len(e.Text) - (e.End - e.Pos)
	}
	return min(max(pos-shift, 0), len(r.Original))
}

// Part gives a part of the original as it is after the edits inside it.
func (r Rewritten) Part(s Span) string {
	var inside []Edit
	for _, e := range r.edits {
		if e.Pos >= s.Pos && e.End <= s.End {
			inside = append(inside, Edit{e.Pos - s.Pos, e.End - s.Pos, e.Text})
		}
	}
	return Rewrite(r.Original[s.Pos:s.End], inside).Text
}
