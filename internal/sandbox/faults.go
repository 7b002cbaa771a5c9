package sandbox

import (
	"context"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"

	"golang.org/x/time/rate"
)

// Faults are rules by which calls go wrong. The zero value: none do.
type Faults struct {
	// Seed makes the draws of probabilities: the same seed, the same faults.
	Seed int `toml:"seed" json:"seed"`
	// Rules are tried in order; what several say of a call adds up, and where
	// they say the same thing the last wins.
	Rules []Rule `toml:"rule" json:"rule"`
}

// A Rule says what becomes of some calls. Its first part chooses calls, by
// patterns (* stands for anything, ? for one character); what is left out holds for all. Then
// come which of the chosen calls are meant, and what happens to them.
type Rule struct {
	Operation  Names `toml:"operation" json:"operation"`
	Type       Names `toml:"type" json:"type"`
	Identifier Names `toml:"identifier" json:"identifier"`
	Account    Names `toml:"account" json:"account"`
	Region     Names `toml:"region" json:"region"`

	Calls       []int   `toml:"calls" json:"calls"`             // the n-th, counted from 1
	First       int     `toml:"first" json:"first"`             // the first n
	After       int     `toml:"after" json:"after"`             // those after the first n
	Every       int     `toml:"every" json:"every"`             // each n-th
	Probability float64 `toml:"probability" json:"probability"` // of each, by the seed

	Latency  Duration `toml:"latency" json:"latency"`
	Jitter   Duration `toml:"jitter" json:"jitter"`
	Throttle float64  `toml:"throttle" json:"throttle"` // calls a second and account and region, the rest is refused
	Error    string   `toml:"error" json:"error"`       // an exception's code, answered at once
	Fail     string   `toml:"fail" json:"fail"`         // a handler error code, told by a FAILED event
	Message  string   `toml:"message" json:"message"`   // of either
	Status   int      `toml:"status" json:"status"`     // an HTTP status, with a page that is no JSON
	Reset    string   `toml:"reset" json:"reset"`       // the connection breaks, before or after the call is carried out
	HalfMade bool     `toml:"half_made" json:"half_made"`
	Vanish   bool     `toml:"vanish" json:"vanish"`
	Stuck    bool     `toml:"stuck" json:"stuck"`
	Hook     string   `toml:"hook" json:"hook"` // the message of a hook that refuses

	Pending        *Duration `toml:"pending" json:"pending"`
	Delay          *Duration `toml:"delay" json:"delay"`
	Polls          *int      `toml:"polls" json:"polls"`
	AtOnce         *bool     `toml:"at_once" json:"at_once"`
	RetryAfter     *Duration `toml:"retry_after" json:"retry_after"`
	LateIdentifier *bool     `toml:"late_identifier" json:"late_identifier"`
	Early          *bool     `toml:"early" json:"early"`

	Reorder     *bool `toml:"reorder" json:"reorder"`
	Defaults    *bool `toml:"inject_defaults" json:"inject_defaults"`
	EmptyArrays *bool `toml:"inject_empty_arrays" json:"inject_empty_arrays"`
	Transform   *bool `toml:"transform" json:"transform"`
	PolicyText  *bool `toml:"policy_text" json:"policy_text"`
	SystemTags  *bool `toml:"system_tags" json:"system_tags"`

	List           string    `toml:"list" json:"list"` // thin, partial, full
	PageSize       int       `toml:"page_size" json:"page_size"`
	EmptyPages     bool      `toml:"empty_pages" json:"empty_pages"`
	UnseenReads    *int      `toml:"unseen_reads" json:"unseen_reads"`
	UnseenLists    *int      `toml:"unseen_lists" json:"unseen_lists"`
	UnseenReadsFor *Duration `toml:"unseen_reads_for" json:"unseen_reads_for"`
	UnseenListsFor *Duration `toml:"unseen_lists_for" json:"unseen_lists_for"`
}

// effects are what the options and the rules make of one call.
type effects struct {
	Work
	Reads
	Lag
	latency, jitter   time.Duration
	throttle          float64
	throttledBy       int // the rule
	error, message    string
	status            int
	reset             string
	fail, failMessage string
	half              bool
	vanish, stuck     bool
	hook              string
	list              ListKind
	page              int
	gaps              bool
}

// effects finds those of a call, and counts it for the rules that it fits.
func (s *Sandbox) effects(call Call) *effects {
	fx := &effects{Work: s.o.Work, Reads: s.o.Reads, Lag: s.o.Lag, latency: s.o.Latency, jitter: s.o.Jitter, page: s.o.PageSize}
	if s.o.Faults == nil {
		return fx
	}
	for i := range s.o.Faults.Rules {
		r := &s.o.Faults.Rules[i]
		if !r.fits(call) {
			continue
		}
		s.mu.Lock()
		s.fitted[i]++
		n := s.fitted[i]
		s.mu.Unlock()
		if r.meant(n, i, s.o.Faults.Seed) {
			r.affect(fx, i)
		}
	}
	return fx
}

func (r *Rule) fits(c Call) bool {
	return r.Operation.fit(c.Operation) && r.Type.fit(c.Type) && r.Identifier.fit(c.Identifier) && r.Account.fit(c.Account) && r.Region.fit(c.Region)
}

// meant reports whether the n-th of the calls that a rule fits is one that it
// is about.
func (r *Rule) meant(n, rule, seed int) bool {
	if len(r.Calls) > 0 {
		found := false
		for _, c := range r.Calls {
			found = found || c == n
		}
		if !found {
			return false
		}
	}
	if r.First > 0 && n > r.First || n <= r.After || r.Every > 0 && n%r.Every != 0 {
		return false
	}
	return r.Probability == 0 || dice("fault", strconv.Itoa(seed), strconv.Itoa(rule), strconv.Itoa(n)).Float64() < r.Probability
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

func put[T comparable](to *T, from T) {
	var zero T
	if from != zero {
		*to = from
	}
}

func setFor(to *time.Duration, from *Duration) {
	if from != nil {
		*to = time.Duration(*from)
	}
}

func (r *Rule) affect(fx *effects, rule int) {
	fx.latency += time.Duration(r.Latency)
	fx.jitter += time.Duration(r.Jitter)
	if r.Throttle > 0 {
		fx.throttle, fx.throttledBy = r.Throttle, rule
	}
	if r.Error != "" {
		fx.error, fx.message = r.Error, r.Message
	}
	if r.Fail != "" {
		fx.fail, fx.failMessage = r.Fail, r.Message
	}
	if r.Hook != "" {
		fx.hook, fx.failMessage = r.Hook, "Hook failed"
		put(&fx.fail, firstText(r.Fail, "GeneralServiceException"))
	}
	put(&fx.status, r.Status)
	put(&fx.reset, r.Reset)
	put(&fx.half, r.HalfMade)
	put(&fx.vanish, r.Vanish)
	put(&fx.stuck, r.Stuck)
	if r.HalfMade {
		fx.fail = firstText(fx.fail, "NotStabilized")
	}
	setFor(&fx.Pending, r.Pending)
	setFor(&fx.Delay, r.Delay)
	setFor(&fx.RetryAfter, r.RetryAfter)
	set(&fx.Polls, r.Polls)
	set(&fx.AtOnce, r.AtOnce)
	set(&fx.LateIdentifier, r.LateIdentifier)
	set(&fx.Early, r.Early)
	set(&fx.Reorder, r.Reorder)
	set(&fx.Defaults, r.Defaults)
	set(&fx.EmptyArrays, r.EmptyArrays)
	set(&fx.Transform, r.Transform)
	set(&fx.PolicyText, r.PolicyText)
	set(&fx.SystemTags, r.SystemTags)
	put(&fx.list, listKinds[r.List])
	put(&fx.page, r.PageSize)
	put(&fx.gaps, r.EmptyPages)
	set(&fx.Lag.Reads, r.UnseenReads)
	set(&fx.Lag.Lists, r.UnseenLists)
	setFor(&fx.ReadsFor, r.UnseenReadsFor)
	setFor(&fx.ListsFor, r.UnseenListsFor)
}

var listKinds = map[string]ListKind{"thin": Thin, "partial": Partial, "full": Full}

func firstText(texts ...string) string {
	for _, s := range texts {
		if s != "" {
			return s
		}
	}
	return ""
}

// fit reports whether a name is one of some patterns; all are, if there are none.
func (ns Names) fit(name string) bool {
	return len(ns) == 0 || slices.ContainsFunc(ns, func(pattern string) bool { return fits(pattern, name) })
}

// fits matches a pattern in which * stands for anything and ? for one character.
func fits(pattern, name string) bool {
	for i := range len(pattern) {
		switch c := pattern[i]; {
		case c == '*':
			for j := len(name); j >= i; j-- {
				if fits(pattern[i+1:], name[j:]) {
					return true
				}
			}
			return false
		case i >= len(name) || c != '?' && c != name[i]:
			return false
		}
	}
	return len(name) == len(pattern)
}

// pause is the time that a call to another service takes.
func (s *Sandbox) pause(ctx context.Context) bool {
	fx := effects{latency: s.o.Latency, jitter: s.o.Jitter}
	return fx.wait(ctx)
}

// wait is the time that a call takes. It is false when the caller gave up.
func (fx *effects) wait(ctx context.Context) bool {
	d := fx.latency
	if fx.jitter > 0 {
		d += rand.N(fx.jitter)
	}
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// throttled reports whether an account has used up its calls in a region: those
// of the sandbox, or those that a rule allows.
func (s *Sandbox) throttled(c caller, fx *effects) bool {
	return s.o.Throttle > 0 && !s.allow(c.account+c.region, s.o.Throttle) ||
		fx.throttle > 0 && !s.allow(c.account+c.region+strconv.Itoa(fx.throttledBy), fx.throttle)
}

func (s *Sandbox) allow(key string, perSecond float64) bool {
	s.mu.Lock()
	l := s.limiters[key]
	if l == nil {
		l = rate.NewLimiter(rate.Limit(perSecond), max(1, int(perSecond)))
		s.limiters[key] = l
	}
	s.mu.Unlock()
	return l.AllowN(s.clock(), 1)
}

// breakOff ends a connection without an answer, as a reset where that can be done.
func breakOff(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	conn.Close()
}

// serverFaults are the exceptions that are the service's own fault.
var serverFaults = []string{"ConcurrentModificationException", "HandlerFailureException", "HandlerInternalFailureException", "NetworkFailureException", "ServiceInternalErrorException"}

// exceptions are the codes of Cloud Control's answers.
var exceptions = append([]string{"AccessDeniedException", "AlreadyExistsException", "ClientTokenConflictException", "ConcurrentOperationException", "GeneralServiceException",
	"InvalidCredentialsException", "InvalidRequestException", "NotStabilizedException", "NotUpdatableException", "PrivateTypeException", "RequestTokenNotFoundException",
	"ResourceConflictException", "ResourceNotFoundException", "ServiceLimitExceededException", "ThrottlingException", "TypeNotFoundException", "UnsupportedActionException",
	"ValidationException"}, serverFaults...)

// handlerCodes are those of FAILED events.
var handlerCodes = []string{"AccessDenied", "AlreadyExists", "GeneralServiceException", "InternalFailure", "InvalidCredentials", "InvalidRequest", "NetworkFailure", "NotFound",
	"NotStabilized", "NotUpdatable", "ResourceConflict", "ServiceInternalError", "ServiceLimitExceeded", "ServiceTimeout", "Throttling", "UnauthorizedTaggingOperation"}
