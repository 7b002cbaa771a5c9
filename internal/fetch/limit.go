package fetch

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

// A limits bounds calls: by (account, region, service) as the service lets
// them, and all together. It is safe for concurrent use.
type limits struct {
	most int
	all  *semaphore.Weighted

	mu   sync.Mutex
	each map[target]*limit
}

// A target is what throttles as one: a service in an account and region.
type target struct{ account, region, service string }

func newLimits(most int) *limits {
	return &limits{most: most, all: semaphore.NewWeighted(int64(most)), each: map[target]*limit{}}
}

func (l *limits) of(t target) *limit {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.each[t] == nil {
		l.each[t] = &limit{most: l.most, allowed: min(firstAllowed, l.most)}
	}
	return l.each[t]
}

// A service starts with few calls in flight, and each round without a refusal
// doubles them. Refusals halve them, and begin a measurement: what a service
// that refuses some calls answers meanwhile is what it bears. From then on calls
// are paced, and the rate is probed, window by window: one without refusals
// makes it a rate that is known to work, and tries a higher one; one with
// refusals goes back to the rate that worked, or, where that was it, to what was
// answered. A probe that failed makes the next one smaller and later.
//
// Going back to a known rate matters: a service that saves no unused calls
// answers only half of what it bears to those who ask a little too fast, so what
// it answers then is no measure.
const (
	firstAllowed = 8
	measuring    = 4                      // calls in flight during the first measurement
	window       = 250 * time.Millisecond // at least, and at most four times that
	enoughCalls  = 8                      // that a window must have seen to end early
	blindRaise   = 0.4                    // of a rate that was only measured
	firstRaise   = 0.1                    // of the rate
	leastRaise   = 0.01
	mostRaise    = 1.0
	accelerate   = 1.5 // each raise that worked over the one before
	slower       = 0.99
	longestHold  = 16 // windows between probes
	leastRate    = 1
)

// A limit is the calls of one target.
type limit struct {
	most int

	mu       sync.Mutex
	inflight int
	allowed  int
	clean    int // answers since the last change of allowed
	urgent   []chan struct{}
	waiting  []chan struct{}

	rate     float64   // calls a second; 0: not known to be bounded
	good     float64   // the highest rate that has just worked; 0: none is known
	bad      float64   // a higher rate that has not worked; 0: none is known
	raise    float64   // how much of rate the next probe adds, where bad is not known
	hold     int       // windows that a probe waits after one that failed
	quiet    int       // windows without refusals since then
	next     time.Time // when the next call may go
	windowed time.Time // when the window began
	answered int       // in the window
	refusals int       // in the window, of calls that began in it
	settling bool      // the window decides nothing: the rate was just lowered
}

// enter waits for a turn. Urgent calls, those that unlock others, go first.
func (l *limit) enter(ctx context.Context, urgent bool) error {
	l.mu.Lock()
	if l.inflight < l.allowed && (urgent || len(l.waiting) == 0) && len(l.urgent) == 0 {
		l.inflight++
		l.mu.Unlock()
		return l.pace(ctx)
	}
	turn := make(chan struct{})
	if urgent {
		l.urgent = append(l.urgent, turn)
	} else {
		l.waiting = append(l.waiting, turn)
	}
	l.mu.Unlock()
	select {
	case <-turn:
		return l.pace(ctx)
	case <-ctx.Done():
		l.mu.Lock()
		defer l.mu.Unlock()
		select {
		case <-turn: // it came at the same time
			l.inflight--
			l.wake()
		default:
			l.urgent, l.waiting = drop(l.urgent, turn), drop(l.waiting, turn)
		}
		return ctx.Err()
	}
}

func drop(list []chan struct{}, x chan struct{}) []chan struct{} {
	for i, c := range list {
		if c == x {
			return append(list[:i:i], list[i+1:]...)
		}
	}
	return list
}

// pace waits until the rate lets the call go.
func (l *limit) pace(ctx context.Context) error {
	l.mu.Lock()
	now := time.Now()
	at := now
	if l.rate > 0 {
		if l.next.After(now) {
			at = l.next
		}
		l.next = at.Add(time.Duration(float64(time.Second) / l.rate))
	}
	l.mu.Unlock()
	if !at.After(now) {
		return nil
	}
	if err := sleep(ctx, at.Sub(now)); err != nil {
		l.mu.Lock()
		l.inflight--
		l.wake()
		l.mu.Unlock()
		return err
	}
	return nil
}

// wake gives the free places to those who wait. The caller holds mu.
func (l *limit) wake() {
	for l.inflight < l.allowed {
		from := &l.urgent
		if len(*from) == 0 {
			from = &l.waiting
		}
		if len(*from) == 0 {
			return
		}
		turn := (*from)[0]
		*from = (*from)[1:]
		l.inflight++
		close(turn)
	}
}

// give gives a turn back that was not used.
func (l *limit) give() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inflight--
	l.wake()
}

// leave ends a call that began at a time. refused: the service said that it had
// enough.
func (l *limit) leave(refused bool, began time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inflight--
	now := time.Now()
	switch {
	case refused && l.rate == 0:
		if l.refusals == 0 {
			l.windowed, l.answered = now, 0
		}
		l.refusals++
		l.allowed, l.clean = min(l.allowed, max(measuring, l.allowed/2)), 0
	case refused && began.Before(l.windowed): // paced by the rate before
	case refused:
		l.refusals++
	default:
		l.answered++
		if l.clean++; l.clean >= l.allowed && l.allowed < l.most && (l.rate > 0 || l.refusals == 0) {
			l.allowed, l.clean = min(2*l.allowed, l.most), 0
		}
	}
	l.measure(now)
	l.wake()
}

// measure ends a window that has seen enough. The caller holds mu.
func (l *limit) measure(now time.Time) {
	took := now.Sub(l.windowed)
	if took < window || l.answered+l.refusals < enoughCalls && took < 4*window {
		return
	}
	got := float64(l.answered) / took.Seconds()
	switch {
	case l.settling: // calls that were paced by the rate before are still coming in
		l.settling = false
	case l.refusals > 0:
		l.slow(got)
		l.settling = true
	case l.rate > 0 && got >= 0.8*l.rate: // only a rate that was used tells anything
		l.speed()
	}
	l.windowed, l.answered, l.refusals = now, 0, 0
}

// slow takes the rate back after a window with refusals.
func (l *limit) slow(got float64) {
	switch {
	case l.rate == 0:
		l.rate, l.hold, l.raise = got*slower, 1, blindRaise
	case l.good > 0 && l.rate > l.good: // a probe
		l.rate, l.bad, l.hold, l.raise = l.good, l.rate, min(2*l.hold, longestHold), firstRaise
	case l.refusals <= l.answered/6: // by chance, or by a little
		l.rate *= slower
		l.good = l.rate
	default:
		raise := firstRaise
		if got < 0.75*l.rate {
			raise = blindRaise
		}
		l.rate, l.good, l.bad, l.hold, l.raise = min(l.rate, got)*slower, 0, 0, 1, raise
	}
	l.rate, l.quiet = max(leastRate, l.rate), 0
}

// speed keeps a rate that worked, and tries more when it is time: half of the
// way to one that didn't, and where none is known, more each time.
func (l *limit) speed() {
	probed := l.rate > l.good
	l.good = l.rate
	if l.quiet++; l.quiet < l.hold {
		return
	}
	if half := (l.good + l.bad) / 2; half > l.good*(1+leastRaise) {
		l.rate = half
		return
	}
	if l.bad > 0 && l.quiet < longestHold {
		return
	}
	l.bad = 0
	if probed {
		l.raise = min(mostRaise, l.raise*accelerate)
	}
	l.rate *= 1 + l.raise
}

// sleep waits, or gives ctx's error.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
