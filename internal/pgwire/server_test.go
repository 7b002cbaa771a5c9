package pgwire

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/skyql/skyql/internal/engine"
	"github.com/skyql/skyql/internal/pgcatalog"
	"github.com/skyql/skyql/internal/sandbox"
	"github.com/skyql/skyql/internal/session"
)

func TestMain(m *testing.M) {
	for name, value := range map[string]string{"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "dummy", "AWS_REGION": "us-east-1", "AWS_PROFILE": "",
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_EC2_METADATA_DISABLED": "true"} {
		os.Setenv(name, value)
	}
	os.Exit(m.Run())
}

// names is shared by all tests: it takes a while to be made.
var names = pgcatalog.New(nil, session.Notes)

// A site is a server for a test, with a cloud of its own.
type site struct {
	*Server
	addr  string
	cloud *sandbox.Server
	gate  *gate
	stop  func() // and wait
}

// serve starts a server; change may change its options.
func serve(t testing.TB, change func(*Options)) *site {
	t.Helper()
	return serveCloud(t, sandbox.Options{}, change)
}

// serveCloud is serve, for a cloud of some kind.
func serveCloud(t testing.TB, of sandbox.Options, change func(*Options)) *site {
	t.Helper()
	cloud := sandbox.NewServer(of)
	t.Cleanup(cloud.Close)
	o := session.Options{Confine: &engine.Confinement{Memory: 256 << 20, Threads: 1}}
	g := &gate{next: cloud.Sandbox, arrived: make(chan struct{}), pass: make(chan struct{})}
	front := httptest.NewServer(g)
	t.Cleanup(front.Close)
	o.Cloud.Endpoint = front.URL
	link, err := session.NewLink(t.Context(), o.Cloud, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	o.Link = link
	options := Options{Catalog: names, Metrics: NewMetrics(), Open: func(ctx context.Context, h Hooks) (*session.Session, error) {
		own := o
		own.Notify, own.Changes = h.Notify, h.Changes
		return session.New(ctx, own)
	}}
	if change != nil {
		change(&options)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &site{Server: New(options), addr: l.Addr().String(), cloud: cloud, gate: g}
	s.delay = func(context.Context, time.Duration) {}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	stopped := false
	s.stop = func() {
		if !stopped {
			stopped = true
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	}
	t.Cleanup(s.stop)
	return s
}

// A gate stands in front of a cloud. While it is closed updates wait in it: each
// says so, and goes on when it is let.
type gate struct {
	next          http.Handler
	closed        atomic.Bool
	arrived, pass chan struct{}
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if g.closed.Load() && strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".UpdateResource") {
		g.arrived <- struct{}{}
		<-g.pass
	}
	g.next.ServeHTTP(w, r)
}

func (s *site) url() string { return "postgres://someone@" + s.addr + "/aws?sslmode=disable" }

// client connects with pgx.
func (s *site) client(t testing.TB) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(t.Context(), s.url())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(context.Background()) })
	return c
}

// code is the SQLSTATE of a server's error.
func code(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// all runs a simple query and writes its rows: values by |, rows by line feeds.
func all(t testing.TB, c *pgx.Conn, sql string) string {
	t.Helper()
	results, err := c.PgConn().Exec(t.Context(), sql).ReadAll()
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	var lines []string
	for _, r := range results {
		for _, row := range r.Rows {
			var values []string
			for _, v := range row {
				if v == nil {
					values = append(values, "NULL")
				} else {
					values = append(values, string(v))
				}
			}
			lines = append(lines, strings.Join(values, "|"))
		}
		if len(r.Rows) == 0 {
			lines = append(lines, r.CommandTag.String())
		}
	}
	return strings.Join(lines, "\n")
}

// Values are written as PostgreSQL writes them.
func TestText(t *testing.T) {
	t.Parallel()
	c := serve(t, nil).client(t)
	check := func(sql, want string) {
		t.Helper()
		if got := all(t, c, "SELECT "+sql); got != want {
			t.Errorf("%s\n got %s\nwant %s", sql, got, want)
		}
	}
	check("1, -2::SMALLINT, 3::BIGINT, true, false, NULL, '', 'ä'", "1|-2|3|t|f|NULL||ä")
	check("1.5::DOUBLE, 1e20::DOUBLE, 1e15::DOUBLE, 123456789012345::DOUBLE, 1e-5::DOUBLE, 0.1::FLOAT, 'nan'::DOUBLE, '-inf'::DOUBLE, 1000000::DOUBLE", "1.5|1e+20|1e+15|123456789012345|1e-05|0.1|NaN|-Infinity|1000000")
	check("12345678901234567890123::HUGEINT, 1.10::DECIMAL(9,2)", "12345678901234567890123|1.10")
	check("DATE '2026-01-02', TIME '03:04:05', TIMESTAMP '2026-01-02 03:04:05.5', TIMESTAMPTZ '2026-01-02 03:04:05+00', DATE '0044-03-15 (BC)'", "2026-01-02|03:04:05|2026-01-02 03:04:05.5|2026-01-02 03:04:05+00|0044-03-15 BC")
	check("INTERVAL '1 year 2 months 3 days 04:05:06', INTERVAL 1 DAY", "1 year 2 mons 3 days 04:05:06|1 day")
	check(`'a\xFF\x00'::BLOB, '00000000-0000-0000-0000-00000000000a'::UUID`, `\x61ff00|00000000-0000-0000-0000-00000000000a`)
	check(`['a', NULL, 'b"c\d', ''], [1, 2]::BIGINT[], [true], [1.5::DOUBLE], []::VARCHAR[]`, `{"a",NULL,"b\"c\\d",""}|{1,2}|{t}|{1.5}|{}`)
	check(`{'a': 1}, [{'a': 1}], [[1], [2]], '{"n": 1.10}'::JSON, MAP {'k': 1}`, `{"a":1}|[{"a":1}]|[[1],[2]]|{"n": 1.10}|{"k":1}`)
}

// Binary values decode to the same as text ones.
func TestBinary(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	c := s.client(t)
	const sql = `SELECT true AS a, 1::SMALLINT AS b, 2 AS c, 3::BIGINT AS d, 0.1::FLOAT AS e, 1.5::DOUBLE AS f, 'ä' AS g, '{"a": 1}'::JSON AS h, DATE '2026-01-02' AS i, TIME '03:04:05.25' AS j,
		TIMESTAMP '2026-01-02 03:04:05.5' AS k, TIMESTAMPTZ '2026-01-02 03:04:05+00' AS l, INTERVAL '14 months 3 days 04:05:06' AS m, '00000000-0000-0000-0000-00000000000a'::UUID AS n, 'a\xFF'::BLOB AS o,
		['a', NULL, ''] AS p, [1, NULL]::BIGINT[] AS q, [true]::BOOLEAN[] AS r, [1.5]::DOUBLE[] AS s, -123.4500::DECIMAL(9,4) AS t, 12345678901234567890123::HUGEINT AS u, NULL AS v, 0::DECIMAL(9,2) AS w`
	read := func(mode int16) (out []any) {
		t.Helper()
		rows, err := c.Query(t.Context(), sql, pgx.QueryResultFormats{mode})
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			if out, err = rows.Values(); err != nil {
				t.Fatal(err)
			}
		}
		if rows.Err() != nil {
			t.Fatal(rows.Err())
		}
		return out
	}
	if d := cmp.Diff(plainly(read(textFormat)), plainly(read(binaryFormat))); d != "" {
		t.Errorf("-text +binary\n%s", d)
	}
}

// plainly writes values so that equal ones are equal texts.
func plainly(values []any) (out []string) {
	for _, v := range values {
		switch x := v.(type) {
		case time.Time:
			v = x.UTC()
		case pgtype.Numeric:
			v, _ = x.Value()
		}
		out = append(out, fmt.Sprintf("%T %v", v, v))
	}
	return out
}
