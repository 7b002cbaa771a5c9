package change

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/skyql/skyql/internal/cloudcontrol"
)

// How long to wait for what.
const (
	firstPoll   = 300 * time.Millisecond
	longestPoll = 10 * time.Second
	// longestRetryAfter bounds what an answer may ask for.
	longestRetryAfter = 5 * time.Minute

	// askBudget is how long a call is made again that was throttled or not
	// answered, with the same token.
	askBudget = 2 * time.Minute
	// pollPatience is how long polls may fail.
	pollPatience = 10 * time.Minute

	firstPause   = 500 * time.Millisecond
	longestPause = 20 * time.Second

	defaultTimeout = 120 * time.Minute // of a handler that says none
)

// An answer is what came of one call, or of the wait for its end.
type answer struct {
	event cloudcontrol.Event
	err   error
	lost  bool // a call was not answered: it may have arrived
	late  bool // the time is up
	left  bool // the wait was given up
	asked bool // nobody waits
}

// await follows a request to its end.
func (w *work) await(e cloudcontrol.Event) answer {
	delay := firstPoll
	var failing time.Time
	for !e.Status.Final() {
		if w.noWait() {
			return answer{event: e, asked: true}
		}
		pause := delay
		if until := time.Until(e.RetryAfter); !e.RetryAfter.IsZero() && until > 0 {
			pause = min(until, longestRetryAfter)
		} else {
			delay = min(delay*5/4, longestPoll)
		}
		if left := time.Until(w.deadline); left < pause {
			pause = left
		}
		if pause > 0 && !sleep(w.calls, pause) {
			return answer{event: e, left: true}
		}
		next, err := w.poll(e.Token)
		switch {
		case err == nil:
			failing = time.Time{}
			w.noted(e, next)
			e = next
		case w.calls.Err() != nil:
			return answer{event: e, left: true}
		case errors.Is(err, cloudcontrol.ErrTokenUnknown):
			return answer{event: e, err: err}
		case failing.IsZero():
			failing = time.Now()
		case time.Since(failing) > patience(err):
			return answer{event: e, err: err, lost: true}
		}
		if !e.Status.Final() && !time.Now().Before(w.deadline) {
			return answer{event: e, late: true}
		}
	}
	return answer{event: w.hooks(e)}
}

// poll asks once how far a request has come.
func (w *work) poll(request string) (cloudcontrol.Event, error) {
	release, err := w.admit()
	if err != nil {
		return cloudcontrol.Event{}, err
	}
	e, err := w.cloud.RequestStatus(w.calls, request)
	release(errors.Is(err, cloudcontrol.ErrThrottled))
	return e, err
}

// noted journals what a poll tells that a later process needs: the identifier,
// and the end.
func (w *work) noted(before, now cloudcontrol.Event) {
	if now.Identifier != before.Identifier || now.Status.Final() {
		w.journalEvent(now, false)
	}
}

// hooks fetches what Hooks said of a failed request whose first answer was its
// last.
func (w *work) hooks(e cloudcontrol.Event) cloudcontrol.Event {
	if e.Status == cloudcontrol.Failed && e.HooksRequest != "" && len(e.Hooks) == 0 {
		if full, err := w.poll(e.Token); err == nil && full.Status == e.Status {
			return full
		}
	}
	return e
}

// patience is how long polls may fail with an error.
func patience(err error) time.Duration {
	if cloudcontrol.RetryOf(err) != cloudcontrol.Never || errors.Is(err, cloudcontrol.ErrUnreachable) {
		return pollPatience
	}
	return 15 * time.Second // denied, or no credentials: waiting doesn't help
}

// sleep waits, and reports whether it was let to.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// backoff is the pause before the next try, counted from 1: it doubles, and a
// random part keeps many from coming back at once.
func backoff(try int) time.Duration {
	top := longestPause
	if try < 10 {
		top = min(longestPause, firstPause<<(try-1))
	}
	return top/2 + rand.N(top/2)
}

// timeout is how long a change may take: as long as its handlers may.
func (a *Applier) timeout(c *Change) time.Duration {
	if a.Timeout > 0 {
		return a.Timeout
	}
	var total time.Duration
	for _, op := range c.operations() {
		h := c.Table.Create
		switch op {
		case cloudcontrol.OpUpdate:
			h = c.Table.Update
		case cloudcontrol.OpDelete:
			h = c.Table.Delete
		}
		if h != nil && h.TimeoutInMinutes > 0 {
			total += time.Duration(h.TimeoutInMinutes) * time.Minute
		} else {
			total += defaultTimeout
		}
	}
	return total + time.Minute
}
