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
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"maps"
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
	// Populate puts so many made-up resources into every type, beside the
	// world's. They are made when a type is first asked for.
	Populate int

	Work     Work     // how asynchronous operations run
	Reads    Reads    // how what is read differs from what was written
	Lag      Lag      // when what was created is seen
	Contract Contract // what AWS's documents leave open
	Faults   *Faults  // what goes wrong; nil: nothing
	State    *State   // where the world is kept; nil: nowhere

	Clock  func() time.Time // nil: time.Now
	Logger *slog.Logger     // nil: nothing
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
	fitted   map[int]int // calls that each rule of the faults fitted
}

// A Call is one request that was answered, whatever the answer.
type Call struct{ Operation, Type, Identifier, Account, Region string }

// New makes a sandbox.
func New(o Options) *Sandbox {
	s := &Sandbox{o: o, catalog: o.Catalog, clock: o.Clock, calls: map[string]int{}, limiters: map[string]*rate.Limiter{}, fitted: map[int]int{}}
	if s.catalog == nil {
		s.catalog = catalog.Embedded()
	}
	if s.clock == nil {
		s.clock = time.Now
	}
	if o.World == nil {
		o.World = DemoWorld()
	}
	s.store = newStore(s.catalog, o.World, o.Populate)
	s.store.state = o.State
	return s
}

// Load reads the world's state, if it is kept; calls do so too, but what is
// wrong with it is better said before.
func (s *Sandbox) Load() error {
	if f := s.store.refresh(s.clock); f != nil {
		return errors.New(f.message)
	}
	return nil
}

// Put changes the world behind the back of Cloud Control, as other tools do:
// a resource is made or replaced, as it is, write-only values included.
func (s *Sandbox) Put(r Resource) error {
	if s.store.world.account(r.Account) == nil || !s.store.world.enabled(r.Region) {
		return fmt.Errorf("account %q or region %q is not one of the world's", r.Account, r.Region)
	}
	if _, err := s.catalog.Table(r.Type); err != nil {
		return err
	}
	r.Properties, _ = normal(r.Properties).(map[string]any)
	return s.change(func(now int64) record { return record{Time: now, Put: &r, Since: now} })
}

// Remove takes a resource out of the world in the same way.
func (s *Sandbox) Remove(account, region, typ, id string) error {
	if _, err := s.catalog.Table(typ); err != nil {
		return err
	}
	return s.change(func(now int64) record { return record{Time: now, Drop: &dropped{typ, account, region, id}} })
}

func (s *Sandbox) change(r func(now int64) record) error {
	if f := s.store.write(s.clock, func(now int64) *fault { return s.store.enter(r(now)) }); f != nil {
		return errors.New(f.message)
	}
	return nil
}

// Properties gives all of a resource, write-only values too; nil if there is
// none.
func (s *Sandbox) Properties(account, region, typ, id string) map[string]any {
	t, err := s.catalog.Table(typ)
	if err != nil || s.Load() != nil {
		return nil
	}
	for _, r := range s.store.all(t, account, region) {
		if r.id == id {
			return normal(r.properties).(map[string]any)
		}
	}
	return nil
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
	if err != nil || s.Load() != nil {
		return nil
	}
	var out []string
	for _, r := range s.store.all(t, account, region) {
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
	for _, r := range s.store.all(t, account, region) {
		var told map[string]json.RawMessage
		if err := json.Unmarshal(r.listed(t, s.kind(typ), Reads{}), &told); err != nil {
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
