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
	toks := syntax.Lex(text)
	at, base := 0, 0 // of the text that is not in parts yet; of toks
	for i := 0; i < len(toks); i++ {
		pos := base + toks[i].Pos
		if pos < at || !beginsCommand(toks[i], i == 0 && base == 0, text, pos) {
			continue
		}
		before, pending := atSemicolon(text[at:pos])
		if hasStatement(before) {
			out = append(out, part{sql: before})
		}
		name := commandName(text[pos+1:])
		args, _, _ := strings.Cut(text[pos+1+len(name):], "\n")
		out = append(out, part{sql: pending, command: &command{name: name, args: strings.TrimSpace(args)}})
		at = min(len(text), pos+1+len(name)+len(args)+1)
		if strings.ContainsAny(args, `'"$-/*`) { // an open quote ends with its line here
			toks, base, i = syntax.Lex(text[at:]), at, -1
		}
	}
	if hasStatement(text[at:]) {
		out = append(out, part{sql: text[at:]})
	}
	return out
}

// beginsCommand reports whether a token at a place of a text begins a meta
// command.
func beginsCommand(t syntax.Token, first bool, text string, pos int) bool {
	return t.IsOp(`\`) || first && t.IsOp(".") && pos+1 < len(text) && isLetter(text[pos+1])
}

// commandName reads the name behind a backslash or dot.
func commandName(text string) string {
	end := 0
	for end < len(text) && isLetter(text[end]) {
		end++
	}
	if end == 0 && text != "" && text[0] == '?' {
		end = 1
	}
	return text[:end]
}

// commandAt finds the first meta command, -1 if there is none.
func commandAt(text string) (at int, name string) {
	for i, t := range syntax.Lex(text) {
		if beginsCommand(t, i == 0, text, t.Pos) {
			return t.Pos, commandName(text[t.End:])
		}
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

// whole reports whether an input can be run as it is: it ends in a
// semicolon outside quotes and comments, or with a meta command, or there is
// nothing in it.
func whole(text string) bool {
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

// mayEnd reports whether an input that was not whole can be with one more line:
// where it can't, a script is spared to read all of a long statement again for
// each of its lines.
func mayEnd(line string) bool {
	return strings.ContainsAny(line, `;\`) || strings.Contains(line, "*/") || strings.HasPrefix(strings.TrimSpace(line), ".")
}

// closed reports whether no quote or comment is open at a text's end: a word
// put behind it would be a word.
func closed(text string) bool {
	toks := trimEOF(syntax.Lex(text + "\nx"))
	if len(toks) == 0 {
		return false
	}
	last := toks[len(toks)-1]
	return last.Kind == syntax.Name && last.Pos == len(text)+1
}
