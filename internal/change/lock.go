package change

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/skyql/skyql/internal/sqlerr"
)

// retryLock is how often a lock that another process has is tried again.
const retryLock = 100 * time.Millisecond

// take takes the lock, and waits for it as long as it is told to.
func (j *Journal) take(ctx context.Context, o Opening) error {
	for began := time.Now(); ; j.waited = true {
		taken, err := lockFile(j.lock)
		switch {
		case err != nil:
			return unusable(j.dir, err)
		case !taken:
			j.sign()
			return nil
		case time.Since(began) >= o.Wait:
			return j.busy(o.Wait)
		}
		if !j.waited && o.Busy != nil {
			o.Busy(j.holder())
		}
		if !sleep(ctx, retryLock) {
			return context.Cause(ctx)
		}
	}
}

func (j *Journal) busy(waited time.Duration) error {
	e := sqlerr.New("55006", "%s is changing things with the same state folder, so nothing was changed here", j.holder())
	if waited > 0 {
		e = e.WithDetail("%s\nwaited %s for it to end", j.dir, waited)
	} else {
		e = e.WithDetail("%s", j.dir)
	}
	return e.WithHint("run it again once that has ended, or SKYQL_STATE_DIR=… for a folder of one's own")
}

// sign writes down who has the lock, for those who would like to have it. It is
// a courtesy: nothing depends on it.
func (j *Journal) sign() {
	if j.lock.Truncate(0) == nil {
		fmt.Fprintf(io.NewOffsetWriter(j.lock, 0), "process %d, since %s\n", os.Getpid(), time.Now().Format("15:04:05"))
	}
}

// holder names who has the lock.
func (j *Journal) holder() string {
	text, err := io.ReadAll(io.NewSectionReader(j.lock, 0, 200))
	if who := strings.TrimSpace(string(text)); err == nil && strings.HasPrefix(who, "process ") {
		return "another skyql (" + printable(who) + ")"
	}
	return "another skyql"
}

// free lets go of the lock.
func (j *Journal) free() error {
	j.lock.Truncate(0)
	return j.lock.Close()
}

// Waited reports whether another process had the journal first: what was read
// before may not be so any more.
func (j *Journal) Waited() bool { return j.waited }
