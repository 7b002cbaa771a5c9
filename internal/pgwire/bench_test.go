package pgwire

import (
	"testing"

	"github.com/jackc/pgx/v5"
)

// What a row costs from the engine to a client that drops it.
func BenchmarkRows(b *testing.B) {
	c := serve(b, nil).client(b)
	const sql = "SELECT x, 'text ' || x, x / 3.0, x % 2 = 0, DATE '2026-01-01' + (x % 1000)::INT FROM range($1) t(x)"
	b.ReportAllocs()
	rows, err := c.Query(b.Context(), sql, pgx.QueryExecModeCacheDescribe, pgx.QueryResultFormats{textFormat}, b.N)
	if err != nil {
		b.Fatal(err)
	}
	for rows.Next() {
	}
	if rows.Err() != nil {
		b.Fatal(rows.Err())
	}
}

// What a session costs, from the connection to its end.
func BenchmarkSession(b *testing.B) {
	s := serve(b, nil)
	for range b.N {
		c, err := pgx.Connect(b.Context(), s.url())
		if err != nil {
			b.Fatal(err)
		}
		c.Close(b.Context())
	}
}
