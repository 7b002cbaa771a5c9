// Package sandbox is an emulated Cloud Control endpoint: an http.Handler with
// state, built from the catalog.
//
// Requests come in as AWS's clients send them, signed; answers, errors, pages
// and oddities are those of the contract (Cloud Control API 2021-09-30, JSON
// 1.0). One port also serves what a client needs beside it: STS, Organizations,
// account:ListRegions, ec2:DescribeRegions. The package knows the catalog and
// nothing of the code that calls AWS, so that neither hides the other's faults.
package sandbox

import (
	"context"
	"encoding/json"
	"hash/fnv"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/skyql/skyql/internal/catalog"
)

// Options are how a sandbox behaves. The zero value is the demo world without
// delays.
type Options struct {
	Catalog *catalog.Catalog // nil: the embedded one
	World   *World           // nil: DemoWorld()
	// Latency is added to every call, Jitter up to that much more.
	Latency, Jitter time.Duration
	// Throttle is how many calls a second an account may make in a region; the
	// rest is refused. 0: any number.
	Throttle float64
	// Lists says, by type, what a list tells; the others are chosen by name.
	Lists map[string]ListKind
	// PageSize is that of every list; 0: by type.
	PageSize int
	Clock    func() time.Time // nil: time.Now
	Logger   *slog.Logger     // nil: nothing
}

// A Sandbox is the service. It is safe for concurrent use.
type Sandbox struct {
	o       Options
	catalog *catalog.Catalog
	store   *store
	clock   func() time.Time

	mu       sync.Mutex
	calls    map[string]int
	log      []Call
	limiters map[string]*rate.Limiter
}

// A Call is one request that was answered, whatever the answer.
type Call struct{ Operation, Type, Identifier, Account, Region string }

// New makes a sandbox.
func New(o Options) *Sandbox {
	s := &Sandbox{o: o, catalog: o.Catalog, clock: o.Clock, calls: map[string]int{}, limiters: map[string]*rate.Limiter{}}
	if s.catalog == nil {
		s.catalog = catalog.Embedded()
	}
	if s.clock == nil {
		s.clock = time.Now
	}
	if o.World == nil {
		o.World = DemoWorld()
	}
	s.store = newStore(s.catalog, o.World)
	return s
}

// A Server is a sandbox that listens on loopback, as httptest's do.
type Server struct {
	*Sandbox
	URL    string
	server *httptest.Server
}

// NewServer starts a sandbox on a port of its own.
func NewServer(o Options) *Server {
	s := New(o)
	h := httptest.NewServer(s)
	return &Server{s, h.URL, h}
}

// Close stops it.
func (s *Server) Close() {
	s.server.CloseClientConnections()
	s.server.Close()
}

// Serve answers on a listener until ctx ends, then lets calls in flight finish.
func (s *Sandbox) Serve(ctx context.Context, l net.Listener) error {
	srv := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := srv.Shutdown(stop); err != nil {
		srv.Close()
	}
	<-done
	return nil
}

// Calls gives the number of calls by operation.
func (s *Sandbox) Calls() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.calls)
}

// Log gives the calls in the order in which they came, the newest 100,000.
func (s *Sandbox) Log() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Call(nil), s.log...)
}

// Identifiers gives those of a type's resources in a place, sorted.
func (s *Sandbox) Identifiers(account, region, typ string) []string {
	t, err := s.catalog.Table(typ)
	if err != nil {
		return nil
	}
	var out []string
	for _, r := range s.store.shelf(t).byPlace[account+" "+region] {
		out = append(out, r.id)
	}
	return out
}

// Untold counts a type's resources in a place of which a list doesn't tell all
// of some properties.
func (s *Sandbox) Untold(account, region, typ string, properties []string) int {
	t, err := s.catalog.Table(typ)
	if err != nil {
		return 0
	}
	n := 0
	for _, r := range s.store.shelf(t).byPlace[account+" "+region] {
		var told map[string]json.RawMessage
		if err := json.Unmarshal(r.listed(t, s.kind(typ)), &told); err != nil {
			panic("sandbox: " + err.Error())
		}
		if slices.ContainsFunc(properties, func(p string) bool { return told[p] == nil }) {
			n++
		}
	}
	return n
}

// ResetCalls forgets all calls.
func (s *Sandbox) ResetCalls() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls, s.log = map[string]int{}, nil
}

const maxLog = 100_000

func (s *Sandbox) count(c Call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[c.Operation]++
	if len(s.log) < maxLog {
		s.log = append(s.log, c)
	}
}

// wait is the time that a call takes. It is false when the caller gave up.
func (s *Sandbox) wait(ctx context.Context) bool {
	d := s.o.Latency
	if s.o.Jitter > 0 {
		d += rand.N(s.o.Jitter)
	}
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// throttled reports whether an account has used up its calls in a region.
func (s *Sandbox) throttled(c caller) bool {
	if s.o.Throttle <= 0 {
		return false
	}
	s.mu.Lock()
	l := s.limiters[c.account+c.region]
	if l == nil {
		l = rate.NewLimiter(rate.Limit(s.o.Throttle), max(1, int(s.o.Throttle)))
		s.limiters[c.account+c.region] = l
	}
	s.mu.Unlock()
	return !l.AllowN(s.clock(), 1)
}

// hash is a number that a text always has: what differs by type is chosen by it.
func hash(parts ...string) uint32 {
	h := fnv.New32a()
	for _, p := range parts {
		h.Write([]byte(p))
		h.Write([]byte{0})
	}
	return h.Sum32()
}

func encode(v any) json.RawMessage {
	out, err := json.Marshal(v)
	if err != nil {
		panic("sandbox: " + err.Error())
	}
	return out
}
