package pgwire

import (
	"strings"

	"github.com/skyql/skyql/internal/syntax"
)

// The variables that say whether things may be changed: of the transactions to
// come, and of the one that runs.
const (
	readOnlyByDefault = "default_transaction_read_only"
	readOnlyNow       = "transaction_read_only"
)

// accessMode finds READ ONLY or READ WRITE in a statement; "" for neither.
func accessMode(st syntax.Statement) string {
	for i, t := range st.Tokens {
		if t.Is("READ") && st.Tokens[i+1].Is("ONLY") {
			return "on"
		}
		if t.Is("READ") && st.Tokens[i+1].Is("WRITE") {
			return "off"
		}
	}
	return ""
}

// begins gives the transaction that begins its mode, the default for "".
func (v *variables) begins(mode string) {
	if mode != "" && v.conn.writable() {
		v.values[readOnlyNow] = mode
	}
}

// setAccess sets one of the two variables. Where the server only reads both stay
// on, and who wants it otherwise is told.
func (v *variables) setAccess(name, value string) error {
	if !v.conn.writable() {
		if value == "off" {
			v.conn.warn(readOnlyTransaction, "this server only reads: "+name+" stays on")
		}
		return nil
	}
	if name == readOnlyNow {
		if v.before != nil {
			v.values[name] = value
		}
		return nil // without a transaction block it would be over with the statement
	}
	if v.before == nil {
		v.values[readOnlyNow] = value
	}
	if v.values[name] != value {
		v.follow(name, value)
	}
	return nil
}

// setMode is SET TRANSACTION and SET SESSION CHARACTERISTICS AS TRANSACTION.
func (v *variables) setMode(st syntax.Statement, byDefault bool) error {
	mode := accessMode(st)
	switch {
	case mode == "" || !v.conn.writable():
		return nil // SHOW tells how it is
	case byDefault:
		return v.setAccess(readOnlyByDefault, mode)
	}
	return v.setAccess(readOnlyNow, mode)
}

func isAccess(name string) bool {
	return strings.EqualFold(name, readOnlyByDefault) || strings.EqualFold(name, readOnlyNow)
}
