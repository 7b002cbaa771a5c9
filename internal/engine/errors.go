package engine

import (
	"context"
	"encoding/json"
	"errors"
	"regexp"
	"strconv"
	"strings"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/skyql/skyql/internal/sqlerr"
)

func parseError(tree string) *ParseError {
	var doc struct {
		Message  string `json:"error_message"`
		Type     string `json:"error_type"`
		Position string `json:"position"`
	}
	e := &ParseError{Position: -1}
	if err := json.Unmarshal([]byte(tree), &doc); err != nil {
		e.Message = tree
		return e
	}
	e.Message, e.NotSelect = doc.Message, doc.Type == "not implemented"
	if n, err := strconv.Atoi(doc.Position); err == nil {
		e.Position = n
	}
	return e
}

var codes = map[duckdb.ErrorType]string{
	duckdb.ErrorTypeParser: sqlerr.SyntaxError, duckdb.ErrorTypeSyntax: sqlerr.SyntaxError,
	duckdb.ErrorTypeCatalog: sqlerr.UndefinedTable, duckdb.ErrorTypeBinder: sqlerr.SyntaxError,
	duckdb.ErrorTypeConversion: sqlerr.InvalidText, duckdb.ErrorTypeOutOfRange: "22003", duckdb.ErrorTypeDivideByZero: "22012",
	duckdb.ErrorTypeInvalidInput: sqlerr.InvalidParameter, duckdb.ErrorTypeInterrupt: sqlerr.QueryCanceled,
	duckdb.ErrorTypeNotImplemented: sqlerr.FeatureNotSupported, duckdb.ErrorTypeIO: "58030",
	duckdb.ErrorTypeOutOfMemory: "53200", duckdb.ErrorTypeMismatchType: sqlerr.DatatypeMismatch,
	duckdb.ErrorTypePermission: sqlerr.InsufficientPriv, duckdb.ErrorTypeConstraint: "23000",
}

var (
	kindPrefix = regexp.MustCompile(`^[A-Za-z ]+ (?:Error|Exception): `)
	atLine     = regexp.MustCompile(`(?m)^LINE (\d+): `)
	hintPart   = regexp.MustCompile(`(?s)(Did you mean.*|Candidate .*|HINT: .*)$`)
	missing    = regexp.MustCompile(`(?:Referenced column|does not have a column named|Table ".*" does not have)|column .* not found`)
)

// wrap turns DuckDB's error into the one a user sees. shift is how many bytes
// were put in front of the user's text.
func wrap(err error, text string, shift int) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return sqlerr.New(sqlerr.QueryCanceled, "canceled").Wrap(err)
	}
	var d *duckdb.Error
	if !errors.As(err, &d) {
		return err
	}
	code, ok := codes[d.Type]
	if !ok {
		code = sqlerr.Internal
	}
	msg, _, _ := strings.Cut(kindPrefix.ReplaceAllString(d.Msg, ""), "Stack Trace:")
	at := -1
	if m := atLine.FindStringSubmatchIndex(msg); m != nil {
		at = position(text, msg[m[0]:], shift)
		msg = strings.TrimSpace(msg[:m[0]])
	}
	if d.Type == duckdb.ErrorTypeBinder && missing.MatchString(msg) {
		code = sqlerr.UndefinedColumn
	}
	if d.Type == duckdb.ErrorTypeCatalog && strings.Contains(msg, "Function") {
		code = "42883"
	}
	e := sqlerr.New(code, "%s", "").Wrap(err)
	if m := hintPart.FindStringIndex(msg); m != nil && m[0] > 0 {
		e.Hint = strings.TrimSpace(strings.TrimPrefix(strings.Join(strings.Fields(msg[m[0]:]), " "), "HINT: "))
		msg = strings.TrimSpace(msg[:m[0]])
	}
	first, rest, _ := strings.Cut(msg, "\n")
	e.Message, e.Detail = lowerFirst(strings.TrimRight(first, ".!: ")), strings.TrimSpace(rest)
	return e.At(text[min(shift, len(text)):], at)
}

// Note keeps in mind that an error may have ended the instance: DuckDB gives one
// up after some faults of its own.
func (e *DB) Note(err error) {
	var d *duckdb.Error
	if errors.As(err, &d) && (d.Type == duckdb.ErrorTypeFatal || d.Type == duckdb.ErrorTypeInternal) {
		e.suspect = true
	}
}

// Dead reports whether the instance has come to its end. It asks it only where an
// error that was noted, or that rows had, makes that likely.
func (e *DB) Dead() bool {
	if !e.suspect {
		return false
	}
	_, err := e.conn.ExecContext(context.Background(), "SELECT 1")
	var d *duckdb.Error
	e.suspect = errors.As(err, &d) && d.Type == duckdb.ErrorTypeFatal
	return e.suspect
}

func lowerFirst(s string) string {
	if len(s) > 1 && s[0] >= 'A' && s[0] <= 'Z' && s[1] >= 'a' && s[1] <= 'z' {
		return strings.ToLower(s[:1]) + s[1:]
	}
	return s
}

// position finds what DuckDB points at. It prints "LINE 2: text" and a caret
// under the place; of a long line only a part, with "..." where it cut.
func position(text, block string, shift int) int {
	lines := strings.Split(block, "\n")
	m := atLine.FindStringSubmatch(lines[0])
	if len(lines) < 2 || m == nil {
		return -1
	}
	n, err := strconv.Atoi(m[1])
	caret := strings.IndexByte(lines[1], '^')
	if err != nil || caret < len(m[0]) {
		return -1
	}
	shown := lines[0][len(m[0]):]
	col := caret - len(m[0]) // in columns of the terminal, which are runes
	start := 0
	for i := 1; i < n; i++ {
		j := strings.IndexByte(text[start:], '\n')
		if j < 0 {
			return -1
		}
		start += j + 1
	}
	line, _, _ := strings.Cut(text[start:], "\n")
	if inner, cut := strings.CutPrefix(shown, "..."); cut {
		inner = strings.TrimSuffix(inner, "...")
		at := strings.Index(line, inner)
		if at < 0 {
			return -1
		}
		start += at
		line = line[at:]
		col -= 3
	}
	runes := []rune(line)
	if col < 0 || col > len(runes) {
		return -1
	}
	return start + len(string(runes[:col])) - shift
}
