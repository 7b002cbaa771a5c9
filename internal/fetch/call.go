package fetch

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/skyql/skyql/internal/catalog"
	"github.com/skyql/skyql/internal/cloudcontrol"
)

// Attempts of a call, by what the error says, and how long they may take.
const (
	retryBudget     = 2 * time.Minute
	transientTries  = 12
	brokenTries     = 6
	boundedTries    = 3
	onceTries       = 2
	firstBackoff    = 100 * time.Millisecond
	longestBackoff  = 20 * time.Second
	throttleBackoff = 50 * time.Millisecond
	longestThrottle = time.Second // the rate does the rest
)

// An admission is a turn that was waited for.
type admission struct{ l *limit }

// admit waits for a turn to call a type's service.
func (r *run) admit(ctx context.Context, at place, t *catalog.Table, urgent bool) (admission, error) {
	l := r.f.limits.of(target{at.account, at.region, t.Service})
	if err := l.enter(ctx, urgent); err != nil {
		return admission{}, err
	}
	if err := r.f.limits.all.Acquire(ctx, 1); err != nil {
		l.give()
		return admission{}, err
	}
	return admission{l}, nil
}

// call makes a call in the turn that was admitted, and again for as long as it
// is worth it. The turn is given back.
func (r *run) call(ctx context.Context, turn admission, at place, t *catalog.Table, op string, urgent bool, f func() error) error {
	start := time.Now()
	for try := 1; ; try++ {
		began := time.Now()
		err := f()
		retry := cloudcontrol.RetryOf(err)
		r.f.limits.all.Release(1)
		turn.l.leave(retry == cloudcontrol.Throttled, began)
		r.counted(ctx, t, at, op, retry, try, time.Since(began), err)
		wait, again := backoff(retry, try)
		if !again || time.Since(start)+wait > retryBudget {
			return err
		}
		e := sleep(ctx, wait)
		if e != nil {
			return e
		}
		if turn, e = r.admit(ctx, at, t, urgent); e != nil {
			return e
		}
	}
}

// backoff gives the time before the next attempt, with full jitter.
func backoff(retry cloudcontrol.Retry, try int) (time.Duration, bool) {
	first, longest := firstBackoff, longestBackoff
	switch retry {
	case cloudcontrol.Throttled:
		first, longest = throttleBackoff, longestThrottle
	case cloudcontrol.Transient:
		if try >= transientTries {
			return 0, false
		}
	case cloudcontrol.Broken:
		if try >= brokenTries {
			return 0, false
		}
	case cloudcontrol.Bounded:
		if try >= boundedTries {
			return 0, false
		}
	case cloudcontrol.Once:
		if try >= onceTries {
			return 0, false
		}
	default:
		return 0, false
	}
	top := longest
	if try < 20 {
		top = min(longest, first<<(try-1))
	}
	return rand.N(top), true
}
