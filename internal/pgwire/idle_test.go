package pgwire

import (
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"
)

// A client that is idle for longer than it has allowed itself is let go.
func TestIdle(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	for _, c := range []struct{ sql, want string }{
		{"SET idle_in_transaction_session_timeout = '1ms'; BEGIN", "25P03"},
		{"SET idle_in_transaction_session_timeout = '1ms'; BEGIN; SELECT nope", "25P03"},
		{"SET idle_session_timeout = '1ms'", "57P05"},
	} {
		p := s.dial(t)
		p.front.Send(&pgproto3.Query{String: c.sql})
		p.until("ReadyForQuery")
		if got := p.closed(); got != c.want {
			t.Errorf("%s: %q, want %s", c.sql, got, c.want)
		}
	}
	// The limits are for idleness alone: of a transaction, and without one.
	p := talker{s.dial(t)}
	p.says("SET idle_in_transaction_session_timeout = '1ms'")
	p.says("SET statement_timeout = 0; BEGIN; SELECT count(*) FROM range(3000000) t(x) WHERE x % 7 = 3; SET idle_in_transaction_session_timeout = 0")
	if got := p.says("COMMIT"); got != "COMMIT\nI" {
		t.Error(got)
	}
	p.says("SET idle_in_transaction_session_timeout = '1h'; BEGIN")
	s.stop() // ends it nevertheless
	if got := p.closed(); got != "57P01" {
		t.Error(got)
	}
}
