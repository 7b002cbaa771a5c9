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

// A service starts with few calls in flight. Each round without a refusal
// doubles them, a refusal halves them. The first refusal also sets a rate, what
// has just been seen to work; from then on it is probed: a little more after
// each clean quarter of a second, a little less after one with refusals.
const (
	firstAllowed = 8
	window       = 250 * time.Millisecond
	faster       = 1.04
	slower       = 0.97
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

	rate      float64 // calls a second; 0: not known to be bounded
	next      time.Time
	windowed  time.Time // when the window began
	answered  int       // in the window
	refused   bool      // in the window
	throttles int
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

// leave ends a call. refused: the service said that it had enough.
func (l *limit) leave(refused bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inflight--
	now := time.Now()
	if refused {
		l.throttles++
		if l.clean > 0 || l.rate == 0 { // not again for those that were in flight with it
			l.allowed = max(1, l.allowed/2)
		}
		l.clean = 0
		if l.rate == 0 {
			l.rate = l.seen(now)
			l.windowed, l.answered = now, 0
		}
		l.refused = true
	} else {
		l.answered++
		if l.clean++; l.clean >= l.allowed && l.allowed < l.most {
			l.allowed, l.clean = min(2*l.allowed, l.most), 0
		}
	}
	if l.windowed.IsZero() {
		l.windowed = now
	}
	if l.rate > 0 && now.Sub(l.windowed) >= window {
		if l.refused {
			l.rate = max(leastRate, l.rate*slower)
		} else if float64(l.answered) >= 0.8*l.rate*now.Sub(l.windowed).Seconds() {
			l.rate *= faster // only a rate that was used tells anything
		}
		l.windowed, l.answered, l.refused = now, 0, false
	}
	l.wake()
}

// seen is the rate of the answers so far, to start from.
func (l *limit) seen(now time.Time) float64 {
	took := now.Sub(l.windowed).Seconds()
	if l.windowed.IsZero() || took < 0.1 {
		return max(leastRate, float64(l.answered))
	}
	return max(leastRate, float64(l.answered)/max(took, 1))
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
