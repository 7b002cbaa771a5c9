package pgwire

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/skyql/skyql/internal/sqlerr"
)

// Causes of a context's end.
var (
	errUser     = errors.New("canceling statement due to user request")
	errTimeout  = errors.New("canceling statement due to statement timeout")
	errShutdown = errors.New("terminating connection because the server stops")
	errGone     = errors.New("the client is gone")
)

// Ends of connections that were idle for longer than the client allows.
var (
	errIdle        = fatal{sqlerr.New("57P05", "terminating connection due to idle-session timeout")}
	errIdleInBlock = fatal{sqlerr.New("25P03", "terminating connection due to idle-in-transaction timeout")}
)

// SQLSTATE codes that only the wire knows, as in appendix A of the PostgreSQL
// manual.
const (
	protocolViolation    = "08P01"
	adminShutdown        = "57P01"
	tooManyConnections   = "53300"
	failedTransaction    = "25P02"
	readOnlyTransaction  = "25006"
	notReady             = "55000" // object_not_in_prerequisite_state
	invalidPassword      = "28P01"
	invalidAuthorization = "28000"
	undefinedStatement   = "26000"
	undefinedCursor      = "34000"
	duplicateStatement   = "42P05"
	duplicateCursor      = "42P03"
)

var errTooMany = sqlerr.New(tooManyConnections, "sorry, too many clients already").WithHint("--max-sessions of skyql server")

// fatal is an error after which nothing more is read.
type fatal struct{ cause *sqlerr.Error }

// Error is the cause's.
func (f fatal) Error() string { return f.cause.Error() }

// Unwrap gives the cause.
func (f fatal) Unwrap() error { return f.cause }

func violated(format string, args ...any) error {
	return fatal{sqlerr.New(protocolViolation, format, args...)}
}

// response writes an error as the protocol has it. script is the whole text
// that the client sent, in which the statement starts at a byte offset; the
// place in another text than that is left out.
func response(err error, script string, offset int) *pgproto3.ErrorResponse {
	e := sqlerr.From(err)
	severity := "ERROR"
	var f fatal
	if errors.As(err, &f) {
		severity = "FATAL"
	}
	r := &pgproto3.ErrorResponse{Severity: severity, SeverityUnlocalized: severity, Code: e.Code, Message: e.Message, Detail: e.Detail, Hint: e.Hint}
	switch {
	case errors.Is(err, errTimeout):
		r.Code, r.Message, r.Hint = sqlerr.QueryCanceled, errTimeout.Error(), cmp.Or(e.Hint, "SET statement_timeout = '30min'")
	case errors.Is(err, errShutdown):
		r.Code, r.Message, r.Severity, r.SeverityUnlocalized = adminShutdown, errShutdown.Error(), "FATAL", "FATAL"
	case errors.Is(err, errUser), errors.Is(err, context.Canceled) && e.Code == sqlerr.Internal:
		r.Code, r.Message = sqlerr.QueryCanceled, errUser.Error()
	}
	if at := offset + e.Position; e.Position > 0 && offset <= len(script) && strings.HasPrefix(script[offset:], e.Statement) && e.Position <= len(e.Statement)+1 {
		r.Position = int32(utf8.RuneCountInString(script[:at-1]) + 1)
	}
	return r
}
