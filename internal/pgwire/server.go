package pgwire

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/skyql/skyql/internal/pgcatalog"
	"github.com/skyql/skyql/internal/session"
	"github.com/skyql/skyql/internal/sqlerr"
)

// Options are what a server runs with.
type Options struct {
	// Open makes the session of a client, with the hooks that it is handed;
	// everything else is the caller's.
	Open func(ctx context.Context, hooks Hooks) (*session.Session, error)
	// Catalog answers questions about PostgreSQL's catalogs.
	Catalog *pgcatalog.Catalog
	// Users are those who may connect, with SCRAM-SHA-256; nil or empty: anybody.
	Users *Users
	// TLS is offered to clients; nil: it isn't. RequireTLS refuses those who
	// don't take it.
	TLS        *tls.Config
	RequireTLS bool
	Limits     Limits
	Metrics    *Metrics // nil: nothing is counted
	// Changes are the terms on which sessions change things; Approve, Show and
	// Done are the server's to set. nil: sessions only read.
	Changes *session.Changes
	Audit   *Audit       // of changes and refused clients; nil: none
	Logger  *slog.Logger // nil: nothing
}

// Limits bound what clients may take. The zero value is the default of each.
type Limits struct {
	Sessions         int           // at a time; 0: 100
	StatementTimeout time.Duration // until a client sets its own; 0: 5 minutes
	Rows             int           // of one result; 0: 10,000,000
	Message          int           // bytes of a message; 0: 8 MiB
	Held             int           // bytes of rows kept for suspended portals; 0: 64 MiB
	Statements       int           // prepared, and portals, of a session; 0: 1,000
}

func (l Limits) filled() Limits {
	fill := func(n *int, value int) {
		if *n == 0 {
			*n = value
		}
	}
	fill(&l.Sessions, 100)
	fill(&l.Rows, 10_000_000)
	fill(&l.Message, 8<<20)
	fill(&l.Held, 64<<20)
	fill(&l.Statements, 1000)
	if l.StatementTimeout == 0 {
		l.StatementTimeout = 5 * time.Minute
	}
	return l
}

// Hooks are what a connection wants of its session.
type Hooks struct {
	Notify  func(notice string)
	Changes session.Changes
}

// A Server serves clients. It is safe for concurrent use.
type Server struct {
	options Options
	limits  Limits
	log     *slog.Logger
	delay   func(context.Context, time.Duration) // of tests
	grace   time.Duration                        // graceful, but for tests
	open    atomic.Int64                         // connections

	mu      sync.Mutex // guards the rest
	conns   map[uint32]*conn
	waiting int // connections that have no session yet
	last    uint32
}

// New makes a server.
func New(o Options) *Server {
	s := &Server{options: o, limits: o.Limits.filled(), log: o.Logger, conns: map[uint32]*conn{}, delay: pause, grace: graceful}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	return s
}

// How long a graceful stop waits for statements that run.
const graceful = 10 * time.Second

// Serve accepts clients until ctx is done, then lets statements that run come
// to their end for a while, and closes every connection.
func (s *Server) Serve(ctx context.Context, listeners ...net.Listener) error {
	hard, kill := context.WithCancelCause(context.WithoutCancel(ctx))
	defer kill(errShutdown)
	var accepting, serving sync.WaitGroup
	errs := make(chan error, len(listeners))
	for _, l := range listeners {
		accepting.Go(func() { errs <- s.accept(hard, l, &serving) })
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-errs:
	}
	for _, l := range listeners {
		l.Close()
	}
	accepting.Wait()
	s.stop()
	ended := make(chan struct{})
	go func() { serving.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(s.grace): // changes make no more calls, and wait for those in flight
		kill(errShutdown)
		<-ended
	}
	return err
}

func (s *Server) accept(ctx context.Context, l net.Listener, serving *sync.WaitGroup) error {
	for {
		c, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			s.log.Warn("accept", "error", err)
			if !isTemporary(err) {
				return err
			}
			s.delay(ctx, 50*time.Millisecond)
			continue
		}
		if s.open.Add(1) > int64(4*s.limits.Sessions+1000) { // nobody is asked what they want
			c.Close()
			s.open.Add(-1)
			continue
		}
		serving.Go(func() {
			defer s.open.Add(-1)
			s.serve(ctx, c)
		})
	}
}

// isTemporary reports whether an accept may work the next time: the process
// ran out of files, or the client was gone already.
func isTemporary(err error) bool {
	var op *net.OpError
	return errors.As(err, &op)
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// serve is one connection from its first byte to its last.
func (s *Server) serve(ctx context.Context, nc net.Conn) {
	defer nc.Close()
	c := newConn(s, nc)
	defer func() {
		if p := recover(); p != nil { // this client is told, the others go on
			s.log.Error("panic", "value", p, "stack", string(debug.Stack()))
			c.farewell(fatal{sqlerr.New(sqlerr.Internal, "internal error: %v", p).WithDetail("this is a fault of skyql; please report it with the statement")})
		}
	}()
	if err := c.serve(ctx); err != nil {
		s.log.Debug("connection", "error", err, "remote", nc.RemoteAddr().String())
	}
}

// enter gives a connection its number, and a place among those without a
// session; there are twice as many as sessions.
func (s *Server) enter(c *conn) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.conns) >= 3*s.limits.Sessions {
		return errTooMany
	}
	for {
		s.last++
		if _, taken := s.conns[s.last]; s.last != 0 && !taken {
			break
		}
	}
	c.id = s.last
	if _, err := rand.Read(c.secret[:]); err != nil {
		return err
	}
	s.conns[c.id] = c
	s.waiting++
	return nil
}

// admit lets a connection have a session.
func (s *Server) admit(c *conn) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.conns)-s.waiting >= s.limits.Sessions {
		return errTooMany
	}
	s.waiting--
	c.admitted = true
	s.options.Metrics.sessions(1)
	return nil
}

func (s *Server) leave(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conns[c.id] != c {
		return
	}
	delete(s.conns, c.id)
	if c.admitted {
		s.options.Metrics.sessions(-1)
	} else {
		s.waiting--
	}
}

// cancel ends what a session runs, if the secret is its own.
func (s *Server) cancel(id uint32, secret []byte) {
	s.mu.Lock()
	c := s.conns[id]
	s.mu.Unlock()
	if c != nil && subtle.ConstantTimeCompare(secret, c.secret[:]) == 1 {
		c.interrupt(errUser)
	}
}

// stop tells idle connections that the server ends. Those that run a statement
// see it when that is done.
func (s *Server) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		c.finish()
	}
}
