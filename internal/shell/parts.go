package shell

import (
	"strings"

	"github.com/skyql/skyql/internal/syntax"
)

// A part is a stretch of input: statements to run, or a meta command. sql is
// then what stands before the command and was not ended by a semicolon.
type part struct {
	sql     string
	command *command
}

// A command is a meta command: \name and the rest of its line.
type command struct {
	name string
	args string
}

// parts cuts an input at its meta commands. A backslash outside quotes and
// comments begins one, which takes the rest of the line; so does a dot at the
// start of the input.
func parts(text string) []part {
	var out []part
	for {
		at, name := commandAt(text)
		if at < 0 {
			if hasStatement(text) {
				out = append(out, part{sql: text})
			}
			return out
		}
		before, pending := atSemicolon(text[:at])
		if hasStatement(before) {
			out = append(out, part{sql: before})
		}
		rest := text[at+1+len(name):]
		args, rest, _ := strings.Cut(rest, "\n")
		out = append(out, part{sql: pending, command: &command{name: name, args: strings.TrimSpace(args)}})
		text = rest
	}
}

// commandAt finds the first meta command, -1 if there is none.
func commandAt(text string) (at int, name string) {
	for i, t := range syntax.Lex(text) {
		dot := i == 0 && t.IsOp(".") && t.End < len(text) && isLetter(text[t.End])
		if !t.IsOp(`\`) && !dot {
			continue
		}
		end := t.End
		for end < len(text) && isLetter(text[end]) {
			end++
		}
		if end == t.End && end < len(text) && strings.IndexByte("?!", text[end]) >= 0 {
			end++
		}
		return t.Pos, text[t.End:end]
	}
	return -1, ""
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// atSemicolon cuts a text behind its last semicolon.
func atSemicolon(text string) (before, after string) {
	cut := 0
	for _, t := range syntax.Lex(text) {
		if t.IsOp(";") {
			cut = t.End
		}
	}
	return text[:cut], text[cut:]
}

// hasStatement reports whether a text is more than blanks, comments and
// semicolons.
func hasStatement(text string) bool { return len(syntax.Split(text)) > 0 }

// complete reports whether an input can be run as it is: it ends in a
// semicolon outside quotes and comments, or with a meta command, or there is
// nothing in it.
func complete(text string) bool {
	if at, _ := commandAt(text); at >= 0 {
		return true
	}
	toks := syntax.Lex(text)
	if len(toks) == 1 { // comments run nothing, once they are closed
		return closed(text)
	}
	if toks[len(toks)-2].IsOp(";") {
		return closed(text)
	}
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "quit", "exit", "help":
		return true
	}
	return false
}

// closed reports whether no quote or comment is open at a text's end: a word
// put behind it would be a word.
func closed(text string) bool {
	toks := syntax.Lex(text + "\nx")
	last := toks[len(toks)-2]
	return last.Kind == syntax.Name && last.Pos == len(text)+1
}
