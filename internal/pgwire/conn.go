package pgwire

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/skyql/skyql/internal/pgcatalog"
	"github.com/skyql/skyql/internal/session"
	"github.com/skyql/skyql/internal/sqlerr"
)

// A conn is one client. Its methods run in one goroutine, but for interrupt and
// finish.
type conn struct {
	server *Server
	wire   *wire
	back   *pgproto3.Backend
	id     uint32
	secret [4]byte

	admitted   bool // has a session; guarded by the server's mutex
	user       string
	database   string
	session    *session.Session
	catalog    *pgcatalog.Conn
	vars       *variables
	block      block
	statements map[string]*statement
	portals    map[string]*portal
	notices    []string
	changing   *changing                  // the statement that changes things, if one does
	ahead      []pgproto3.FrontendMessage // read already, see syncs
	aheadErr   error                      // what ended reading then
	awaits     bool                       // the client was told that it may go on
	unsent     int                        // bytes since the last flush, roughly
	script     string                     // what the client sent last, for the positions of errors
	offset     int                        // of the statement that runs, in script
	skip       bool                       // to the next Sync
	types      *pgtype.Map

	mu      sync.Mutex // guards the rest
	ending  bool       // the server stops
	idle    bool       // waits for a message
	running context.CancelCauseFunc
}

// A wire is a connection that can be watched for its end while nothing is read.
type wire struct {
	net.Conn
	buf *bufio.Reader
}

func newWire(c net.Conn) *wire { return &wire{c, bufio.NewReader(c)} }

// Read is net.Conn's.
func (w *wire) Read(p []byte) (int, error) { return w.buf.Read(p) }

var past = time.Unix(1, 0)

// watch calls gone when the connection ends before stop is called. What is
// read meanwhile is kept.
func (w *wire) watch(gone func(error)) (stop func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		if _, err := w.buf.Peek(1); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, bufio.ErrBufferFull) {
			gone(errGone)
		}
	}()
	return func() {
		w.SetReadDeadline(past)
		<-done
		w.SetReadDeadline(time.Time{})
	}
}

func newConn(s *Server, nc net.Conn) *conn {
	c := &conn{server: s, statements: map[string]*statement{}, portals: map[string]*portal{}, types: pgtype.NewMap()}
	c.use(newWire(nc))
	return c
}

func (c *conn) use(w *wire) {
	c.wire = w
	c.back = pgproto3.NewBackend(w, w)
	c.back.SetMaxBodyLen(authMessage)
}

// serve is the connection's life.
func (c *conn) serve(ctx context.Context) error {
	defer c.server.leave(c)
	if err := c.start(ctx); err != nil {
		return c.farewell(err)
	}
	if c.session == nil { // a CancelRequest
		return nil
	}
	defer func() {
		c.closePortals()
		c.catalog.Close()
		if err := c.session.Close(); err != nil {
			c.server.log.Error("close session", "error", err)
		}
	}()
	c.ready()
	for {
		err := c.turn(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return c.farewell(err)
		}
	}
}

// farewell tells the client what ended the connection, if it still listens.
func (c *conn) farewell(err error) error {
	if errors.Is(err, errGone) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) {
		return err
	}
	var f fatal
	if !errors.As(err, &f) && !errors.Is(err, errShutdown) {
		err = fatal{sqlerr.From(err)}
	}
	c.wire.SetDeadline(time.Now().Add(time.Second))
	c.send(response(err, "", 0))
	c.back.Flush() // the connection ends in any case
	return err
}

// turn takes one message. The error ends the connection.
func (c *conn) turn(ctx context.Context) error {
	msg, err := c.next()
	if err != nil {
		return err
	}
	c.awaits = false
	return c.message(ctx, msg)
}

// next gives the next message, which may have been read already.
func (c *conn) next() (pgproto3.FrontendMessage, error) {
	if len(c.ahead) > 0 {
		msg := c.ahead[0]
		c.ahead = c.ahead[1:]
		return msg, nil
	}
	if c.aheadErr != nil {
		return nil, c.aheadErr
	}
	return c.read()
}

// read waits for a message. The error ends the connection.
func (c *conn) read() (pgproto3.FrontendMessage, error) {
	idle := c.limitIdleness()
	if !c.rest(true) {
		return nil, errShutdown
	}
	msg, err := c.back.Receive()
	ending := !c.rest(false)
	var long *pgproto3.ExceededMaxBodyLenErr
	switch {
	case err == nil && !ending && idle != nil:
		c.wire.SetReadDeadline(time.Time{})
	case err == nil:
	case ending:
		return nil, errShutdown
	case idle != nil && errors.Is(err, os.ErrDeadlineExceeded):
		return nil, idle
	case errors.As(err, &long):
		return nil, violated("a message of %d bytes is longer than the %d that are allowed", long.ActualBodyLen, long.MaxExpectedBodyLen)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed), isReset(err):
		return nil, io.EOF
	default:
		return nil, violated("%v", err)
	}
	return msg, err
}

// limitIdleness sets how long the client may take to go on, where it has a limit
// for that, and gives the error for when it has passed.
func (c *conn) limitIdleness() error {
	if !c.awaits {
		return nil
	}
	name, err := "idle_session_timeout", errIdle
	if c.block.open {
		name, err = "idle_in_transaction_session_timeout", errIdleInBlock
	}
	d, _ := parseSpan(c.vars.get(name)) // it was read when it was set
	if d <= 0 {
		return nil
	}
	c.wire.SetReadDeadline(time.Now().Add(d))
	return err
}

// syncs reads on as far as says whether a pipeline ends with the message at hand:
// the next one is Sync, but for some that only close things.
func (c *conn) syncs() bool {
	for {
		msg, err := c.read()
		if err != nil {
			c.aheadErr = err
			return false
		}
		if m, ok := msg.(*pgproto3.Close); ok {
			again := *m // the reader uses its own for the next one
			c.ahead = append(c.ahead, &again)
			continue
		}
		c.ahead = append(c.ahead, msg)
		_, sync := msg.(*pgproto3.Sync)
		return sync
	}
}

func isReset(err error) bool {
	var op *net.OpError
	return errors.As(err, &op)
}

// rest notes that the connection waits for a message, or that it doesn't any
// more. It gives false when the server ends.
func (c *conn) rest(idle bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.idle = idle
	return !c.ending
}

// finish ends the connection as soon as it is idle.
func (c *conn) finish() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ending = true
	if c.idle {
		c.wire.SetReadDeadline(past)
	}
}

// interrupt cancels the statement that runs, if there is one.
func (c *conn) interrupt(cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running != nil {
		c.running(cause)
	}
}

// message does what a message asks. Errors of statements are sent; the error it
// gives ends the connection.
func (c *conn) message(ctx context.Context, msg pgproto3.FrontendMessage) error {
	if c.skip {
		switch msg.(type) {
		case *pgproto3.Sync, *pgproto3.Terminate:
		default:
			return nil
		}
	}
	var err error
	switch m := msg.(type) {
	case *pgproto3.Query:
		err = c.simple(ctx, m.String)
		c.report(err)
		c.endPipeline()
		return c.readyUnless(err)
	case *pgproto3.Parse:
		err = c.parse(ctx, m)
	case *pgproto3.Bind:
		err = c.bind(m)
	case *pgproto3.Describe:
		err = c.describe(m)
	case *pgproto3.Execute:
		err = c.execute(ctx, m)
	case *pgproto3.Close:
		err = c.closeNamed(m)
	case *pgproto3.Flush:
		return c.flush()
	case *pgproto3.Sync:
		if !c.skip {
			err = c.sync(ctx)
			c.report(err)
		}
		c.endPipeline()
		c.skip = false
		return c.readyUnless(err)
	case *pgproto3.Terminate:
		return io.EOF
	case *pgproto3.CopyData, *pgproto3.CopyDone, *pgproto3.CopyFail:
		return nil // late for a COPY that failed: the protocol says to drop them
	case *pgproto3.FunctionCall:
		c.report(sqlerr.New(sqlerr.FeatureNotSupported, "function calls of the protocol are not supported"))
		return c.readyUnless(nil)
	default:
		return violated("a message of type %s is not expected here", strings.TrimPrefix(fmt.Sprintf("%T", msg), "*pgproto3."))
	}
	if err != nil {
		c.report(err)
		c.skip = true
		if isEnd(err) {
			return err
		}
	}
	return nil
}

func isEnd(err error) bool {
	var f fatal
	return errors.As(err, &f) || errors.Is(err, errGone) || errors.Is(err, errShutdown)
}

// report sends a statement's error, which fails the transaction block.
func (c *conn) report(err error) {
	if err == nil || isEnd(err) {
		return
	}
	c.failBlock()
	c.sendNotices()
	c.send(response(err, c.script, c.offset))
}

// ready says that the next message is awaited.
func (c *conn) ready() error {
	c.sendNotices()
	c.send(&pgproto3.ReadyForQuery{TxStatus: c.block.status()})
	c.awaits = true
	return c.flush()
}

func (c *conn) readyUnless(err error) error {
	if err != nil && isEnd(err) {
		return err
	}
	return c.ready()
}

// notify keeps what the session says until it can be sent.
func (c *conn) notify(text string) { c.notices = append(c.notices, text) }

func (c *conn) sendNotices() {
	quiet := c.vars != nil && !c.vars.wants("notice")
	for _, n := range c.notices {
		if !quiet {
			c.send(&pgproto3.NoticeResponse{Severity: "NOTICE", SeverityUnlocalized: "NOTICE", Code: "00000", Message: n})
		}
	}
	c.notices = nil
}

// flushAt is how many bytes are collected before they are sent.
const flushAt = 32 << 10

func (c *conn) send(m pgproto3.BackendMessage) { c.back.Send(m) }

func (c *conn) flush() error {
	c.unsent = 0
	if err := c.back.Flush(); err != nil {
		return fmt.Errorf("%w: %w", errGone, err)
	}
	return nil
}

// run calls f while cancel ends the context that f works in: a CancelRequest,
// the statement's time-out, the end of the client or of the server do that.
func (c *conn) run(ctx context.Context, cancel context.CancelCauseFunc, f func() error) error {
	c.mu.Lock()
	c.running = cancel
	c.mu.Unlock()
	stop := c.wire.watch(c.interrupt)
	unlink := context.AfterFunc(ctx, func() { c.interrupt(context.Cause(ctx)) })
	timer := (*time.Timer)(nil)
	if d := c.vars.timeout(); d > 0 {
		timer = time.AfterFunc(d, func() { c.interrupt(errTimeout) })
	}
	defer func() {
		if timer != nil {
			timer.Stop()
		}
		unlink()
		c.mu.Lock()
		c.running = nil
		c.mu.Unlock()
		stop()
	}()
	return f()
}
