package pgwire

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"
)

var update = flag.Bool("update", false, "rewrite expected output")

// A peer speaks the protocol message by message.
type peer struct {
	t testing.TB
	net.Conn
	front *pgproto3.Frontend
}

// dial connects and comes as far as the first ReadyForQuery.
func (s *site) dial(t testing.TB) *peer {
	t.Helper()
	p := s.raw(t)
	p.front.Send(&pgproto3.StartupMessage{ProtocolVersion: pgproto3.ProtocolVersion30, Parameters: map[string]string{"user": "someone"}})
	p.until("ReadyForQuery")
	return p
}

// raw connects and says nothing.
func (s *site) raw(t testing.TB) *peer {
	t.Helper()
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(time.Minute)) // a server that hangs fails the test
	t.Cleanup(func() { c.Close() })
	return &peer{t, c, pgproto3.NewFrontend(c, c)}
}

// until sends what is waiting and reads up to a message of a kind.
func (p *peer) until(kind string) (last pgproto3.BackendMessage) {
	p.t.Helper()
	if err := p.front.Flush(); err != nil {
		p.t.Fatal(err)
	}
	for {
		m, err := p.front.Receive()
		if err != nil {
			p.t.Fatalf("waiting for %s: %v", kind, err)
		}
		if strings.HasSuffix(fmt.Sprintf("%T", m), "."+kind) {
			return m
		}
	}
}

// closed reads to the end of the connection, and gives the last error's code.
func (p *peer) closed() (code string) {
	p.t.Helper()
	for {
		m, err := p.front.Receive()
		if err != nil {
			return code
		}
		if e, ok := m.(*pgproto3.ErrorResponse); ok {
			code = e.Code
		}
	}
}

// The messages of a conversation, both ways.
func TestTrace(t *testing.T) {
	t.Parallel()
	p := serve(t, nil).dial(t)
	var b bytes.Buffer
	p.front.Trace(&b, pgproto3.TracerOptions{SuppressTimestamps: true})
	say := func(kind string, messages ...pgproto3.FrontendMessage) {
		for _, m := range messages {
			p.front.Send(m)
		}
		p.until(kind)
		fmt.Fprintln(&b)
	}
	say("ReadyForQuery", &pgproto3.Query{String: "SELECT 1 AS one, NULL AS nothing; SET application_name = 'trace'; SELECT 2 WHERE false"})
	say("ReadyForQuery", &pgproto3.Query{String: " ; "})
	say("ReadyForQuery", &pgproto3.Query{String: "SELECT 'ä', nope"})
	say("ReadyForQuery", &pgproto3.Parse{Name: "s", Query: "SELECT x, 'v' FROM range(5) t(x) WHERE x >= $1"}, &pgproto3.Describe{ObjectType: 'S', Name: "s"},
		&pgproto3.Bind{DestinationPortal: "p", PreparedStatement: "s", Parameters: [][]byte{[]byte("1")}, ResultFormatCodes: []int16{1, 0}}, &pgproto3.Describe{ObjectType: 'P', Name: "p"},
		&pgproto3.Execute{Portal: "p", MaxRows: 2}, &pgproto3.Execute{Portal: "p", MaxRows: 2}, &pgproto3.Execute{Portal: "p"}, &pgproto3.Close{ObjectType: 'P', Name: "p"}, &pgproto3.Sync{})
	say("ReadyForQuery", &pgproto3.Bind{PreparedStatement: "none"}, &pgproto3.Execute{}, &pgproto3.Sync{})
	say("ReadyForQuery", &pgproto3.Parse{Query: ""}, &pgproto3.Bind{}, &pgproto3.Describe{ObjectType: 'P'}, &pgproto3.Execute{}, &pgproto3.Sync{})
	say("ReadyForQuery", &pgproto3.Query{String: "COPY (SELECT 1, 'x') TO STDOUT"})
	say("ReadyForQuery", &pgproto3.FunctionCall{})
	golden := filepath.Join("testdata", "trace.golden")
	if *update {
		if err := os.WriteFile(golden, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), b.String()); d != "" {
		t.Error(d)
	}
}

// Requests for encryption are answered before the startup message.
func TestStartup(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	p := s.raw(t)
	for _, m := range []pgproto3.FrontendMessage{&pgproto3.GSSEncRequest{}, &pgproto3.SSLRequest{}} {
		p.front.Send(m)
		p.front.Flush()
		var answer [1]byte
		if _, err := io.ReadFull(p, answer[:]); err != nil || answer[0] != 'N' {
			t.Errorf("%T: %q %v", m, answer, err)
		}
	}
	p.front.Send(&pgproto3.StartupMessage{ProtocolVersion: pgproto3.ProtocolVersion32, Parameters: map[string]string{"user": "someone", "_pq_.x": "y", "options": "-c statement_timeout=7s --application-name=a\\ b", "DateStyle": "ISO, DMY", "unknown": "z"}})
	if m := p.until("NegotiateProtocolVersion").(*pgproto3.NegotiateProtocolVersion); len(m.UnrecognizedOptions) != 1 {
		t.Errorf("%+v", m)
	}
	p.until("ReadyForQuery")
	p.front.Send(&pgproto3.Query{String: "SHOW statement_timeout"})
	if m := p.until("DataRow").(*pgproto3.DataRow); string(m.Values[0]) != "7s" {
		t.Errorf("%q", m.Values)
	}
	for _, params := range []map[string]string{{}, {"user": "x", "options": "nonsense"}, {"user": "x", "client_encoding": "latin1"}, {"user": "x", "replication": "true"}} {
		p := s.raw(t)
		p.front.Send(&pgproto3.StartupMessage{ProtocolVersion: pgproto3.ProtocolVersion30, Parameters: params})
		p.until("ErrorResponse")
		p.closed()
	}
}

// endless is a statement that only its end ends.
const endless = "SELECT count(*) FROM range(1000000000) a(x), range(1000000000) b(y) WHERE x + y < 0"

func TestCancel(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	c := s.client(t)
	check := func(want string, wantMessage string, err error) {
		t.Helper()
		if code(err) != want || !strings.Contains(err.Error(), wantMessage) {
			t.Errorf("got %v, want %s %s", err, want, wantMessage)
		}
	}
	_, err := c.Exec(t.Context(), "SET statement_timeout = '50ms'; "+endless, pgx.QueryExecModeSimpleProtocol)
	check("57014", "statement timeout", err)
	all(t, c, "SET statement_timeout = 0")
	p := s.dial(t)
	s.mu.Lock()
	var secret []byte
	var id uint32
	for n, other := range s.conns {
		if n > id {
			id, secret = n, other.secret[:]
		}
	}
	s.mu.Unlock()
	p.front.Send(&pgproto3.Query{String: endless})
	if err := p.front.Flush(); err != nil {
		t.Fatal(err)
	}
	cancel := func(secret []byte) {
		k := s.raw(t)
		k.front.Send(&pgproto3.CancelRequest{ProcessID: id, SecretKey: secret})
		k.front.Flush()
		k.closed()
	}
	cancel([]byte("none"))
	for s.runs(id) == 0 {
		time.Sleep(time.Millisecond) // until the statement is under way
	}
	cancel(secret)
	if e := p.until("ErrorResponse").(*pgproto3.ErrorResponse); e.Code != "57014" || !strings.Contains(e.Message, "user request") {
		t.Errorf("%+v", e)
	}
	p.until("ReadyForQuery")
}

// runs is how many statements a connection runs.
func (s *site) runs(id uint32) int {
	s.mu.Lock()
	c := s.conns[id]
	s.mu.Unlock()
	if c == nil {
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running == nil {
		return 0
	}
	return 1
}

// A client that goes away ends its statement; one that never reads its rows
// ends with its time-out. Both leave nothing behind.
func TestVanish(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	p := s.dial(t)
	p.front.Send(&pgproto3.Query{String: endless})
	p.front.Flush()
	for s.runs(1) == 0 {
		time.Sleep(time.Millisecond)
	}
	p.Close()
	deaf := s.dial(t)
	deaf.front.Send(&pgproto3.Query{String: "SELECT repeat('x', 10000) FROM range(100000)"})
	deaf.front.Flush()
	deaf.until("DataRow")
	deaf.Close()
	s.stop() // waits for both
	if len(s.conns) != 0 || s.waiting != 0 {
		t.Errorf("%d connections, %d waiting", len(s.conns), s.waiting)
	}
}

// A server that stops ends idle sessions at once, and lets others finish.
func TestStop(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	idle, busy := s.dial(t), s.dial(t)
	busy.front.Send(&pgproto3.Query{String: "SELECT sum(x) FROM range(30000000) t(x) WHERE x % 3 <> 1"})
	busy.front.Flush()
	for s.runs(2) == 0 {
		time.Sleep(time.Millisecond)
	}
	done := make(chan struct{})
	go func() { s.stop(); close(done) }()
	if got := idle.closed(); got != "57P01" {
		t.Errorf("idle: %q", got)
	}
	busy.until("DataRow")
	busy.until("CommandComplete")
	if got := busy.closed(); got != "57P01" {
		t.Errorf("busy: %q", got)
	}
	<-done
}

// Broken messages end their connection, with an error, and no other.
func TestBadInput(t *testing.T) {
	t.Parallel()
	s := serve(t, func(o *Options) { o.Limits.Message = 1 << 20 })
	good := s.client(t)
	message := func(kind byte, body string) []byte {
		return append(binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(body)+4)), body...)
	}
	random := make([]byte, 4096)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range random {
		random[i] = byte(rng.Uint32())
	}
	for name, input := range map[string][]byte{
		"random": random, "length of a giant": {0x7f, 0xff, 0xff, 0xff, 0, 3, 0, 0}, "negative length": {0xff, 0xff, 0xff, 0xff}, "nothing": {}, "half a length": {0, 0},
		"http": []byte("GET / HTTP/1.1\r\n\r\n"), "version 2": {0, 0, 0, 9, 0, 2, 0, 0, 0}, "no end": {0, 0, 0, 12, 0, 3, 0, 0, 'u', 's', 'e', 'r'},
	} {
		p := s.raw(t)
		p.Write(input)
		p.Conn.(*net.TCPConn).CloseWrite()
		if got := p.closed(); got != "08P01" && got != "" && len(input) > 2 {
			t.Errorf("%s: %q", name, got)
		}
	}
	for name, x := range map[string]struct {
		input []byte
		want  string
	}{
		"unknown kind":      {message('!', "x"), "08P01"},
		"giant":             {[]byte{'Q', 0x7f, 0xff, 0xff, 0xff}, "08P01"},
		"too long":          {[]byte{'Q', 0, 0x20, 0, 0}, "08P01"},
		"short length":      {[]byte{'Q', 0, 0, 0, 1}, "08P01"},
		"no terminator":     {message('Q', "SELECT 1"), "08P01"},
		"broken bind":       {message('B', "\x00\x00\x7f\xff"), "08P01"},
		"million formats":   {message('B', "\x00\x00\xff\xff"+strings.Repeat("\x00", 100)), "08P01"},
		"describe of what":  {append(message('D', "?x\x00"), message('S', "")...), "08P01"},
		"password, unasked": {message('p', "x\x00"), "08P01"},
		"truncated":         {message('Q', "SELECT 1\x00")[:8], ""},
		"random":            {random, "08P01"},
	} {
		p := s.dial(t)
		p.Write(x.input)
		p.Conn.(*net.TCPConn).CloseWrite()
		if got := p.closed(); got != x.want {
			t.Errorf("%s: got %q, want %q", name, got, x.want)
		}
	}
	if got := all(t, good, "SELECT 1"); got != "1" {
		t.Errorf("the others: %s", got)
	}
}

// What is out of order is an error to that client, which goes on after it.
func TestOutOfOrder(t *testing.T) {
	t.Parallel()
	p := serve(t, func(o *Options) { o.Limits.Statements = 10 }).dial(t)
	check := func(want string, messages ...pgproto3.FrontendMessage) {
		t.Helper()
		for _, m := range append(messages, &pgproto3.Sync{}) {
			p.front.Send(m)
		}
		if got := p.until("ErrorResponse").(*pgproto3.ErrorResponse).Code; got != want {
			t.Errorf("%T: got %s, want %s", messages[0], got, want)
		}
		p.until("ReadyForQuery")
	}
	check("34000", &pgproto3.Execute{})
	check("34000", &pgproto3.Describe{ObjectType: 'P', Name: "x"})
	check("26000", &pgproto3.Describe{ObjectType: 'S', Name: "x"})
	check("26000", &pgproto3.Bind{})
	check("42P05", &pgproto3.Parse{Name: "a", Query: "SELECT 1"}, &pgproto3.Parse{Name: "a", Query: "SELECT 1"})
	check("42P03", &pgproto3.Bind{PreparedStatement: "a", DestinationPortal: "p"}, &pgproto3.Bind{PreparedStatement: "a", DestinationPortal: "p"})
	check("08P01", &pgproto3.Bind{PreparedStatement: "a", Parameters: [][]byte{nil}})
	check("08P01", &pgproto3.Bind{PreparedStatement: "a", ResultFormatCodes: []int16{0, 1, 0}})
	var many []pgproto3.FrontendMessage
	for i := range 20 {
		many = append(many, &pgproto3.Parse{Name: fmt.Sprint(i), Query: "SELECT 1"})
	}
	check("54000", many...)
	var list strings.Builder
	for i := 1; i <= 1_000_000; i += 17 {
		fmt.Fprintf(&list, "$%d,", i)
	}
	check("54023", &pgproto3.Parse{Query: "SELECT " + strings.TrimSuffix(list.String(), ",")})
	p.front.Send(&pgproto3.CopyData{Data: []byte("late")})
	p.front.Send(&pgproto3.Close{ObjectType: 'S', Name: "none"})
	p.front.Send(&pgproto3.Query{String: "SELECT 1"})
	p.until("DataRow")
}

// More clients than there may be are told so; the others keep what they have.
func TestMany(t *testing.T) {
	t.Parallel()
	s := serve(t, func(o *Options) { o.Limits.Sessions = 5 })
	good := s.client(t)
	var mu sync.Mutex
	counts := map[string]int{}
	var group sync.WaitGroup
	for range 1000 {
		group.Go(func() {
			c, err := pgx.Connect(context.Background(), s.url())
			got := "in"
			if err != nil {
				got = code(err)
				var op *net.OpError
				if errors.As(err, &op) && got == "" {
					got = "refused"
				}
			} else {
				c.Close(context.Background())
			}
			mu.Lock()
			counts[got]++
			mu.Unlock()
		})
	}
	group.Wait()
	if counts["in"]+counts["53300"]+counts["refused"] != 1000 || counts["in"] == 0 {
		t.Errorf("%v", counts)
	}
	if got := all(t, good, "SELECT 1"); got != "1" {
		t.Errorf("the others: %s", got)
	}
	held := make([]*pgx.Conn, 4)
	for i := range held {
		held[i] = s.client(t)
	}
	if _, err := pgx.Connect(t.Context(), s.url()); code(err) != "53300" {
		t.Errorf("one too many: %v", err)
	}
}

// A hundred sessions side by side, each with settings and rows of its own.
func TestSideBySide(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	var group sync.WaitGroup
	for i := range 100 {
		group.Go(func() {
			c, err := pgx.Connect(context.Background(), s.url())
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close(context.Background())
			var name, set string
			var n, one int
			if _, err := c.Exec(context.Background(), fmt.Sprintf("SET application_name = 'n%d'", i)); err != nil {
				t.Error(err)
			}
			if err := c.QueryRow(context.Background(), "SELECT current_setting('application_name'), count(*) FROM pg_class WHERE relname = 'vpcs'").Scan(&set, &one); err != nil || set != fmt.Sprintf("n%d", i) || one != 1 {
				t.Errorf("%s %d %v", set, one, err)
			}
			if err := c.QueryRow(context.Background(), "SELECT min(username), count(*) + $1 FROM connect.users WHERE region = $2", i, "us-east-1").Scan(&name, &n); err != nil || name != "abara" || n <= i {
				t.Errorf("%s %d %v", name, n, err)
			}
		})
	}
	group.Wait()
}

// Limits of rows end a statement and not the session.
func TestLimits(t *testing.T) {
	t.Parallel()
	s := serve(t, func(o *Options) { o.Limits.Rows, o.Limits.Held = 100, 2000 })
	c := s.client(t)
	if _, err := c.Exec(t.Context(), "FROM range(101)", pgx.QueryExecModeSimpleProtocol); code(err) != "54000" {
		t.Errorf("rows: %v", err)
	}
	all(t, c, "BEGIN; DECLARE a CURSOR FOR FROM range(1000000); FETCH a")
	if got := all(t, c, "SELECT 1"); got != "1" {
		t.Error(got)
	}
	if _, err := c.Exec(t.Context(), "FETCH ALL FROM a", pgx.QueryExecModeSimpleProtocol); code(err) != "54000" {
		t.Errorf("held rows: %v", err)
	}
}

// FuzzConn sends anything behind a startup message: the server answers or ends
// the connection, and never more.
func FuzzConn(f *testing.F) {
	frames := func(messages ...pgproto3.FrontendMessage) (out []byte) {
		for _, m := range messages {
			out, _ = m.Encode(out)
		}
		return out
	}
	f.Add(frames(&pgproto3.Query{String: "SELECT 1; BEGIN; SELECT nope"}))
	f.Add(frames(&pgproto3.Parse{Name: "a", Query: "SELECT $1::INT"}, &pgproto3.Bind{PreparedStatement: "a", Parameters: [][]byte{[]byte("1")}}, &pgproto3.Describe{ObjectType: 'P'}, &pgproto3.Execute{MaxRows: 1}, &pgproto3.Sync{}))
	f.Add(frames(&pgproto3.Query{String: "COPY (SELECT 1) TO STDOUT WITH (FORMAT csv, HEADER"}, &pgproto3.Close{ObjectType: 'S'}))
	f.Add(frames(&pgproto3.Query{String: "DECLARE x CURSOR WITH HOLD FOR SELECT 1; FETCH ALL FROM x; CLOSE x"}))
	f.Add(frames(&pgproto3.Query{String: "SET LOCAL x.y = -1, 'a'; SHOW ALL; RESET ALL; EXECUTE p(1, NULL); PREPARE p (int) AS SELECT 1"}))
	s := serve(f, func(o *Options) { o.Limits.StatementTimeout, o.Limits.Sessions = time.Second, 1000 })
	start := frames(&pgproto3.StartupMessage{ProtocolVersion: pgproto3.ProtocolVersion30, Parameters: map[string]string{"user": "x"}})
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := net.Dial("tcp", s.addr)
		if err != nil {
			t.Fatal(err) // a server that takes nobody any more
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(time.Minute))
		go func() {
			c.Write(append(start, data...))
			c.(*net.TCPConn).CloseWrite()
		}()
		if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal("the server hangs")
		}
	})
}

// FuzzSQL sends any text as a query: whatever it is, the connection lives on.
func FuzzSQL(f *testing.F) {
	for _, sql := range []string{"SELECT 1", "COPY (SELECT 1) TO STDOUT WITH (FORMAT csv, FORCE_QUOTE (a), NULL AS 'x')", "COPY t (a, b) TO STDOUT CSV HEADER FORCE QUOTE *", "DECLARE a NO SCROLL CURSOR WITH HOLD FOR SELECT 1; FETCH FORWARD 1 FROM a; MOVE a; CLOSE a",
		"PREPARE p (int, text) AS SELECT $1, $2; EXECUTE p(-1, NULL); DEALLOCATE PREPARE p", "SET LOCAL a.b TO x, 'y', -1; SHOW a.b; RESET ALL", "SET TIME ZONE UTC", "BEGIN; SAVEPOINT a; ROLLBACK TO SAVEPOINT a; RELEASE a; COMMIT", "SELECT pg_catalog.set_config('a', $1, true)",
		"SELECT c.oid::pg_catalog.regclass::text, CAST('x' AS regtype), a = ANY (ARRAY[1]), '{a}'::text[], t.tableoid FROM pg_class c, generate_series(1, 2) s, string_to_array('a', ',') x WHERE n OPERATOR(pg_catalog.~) 'x' COLLATE pg_catalog.default",
		"USE", "SHOW", "SAVEPOINT", "RELEASE SAVEPOINT", "ROLLBACK TO", "FETCH", "EXECUTE", "DISCARD", "DECLARE", "COPY", "SET SESSION", "SHOW TIME", "((", "SELECT 'x'::regclass::regclass", "EXPLAIN", "DESCRIBE"} {
		f.Add(sql)
	}
	s := serve(f, func(o *Options) { o.Limits.StatementTimeout, o.Limits.Sessions = 2*time.Second, 1000 })
	pool := sync.Pool{}
	f.Fuzz(func(t *testing.T, sql string) {
		if strings.ContainsRune(sql, 0) {
			return // no message can hold it
		}
		c, _ := pool.Get().(*pgx.Conn)
		if c == nil {
			var err error
			if c, err = pgx.Connect(context.Background(), s.url()); err != nil {
				t.Fatal(err) // a server that takes nobody any more
			}
		}
		c.PgConn().Exec(context.Background(), sql).ReadAll()
		if _, err := c.PgConn().Exec(context.Background(), "ROLLBACK; DISCARD ALL").ReadAll(); err != nil {
			t.Fatalf("%q: %v", sql, err)
		}
		pool.Put(c)
	})
}
