package session

import (
	"context"

	"github.com/skyql/skyql/internal/engine"
)

// openEngine opens an instance of DuckDB for the session.
func (s *Session) openEngine(ctx context.Context) (err error) {
	s.db, err = engine.Open(ctx, engine.Options{TempDir: s.options.TempDir, Confine: s.options.Confine})
	return err
}

// heal opens another instance where DuckDB has given up the session's. What a
// transaction wants is the session's own and stays; what was made in the
// instance is gone, and that is said. It gives the error that it is handed, if
// nothing worse happens.
func (s *Session) heal(failed error) error {
	if !s.db.Dead() {
		return failed
	}
	ctx, dead := context.Background(), s.db
	if err := s.openEngine(ctx); err != nil {
		s.db = dead
		return err
	}
	if err := dead.Close(); err != nil {
		s.log.Debug("close DuckDB", "error", err)
	}
	for _, text := range s.outside {
		if err := s.db.Exec(ctx, text, nil); err != nil {
			s.notify("%s: %v", text, err)
		}
	}
	what := ""
	if s.local {
		what = "; tables, views and macros that were made in it are gone"
	}
	clear(s.macros)
	s.local, s.collated, s.missingTable = false, false, false
	s.notify("DuckDB has ended itself after a fault of its own, and was started again%s", what)
	return failed
}
