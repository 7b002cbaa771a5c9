// Package sqlerr is the one error a user sees.
//
// Whatever goes wrong with a statement ends as an *Error: the fields are those
// of a PostgreSQL error response, so that prompt, JSON output and wire clients
// show the same thing. A hint is something to type; where there is nothing to
// type there is no hint.
package sqlerr

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// An Error is a statement's failure, ready to be shown.
type Error struct {
	Code    string // SQLSTATE, five characters
	Message string // one line, lower case, no full stop
	Detail  string // more of the same, may have several lines
	Hint    string // what to type next
	// Statement is the text that Position points into.
	Statement string
	// Position is the byte offset of the fault in Statement, counted from 1;
	// 0 when there is none.
	Position int
	// Line is where in a script the fault is, or the statement that failed,
	// counted from 1; 0 when that is not known. File is that script where it is
	// not the one that the program was given.
	Line int
	File string
	Err  error // the cause, may be nil
}

// SQLSTATE codes, as in appendix A of the PostgreSQL manual.
const (
	SyntaxError          = "42601"
	UndefinedTable       = "42P01"
	UndefinedParameter   = "42P02"
	UndefinedColumn      = "42703"
	UndefinedObject      = "42704"
	AmbiguousColumn      = "42702"
	DatatypeMismatch     = "42804"
	FeatureNotSupported  = "0A000"
	UniqueViolation      = "23505"
	InsufficientPriv     = "42501"
	InvalidAuth          = "28000"
	InvalidParameter     = "22023"
	InvalidText          = "22P02"
	BadCharacters        = "22021"
	QueryCanceled        = "57014"
	ProgramLimit         = "54000"
	ConnectionFailure    = "08006"
	ExternalRoutine      = "38000"
	TooManyRequests      = "53400"
	ProgramLimitExceeded = "54000"
	Internal             = "XX000"
)

// New makes an error of a code.
func New(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// At puts the fault at a byte offset of statement, counted from 0. A negative
// offset leaves the error without a position.
func (e *Error) At(statement string, offset int) *Error {
	if offset >= 0 && offset <= len(statement) {
		e.Statement, e.Position = statement, offset+1
	}
	return e
}

// WithHint sets the hint.
func (e *Error) WithHint(format string, args ...any) *Error {
	e.Hint = fmt.Sprintf(format, args...)
	return e
}

// WithDetail sets the detail.
func (e *Error) WithDetail(format string, args ...any) *Error {
	e.Detail = fmt.Sprintf(format, args...)
	return e
}

// Wrap sets the cause, which errors.Is and errors.As then find.
func (e *Error) Wrap(err error) *Error { e.Err = err; return e }

// Error gives the message alone.
func (e *Error) Error() string { return e.Message }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// From finds the *Error in err's chain; any other error becomes XX000 with the
// whole chain as its message.
func From(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Code: Internal, Message: err.Error(), Err: err}
}

// Show writes any error the way a terminal shows it. Nothing in it can drive
// the terminal: control characters are spelled out.
func Show(err error) string {
	text := fmt.Sprintf("error: %v\n", err)
	var e *Error
	if errors.As(err, &e) {
		text = e.Format()
	}
	if !strings.ContainsFunc(text, drives) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if drives(r) {
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

func drives(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }

// Format writes the error the way a terminal shows it: message and code, the
// line with a caret, detail, hint. It ends with a line feed.
func (e *Error) Format() string {
	var b strings.Builder
	fmt.Fprintf(&b, "error: %s (%s)\n", e.Message, e.Code)
	place := e.place()
	if line, col, ok := e.line(); ok {
		fmt.Fprintf(&b, "  %s%s\n  %s^\n", place, line, strings.Repeat(" ", len(place)+col))
	} else if place != "" {
		fmt.Fprintf(&b, "  in the statement of %s\n", strings.TrimSuffix(place, ": "))
	}
	for l := range strings.Lines(e.Detail) {
		fmt.Fprintf(&b, "  %s\n", strings.TrimRight(l, "\r\n"))
	}
	if e.Hint != "" {
		fmt.Fprintf(&b, "hint: %s\n", e.Hint)
	}
	return b.String()
}

// place says which line of a script the fault is in, where that isn't plain.
func (e *Error) place() string {
	switch {
	case e.File != "":
		return fmt.Sprintf("%s, line %d: ", e.File, e.Line)
	case e.Line > 1:
		return fmt.Sprintf("line %d: ", e.Line)
	}
	return ""
}

// line finds the line that Position is on, and the column in it, both as they
// are printed: tabs become spaces, and long lines are cut around the column.
func (e *Error) line() (string, int, bool) {
	if e.Position <= 0 || e.Position > len(e.Statement)+1 {
		return "", 0, false
	}
	at := e.Position - 1
	start := strings.LastIndexByte(e.Statement[:at], '\n') + 1
	end := len(e.Statement)
	if i := strings.IndexByte(e.Statement[at:], '\n'); i >= 0 {
		end = at + i
	}
	tidy := func(s string) []rune {
		return []rune(strings.NewReplacer("\t", " ", "\r", "").Replace(strings.ToValidUTF8(s, string(utf8.RuneError))))
	}
	before, after := tidy(e.Statement[start:at]), tidy(e.Statement[at:end])
	const left, right = 70, 50
	if len(before) > left {
		before = append([]rune("..."), before[len(before)-left:]...)
	}
	if len(after) > right {
		after = append(after[:right:right], []rune("...")...)
	}
	return string(before) + string(after), len(before), true
}
