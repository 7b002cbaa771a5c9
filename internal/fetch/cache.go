package fetch

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/skyql/skyql/internal/cloudcontrol"
)

// A store keeps answers: those on their way, so that who asks for the same
// waits for them, and those that have come, for as long as somebody takes them.
type store struct {
	mu      sync.Mutex
	entries map[string]*entry
	bytes   int
}

// maxStored bounds what a store keeps, in bytes of documents.
const maxStored = 256 << 20

func newStore() *store { return &store{entries: map[string]*entry{}} }

// An entry is the pages of one answer. Its producer adds them as they come.
type entry struct {
	mu    sync.Mutex
	pages [][]cloudcontrol.Document
	done  bool
	err   error
	at    time.Time     // when it was done
	more  chan struct{} // closed when something was added
	bytes int
}

func (e *entry) add(docs []cloudcontrol.Document) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.pages = append(e.pages, docs)
	for _, d := range docs {
		e.bytes += len(d.Identifier) + len(d.Properties) + 48
	}
	close(e.more)
	e.more = make(chan struct{})
}

func (e *entry) end(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.done, e.err, e.at = true, err, time.Now()
	close(e.more)
}

// fresh reports whether an entry can be used by somebody who takes what is no
// older than maxAge.
func (e *entry) fresh(maxAge time.Duration) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return !e.done || e.err == nil && time.Since(e.at) <= maxAge
}

// has reports whether there is something to use under a key.
func (s *store) has(key string, maxAge time.Duration) bool {
	s.mu.Lock()
	e := s.entries[key]
	s.mu.Unlock()
	return e != nil && e.fresh(maxAge)
}

// enter gives the entry of a key. first says that the caller must fill it.
func (s *store) enter(key string, maxAge time.Duration) (e *entry, first bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e = s.entries[key]; e != nil && e.fresh(maxAge) {
		return e, false
	}
	e = &entry{more: make(chan struct{})}
	s.entries[key] = e
	return e, true
}

// settle keeps or drops an entry that is done.
func (s *store) settle(key string, e *entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.entries[key] != e {
		return
	}
	if e.err != nil || s.bytes+e.bytes > maxStored {
		delete(s.entries, key)
		s.sweep()
		return
	}
	s.bytes += e.bytes
}

// sweep makes room: everything that is done goes. The caller holds mu.
func (s *store) sweep() {
	for k, e := range s.entries {
		e.mu.Lock()
		done := e.done
		e.mu.Unlock()
		if done {
			delete(s.entries, k)
		}
	}
	s.bytes = 0
}

// age is the oldest that a run takes from its store. What a run keeps for
// itself never grows old.
func (r *run) age() time.Duration {
	if r.MaxAge == 0 {
		return time.Hour * 24 * 365
	}
	return r.MaxAge
}

// through calls use with the pages under a key, as they come. The first who
// asks reads them; if that one is cancelled, the next one starts anew.
func (r *run) through(ctx context.Context, key string, read func(context.Context, func([]cloudcontrol.Document) error) error, use func([]cloudcontrol.Document) error) error {
	for {
		e, first := r.store.enter(key, r.age())
		if first {
			// Read beside its use: who uses a page may wait for another answer.
			r.group.Go(func() error {
				err := read(ctx, func(docs []cloudcontrol.Document) error { e.add(docs); return nil })
				e.end(err)
				r.store.settle(key, e)
				return nil // who uses it has the error
			})
		}
		err := e.each(ctx, use)
		if err == nil && !first {
			r.aged(e)
		}
		if err != nil && ctx.Err() == nil && errors.Is(err, context.Canceled) && !first {
			continue
		}
		return err
	}
}

// aged notes how old something is that was not asked anew.
func (r *run) aged(e *entry) {
	e.mu.Lock()
	age := time.Since(e.at)
	e.mu.Unlock()
	if r.MaxAge == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.oldest = max(r.oldest, age)
}

// each calls use with the pages of an entry, in order, until it is done.
func (e *entry) each(ctx context.Context, use func([]cloudcontrol.Document) error) error {
	for i := 0; ; {
		e.mu.Lock()
		pages, done, err, more := e.pages, e.done, e.err, e.more
		e.mu.Unlock()
		for ; i < len(pages); i++ {
			if err := use(pages[i]); err != nil {
				return err
			}
		}
		if done {
			return err
		}
		select {
		case <-more:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
