package sandbox

import (
	"hash/fnv"
	"math/rand/v2"
	"regexp/syntax"
	"strings"
	"unicode/utf8"
)

// dice give the same numbers for the same names.
func dice(names ...string) *rand.Rand {
	a, b := fnv.New64a(), fnv.New64()
	for _, n := range names {
		a.Write([]byte(n))
		a.Write([]byte{0})
		b.Write([]byte{1})
		b.Write([]byte(n))
	}
	return rand.New(rand.NewPCG(a.Sum64(), b.Sum64()))
}

const (
	lower   = "abcdefghijklmnopqrstuvwxyz"
	digits  = "0123456789"
	letters = lower + digits
)

// word gives n characters of an alphabet.
func word(r *rand.Rand, n int, alphabet string) string {
	out := make([]byte, n)
	for i := range out {
		out[i] = alphabet[r.IntN(len(alphabet))]
	}
	return string(out)
}

func uuidOf(r *rand.Rand) string {
	h := word(r, 32, "0123456789abcdef")
	return h[:8] + "-" + h[8:12] + "-4" + h[13:16] + "-a" + h[17:20] + "-" + h[20:]
}

// matching gives a text that a pattern matches, of a length between limits. It
// is false if none was found.
func matching(p *pattern, least, most int, r *rand.Rand) (string, bool) {
	tree, err := syntax.Parse(p.text, syntax.Perl)
	if err != nil {
		return "", false
	}
	for try := range 60 {
		// Some freedom first, so that two texts are seldom the same, then less.
		w := textWriter{rand: r, more: (12 - try%13) * max(min(least, 1000), 8) / 8, max: min(most, max(least, 200))}
		if !w.write(tree) {
			return "", false
		}
		s := w.out.String()
		n := utf8.RuneCountInString(s)
		if n < least {
			s += word(r, least-n, lower) // fits where the end is not anchored
			n = least
		}
		if n >= least && n <= most && p.match(s) {
			return s, true
		}
	}
	return "", false
}

// A textWriter writes what an expression matches.
type textWriter struct {
	out  strings.Builder
	rand *rand.Rand
	more int // how often to repeat beyond what is needed, at most
	max  int
}

func (w *textWriter) write(e *syntax.Regexp) bool {
	switch e.Op {
	case syntax.OpNoMatch:
		return false
	case syntax.OpLiteral:
		w.out.WriteString(string(e.Rune))
	case syntax.OpCharClass:
		w.out.WriteRune(w.choose(e.Rune))
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		w.out.WriteByte(lower[w.rand.IntN(len(lower))])
	case syntax.OpCapture:
		return w.write(e.Sub[0])
	case syntax.OpConcat:
		for _, s := range e.Sub {
			if !w.write(s) {
				return false
			}
		}
	case syntax.OpAlternate:
		return w.write(e.Sub[w.rand.IntN(len(e.Sub))])
	case syntax.OpStar:
		return w.repeat(e.Sub[0], 0, -1)
	case syntax.OpPlus:
		return w.repeat(e.Sub[0], 1, -1)
	case syntax.OpQuest:
		return w.repeat(e.Sub[0], 0, 1)
	case syntax.OpRepeat:
		return w.repeat(e.Sub[0], e.Min, e.Max)
	}
	return true // anchors and boundaries write nothing
}

func (w *textWriter) repeat(e *syntax.Regexp, least, most int) bool {
	n := least
	if w.more > 0 {
		n += 1 + w.rand.IntN(w.more)
	}
	if most >= 0 && n > most {
		n = most
	}
	for i := range n {
		if i >= least && w.out.Len() >= w.max {
			break
		}
		if !w.write(e) {
			return false
		}
	}
	return true
}

// choose picks a character of a class: a lower-case letter or digit where the
// class has some, since that is what names are made of.
func (w *textWriter) choose(class []rune) rune {
	in := func(c rune) bool {
		for i := 0; i < len(class); i += 2 {
			if class[i] <= c && c <= class[i+1] {
				return true
			}
		}
		return false
	}
	for _, alphabet := range []string{letters, "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "-_./: "} {
		var fit []rune
		for _, c := range alphabet {
			if in(c) {
				fit = append(fit, c)
			}
		}
		if len(fit) > 0 {
			return fit[w.rand.IntN(len(fit))]
		}
	}
	for i := 0; i < len(class); i += 2 {
		if class[i+1] > ' ' && class[i+1] != utf8.RuneError {
			return max(class[i], '!')
		}
	}
	return class[0]
}
