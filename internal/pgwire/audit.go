package pgwire

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/skyql/skyql/internal/change"
	"github.com/skyql/skyql/internal/sqlerr"
)

// An Audit is a file that is told who changes what, a JSON object a line, each on
// disk before what follows from it. The file is opened for every line, so that it
// may be moved away. It is safe for concurrent use; nil writes nothing.
type Audit struct {
	path string
	mu   sync.Mutex // held while writing
}

// OpenAudit makes the file, and its folder, if there is none. Only its owner may
// read what is made.
func OpenAudit(path string) (*Audit, error) {
	a := &Audit{path: path}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, a.unusable(err)
	}
	f, err := a.open()
	if err != nil {
		return nil, a.unusable(err)
	}
	return a, f.Close()
}

func (a *Audit) open() (*os.File, error) {
	return os.OpenFile(a.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
}

func (a *Audit) unusable(err error) error {
	return sqlerr.New("58030", "the audit log can't be written, so nothing is changed: %v", err).Wrap(err).WithHint("skyql server --audit-log FILE")
}

// An entry is a line of the audit log: of a statement that changes something, or
// of somebody who was refused. Secrets are in none: statements are without them,
// parameters are not written down, and of errors only the code is.
type entry struct {
	Time        time.Time `json:"time"`
	Event       string    `json:"event"` // change, authentication
	Outcome     string    `json:"outcome"`
	User        string    `json:"user"`
	Remote      string    `json:"remote"`
	Application string    `json:"application"`
	Database    string    `json:"database"`
	Session     uint32    `json:"session"`
	Statement   string    `json:"statement,omitempty"`
	// ChangeSet is the journal's id, once calls were made.
	ChangeSet string         `json:"change_set,omitempty"`
	Plan      *change.Counts `json:"plan,omitempty"`
	Result    *tally         `json:"result,omitempty"`
	Code      string         `json:"code,omitempty"` // SQLSTATE
	Took      int64          `json:"duration_ms"`
}

// Outcomes of entries. A statement that is begun has another line when it has
// ended.
const (
	refused = "refused"
	planned = "planned"
	begun   = "begun"
	applied = "applied"
	failed  = "failed"
	unknown = "unknown"
)

// A tally counts changes by what became of them.
type tally struct {
	Done    int `json:"done"`
	Failed  int `json:"failed"`
	Unknown int `json:"unknown"`
	Skipped int `json:"skipped"`
}

func (a *Audit) write(e entry) (err error) {
	if a == nil {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	e.Time = time.Now().UTC()
	line, err := json.Marshal(e)
	if err != nil {
		return a.unusable(err)
	}
	f, err := a.open()
	if err != nil {
		return a.unusable(err)
	}
	_, err = f.Write(append(line, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return a.unusable(err)
	}
	return nil
}

// entry is what all entries of a connection say.
func (c *conn) entry(event, outcome string) entry {
	e := entry{Event: event, Outcome: outcome, User: c.user, Remote: c.wire.RemoteAddr().String(), Database: c.database, Session: c.id}
	if c.vars != nil {
		e.Application = c.vars.get("application_name")
	}
	return e
}
