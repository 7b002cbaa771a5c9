package session

import (
	"context"
	"sync"

	"github.com/skyql/skyql/internal/change"
	"github.com/skyql/skyql/internal/sqlerr"
)

// A shared journal is open while at least one of a process's sessions changes
// things: the lock on it is the process's, and its records may come from
// several sets at once. It is safe for concurrent use.
type shared struct {
	mu    sync.Mutex // guards the rest
	dir   string
	open  *change.Journal
	users int
}

// hold gives the journal of a folder. It is open until everybody who has it
// has called release.
func (s *shared) hold(ctx context.Context, dir string, o change.Opening) (j *change.Journal, release func() error, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open != nil && s.dir != dir {
		return nil, nil, sqlerr.New(sqlerr.FeatureNotSupported, "changes are journaled in %s already, and not in %s too", s.dir, dir)
	}
	if s.open == nil {
		if j, err = o.Journal(ctx, dir); err != nil {
			return nil, nil, err
		}
		s.open, s.dir = j, dir
	}
	s.users++
	return s.open, s.release, nil
}

func (s *shared) release() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users--; s.users > 0 {
		return nil
	}
	j := s.open
	s.open = nil
	return j.Close()
}
