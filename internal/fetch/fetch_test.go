package fetch_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skyql/skyql/internal/catalog"
	"github.com/skyql/skyql/internal/cloudcontrol"
	"github.com/skyql/skyql/internal/fetch"
	"github.com/skyql/skyql/internal/plan"
)

const (
	mine  = "111122223333"
	other = "444455556666"
	here  = "us-east-1"
)

// A cloud stands in for Cloud Control: in memory, on the bubble's clock, with
// the faults that a test asks for.
type cloud struct {
	latency  time.Duration
	pageSize int                // 0: all on one page
	rates    map[string]float64 // by type: calls a second that are let through
	burst    float64            // calls that are let through at once, after a while of none
	thin     bool               // lists tell identifiers alone
	under    func(d document, model map[string]string) bool
	// fault may refuse a call; try counts the calls of an operation on the
	// same thing, from 1.
	fault func(c callInfo) error

	mu       sync.Mutex
	docs     []document
	calls    []callInfo
	tries    map[callInfo]int
	inflight int
	most     int
	buckets  map[string]*bucket
}

type document struct{ account, region, typ, id, properties string }

type callInfo struct {
	op, typ, account, region string
	id                       string // or the list's model and token
	try                      int
}

// A bucket lets a rate of calls a second through, and saves up to a burst of
// them that were not made.
type bucket struct {
	tokens float64
	at     time.Time
}

func (c *cloud) add(account, region, typ string, ids ...string) {
	for _, id := range ids {
		c.docs = append(c.docs, document{account, region, typ, id, fmt.Sprintf(`{"QueueUrl":%q,"DelaySeconds":1}`, id)})
	}
}

func (c *cloud) begin(ctx context.Context, i callInfo) error {
	c.mu.Lock()
	if c.tries == nil {
		c.tries = map[callInfo]int{}
	}
	c.tries[i]++
	i.try = c.tries[i]
	c.calls = append(c.calls, i)
	c.inflight++
	c.most = max(c.most, c.inflight)
	refused := c.full(i)
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		c.inflight--
		c.mu.Unlock()
	}()
	select {
	case <-time.After(c.latency):
	case <-ctx.Done():
		return ctx.Err()
	}
	if refused {
		return fail(i, "ThrottlingException", "")
	}
	if c.fault != nil {
		return c.fault(i)
	}
	return nil
}

// full takes a token of a type's bucket. The caller holds mu.
func (c *cloud) full(i callInfo) bool {
	rate := c.rates[i.typ]
	if rate == 0 {
		return false
	}
	now := time.Now()
	key := i.typ + i.account + i.region
	if c.buckets == nil {
		c.buckets = map[string]*bucket{}
	}
	b := c.buckets[key]
	if b == nil {
		b = &bucket{tokens: c.burst, at: now}
		c.buckets[key] = b
	}
	b.tokens = min(c.burst, b.tokens+rate*now.Sub(b.at).Seconds())
	b.at = now
	if b.tokens < 0.999 {
		return true
	}
	b.tokens--
	return false
}

func fail(i callInfo, code, message string) error {
	return cloudcontrol.Fault(cloudcontrol.Error{Op: i.op, Type: i.typ, Identifier: i.id, Account: i.account, Region: i.region, Code: code, Message: message})
}

// count is how many calls of an operation there were, on a type if one is named.
func (c *cloud) count(op, typ string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, i := range c.calls {
		if i.op == op && (typ == "" || typ == i.typ) {
			n++
		}
	}
	return n
}

type client struct {
	*cloud
	account, region string
}

func (c client) Get(ctx context.Context, typ, id string) (cloudcontrol.Document, error) {
	i := callInfo{op: "GetResource", typ: typ, account: c.account, region: c.region, id: id}
	if err := c.begin(ctx, i); err != nil {
		return cloudcontrol.Document{}, err
	}
	for _, d := range c.docs {
		if d.typ == typ && d.account == c.account && d.region == c.region && (d.id == id || "arn:"+d.id == id) {
			return cloudcontrol.Document{Identifier: d.id, Properties: json.RawMessage(d.properties)}, nil
		}
	}
	return cloudcontrol.Document{}, fail(i, "ResourceNotFoundException", "gone")
}

func (c client) List(ctx context.Context, typ string, model json.RawMessage, token string) (cloudcontrol.Page, error) {
	i := callInfo{op: "ListResources", typ: typ, account: c.account, region: c.region, id: string(model) + token}
	if err := c.begin(ctx, i); err != nil {
		return cloudcontrol.Page{}, err
	}
	var given map[string]string
	if len(model) > 0 {
		if err := json.Unmarshal(model, &given); err != nil {
			return cloudcontrol.Page{}, err
		}
	}
	var all []cloudcontrol.Document
	for _, d := range c.docs {
		if d.typ == typ && d.account == c.account && d.region == c.region && (c.under == nil || c.under(d, given)) {
			text := d.properties
			if c.thin {
				text = "{}"
			}
			all = append(all, cloudcontrol.Document{Identifier: d.id, Properties: json.RawMessage(text)})
		}
	}
	from := 0
	fmt.Sscan(token, &from)
	if c.pageSize == 0 || from+c.pageSize >= len(all) {
		return cloudcontrol.Page{Documents: all[from:]}, nil
	}
	return cloudcontrol.Page{Documents: all[from : from+c.pageSize], Next: fmt.Sprint(from + c.pageSize)}, nil
}

func (c *cloud) fetcher(parallel int) *fetch.Fetcher {
	return fetch.New(fetch.Options{Catalog: catalog.Embedded(), Parallel: parallel,
		Client: func(_ context.Context, account, region string) (fetch.Client, error) {
			return client{c, account, region}, nil
		}})
}

// rows is a Sink that keeps what comes.
type rows struct {
	got     []fetch.Row
	batches int
	after   func() error // each batch
}

func (r *rows) Add(_ context.Context, _ *catalog.Table, got []fetch.Row) error {
	r.got = append(r.got, got...)
	r.batches++
	if r.after != nil {
		return r.after()
	}
	return nil
}

// ids are the identifiers that came, sorted; one that came twice is there twice.
func (r *rows) ids() []string {
	var out []string
	for _, g := range r.got {
		out = append(out, g.Identifier)
	}
	slices.Sort(out)
	return out
}

func table(t testing.TB, typ string) *catalog.Table {
	t.Helper()
	out, err := catalog.Embedded().Table(typ)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// scan asks for columns of a type in some boxes; no box: everything.
func scan(t testing.TB, typ string, columns []string, boxes ...plan.Box) *plan.Scan {
	t.Helper()
	s := &plan.Scan{Table: table(t, typ), Boxes: boxes}
	if boxes == nil {
		s.Boxes = []plan.Box{{}}
	}
	for _, c := range columns {
		i, ok := s.Table.Column(c)
		if !ok {
			t.Fatalf("%s has no column %s", typ, c)
		}
		s.Columns = append(s.Columns, i)
	}
	return s
}

func scope(accounts []string, regions ...string) fetch.Scope {
	return fetch.Scope{Accounts: accounts, Regions: func(string) []string { return regions }}
}

var one = scope([]string{mine}, here)

const (
	queue = "AWS::SQS::Queue"
	topic = "AWS::SNS::Topic"
)

var delay = []string{"DelaySeconds"}

func names(prefix string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("%s%05d", prefix, i)
	}
	return out
}

func run(t testing.TB, c *cloud, q fetch.Request) (*rows, fetch.Report, error) {
	t.Helper()
	got := &rows{}
	if q.Sink == nil {
		q.Sink = got
	}
	if q.Scope.Accounts == nil {
		q.Scope = one
	}
	report, err := c.fetcher(0).Run(t.Context(), q)
	return got, report, err
}

// What a scan costs: lists by page, and a get for each row that the list
// doesn't tell.
func TestCalls(t *testing.T) {
	t.Parallel()
	check := func(c *cloud, s *plan.Scan, lists, gets, want int) {
		t.Helper()
		c.add(mine, here, queue, names("q", 7)...)
		got, report, err := run(t, c, fetch.Request{Scans: []*plan.Scan{s}})
		if err != nil {
			t.Fatal(err)
		}
		if l, g := c.count("ListResources", ""), c.count("GetResource", ""); l != lists || g != gets || report.Calls() != l+g || len(got.got) != want {
			t.Errorf("%d lists, %d gets, %d calls counted, %d rows; want %d, %d, %d", l, g, report.Calls(), len(got.got), lists, gets, want)
		}
		if ids := got.ids(); len(slices.Compact(ids)) != want {
			t.Errorf("rows come again: %v", got.ids())
		}
	}
	check(&cloud{}, scan(t, queue, delay), 1, 0, 7)
	check(&cloud{pageSize: 2}, scan(t, queue, delay), 4, 0, 7)
	check(&cloud{pageSize: 1}, scan(t, queue, delay), 7, 0, 7)
	check(&cloud{thin: true}, scan(t, queue, delay), 1, 7, 7)
	check(&cloud{thin: true}, scan(t, queue, nil), 1, 0, 7)
	check(&cloud{thin: true}, scan(t, queue, []string{"QueueUrl"}), 1, 0, 7) // the identifier
	check(&cloud{}, scan(t, queue, delay, plan.Box{Identifiers: plan.NewSet("q00001", "q00003", "nosuch")}), 0, 3, 2)
	check(&cloud{}, scan(t, queue, delay, plan.Box{Identifiers: plan.NewSet("q00001")}, plan.Box{Identifiers: plan.NewSet("q00001", "q00002")}), 0, 2, 2)
	check(&cloud{}, scan(t, queue, delay, plan.Box{}, plan.Box{Identifiers: plan.NewSet("q00001")}), 1, 1, 7)
	check(&cloud{}, scan(t, queue, delay, plan.Box{Identifiers: plan.NewSet()}), 0, 0, 0)
	check(&cloud{}, scan(t, queue, delay, plan.Box{Regions: plan.NewSet("eu-west-1")}), 1, 0, 0)
	check(&cloud{thin: true, pageSize: 2}, scan(t, queue, delay, plan.Box{Limit: 3}), 2, 3, 3)
	check(&cloud{thin: true, pageSize: 2}, scan(t, queue, nil, plan.Box{Limit: 1}), 1, 0, 1)
}

// Keys that the list of a type needs come from its parents' rows, and each
// parent is listed once.
func TestParents(t *testing.T) {
	t.Parallel()
	const group, cluster = "AWS::EKS::Nodegroup", "AWS::EKS::Cluster"
	c := &cloud{under: func(d document, model map[string]string) bool {
		return d.typ != group || strings.HasPrefix(d.id, model["ClusterName"]+"|")
	}}
	c.add(mine, here, cluster, "blue", "green")
	c.add(mine, here, group, "blue|a", "blue|b", "green|a")
	check := func(gone string, want ...string) {
		t.Helper()
		c.calls, c.tries = nil, nil
		c.fault = func(i callInfo) error {
			if i.typ == group && strings.Contains(i.id, gone) {
				return fail(i, "ResourceNotFoundException", "No cluster found for name: "+gone)
			}
			return nil
		}
		got, _, err := run(t, c, fetch.Request{Scans: []*plan.Scan{scan(t, group, nil), scan(t, cluster, nil)}})
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(want)
		if !slices.Equal(got.ids(), want) {
			t.Errorf("got %v, want %v", got.ids(), want)
		}
		if n := c.count("ListResources", cluster); n != 1 {
			t.Errorf("the clusters were listed %d times", n)
		}
	}
	check("none", "blue", "green", "blue|a", "blue|b", "green|a")
	check("green", "blue", "green", "blue|a", "blue|b") // it went between the two lists
}

// What each error leads to: how often the call is made, and what of it.
func TestRetries(t *testing.T) {
	t.Parallel()
	check := func(code string, failures, calls int, works bool) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			c := &cloud{thin: true, fault: func(i callInfo) error {
				if i.op == "GetResource" && i.try <= failures {
					return fail(i, code, "")
				}
				return nil
			}}
			c.add(mine, here, queue, "a", "b")
			got, report, err := run(t, c, fetch.Request{Scans: []*plan.Scan{scan(t, queue, delay, plan.Box{Identifiers: plan.NewSet("a")})}})
			if works && (err != nil || !slices.Equal(got.ids(), []string{"a"})) {
				t.Errorf("%s ×%d: got %v, %v", code, failures, got.ids(), err)
			}
			var e *cloudcontrol.Error
			if !works && (!errors.As(err, &e) || e.Code != code || len(got.got) > 0) {
				t.Errorf("%s ×%d: got %v, %v", code, failures, got.ids(), err)
			}
			if n := c.count("GetResource", ""); n != calls || report.Stats[0].Retries != calls-1 {
				t.Errorf("%s ×%d: %d calls, %d of them retries, want %d", code, failures, n, report.Stats[0].Retries, calls)
			}
		})
	}
	check("ThrottlingException", 20, 21, true)
	check("TooManyRequestsException", 1, 2, true)
	check("ServiceInternalErrorException", 11, 12, true)
	check("ServiceInternalErrorException", 12, 12, false)
	check("NetworkFailureException", 3, 4, true)
	check("HandlerFailureException", 3, 4, true)
	check("HandlerInternalFailureException", 2, 3, true)
	check("HandlerInternalFailureException", 3, 3, false)
	check("GeneralServiceException", 1, 2, true)
	check("GeneralServiceException", 2, 2, false)
	check("AccessDeniedException", 1, 1, false)
	check("InvalidRequestException", 1, 1, false)
}

// A service that never has room is given up after the time that a call may take.
func TestThrottledForEver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &cloud{latency: 10 * time.Millisecond, fault: func(i callInfo) error { return fail(i, "ThrottlingException", "") }}
		start := time.Now()
		_, _, err := run(t, c, fetch.Request{Scans: []*plan.Scan{scan(t, queue, delay)}})
		if !errors.Is(err, cloudcontrol.ErrThrottled) {
			t.Errorf("got %v", err)
		}
		if took := time.Since(start); took < time.Minute || took > 3*time.Minute {
			t.Errorf("it took %v", took)
		}
	})
}

// A service that throttles is used as much as it bears, no row is lost, and
// others go on at their own speed.
func TestThrottled(t *testing.T) {
	t.Parallel()
	check := func(rate, burst float64, latency time.Duration, n int, least float64) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			c := &cloud{thin: true, latency: latency, rates: map[string]float64{queue: rate}, burst: burst}
			c.add(mine, here, queue, names("q", n)...)
			c.add(mine, here, topic, names("t", n)...)
			var free time.Duration
			start := time.Now()
			got := &rows{}
			got.after = func() error {
				if free == 0 && c.count("GetResource", topic) >= n {
					free = time.Since(start)
				}
				return nil
			}
			_, report, err := run(t, c, fetch.Request{Scans: []*plan.Scan{scan(t, queue, delay), scan(t, topic, []string{"DisplayName"})}, Sink: got})
			took := time.Since(start)
			if err != nil {
				t.Fatal(err)
			}
			if ids := got.ids(); len(ids) != 2*n || len(slices.Compact(ids)) != 2*n {
				t.Errorf("%d rows, %d of them new, want %d", len(ids), len(slices.Compact(ids)), 2*n)
			}
			sustained := float64(n+1) / took.Seconds() / rate
			s := report.Stats[slices.IndexFunc(report.Stats, func(s fetch.Stats) bool { return s.Table.Type == queue })]
			t.Logf("%v/s at %v, bursts of %v: %.1f%% sustained, %d of %d calls refused; the other service took %v", rate, latency, burst, 100*sustained, s.Throttled, s.Gets, free)
			if sustained < least {
				t.Errorf("at %v/s and %v, %.1f%% of it was used", rate, latency, 100*sustained)
			}
			if s.Throttled > s.Gets/3 {
				t.Errorf("at %v/s and %v, %d of %d calls were refused", rate, latency, s.Throttled, s.Gets)
			}
			if alone := time.Duration(n/32+10) * latency; free > alone {
				t.Errorf("the other service took %v, want %v", free, alone)
			}
		})
	}
	check(40, 40, 50*time.Millisecond, 1000, 0.95)
	check(40, 40, 5*time.Millisecond, 1000, 0.95)
	check(10, 10, 100*time.Millisecond, 300, 0.95)
	check(200, 200, 20*time.Millisecond, 4000, 0.95)
	check(25, 100, 200*time.Millisecond, 1000, 0.95)
	check(40, 5, 50*time.Millisecond, 1000, 0.95)
	check(40, 1, 50*time.Millisecond, 1000, 0.85) // it answers half to who asks a little too fast
}

// There are never more calls in flight than allowed, in all.
func TestParallel(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &cloud{thin: true, latency: 20 * time.Millisecond}
		var accounts []string
		for i := range 10 {
			a := fmt.Sprintf("%012d", i+1)
			accounts = append(accounts, a)
			c.add(a, here, queue, names(a+"q", 40)...)
			c.add(a, here, topic, names(a+"t", 40)...)
		}
		got := &rows{}
		_, err := c.fetcher(16).Run(t.Context(), fetch.Request{Scans: []*plan.Scan{scan(t, queue, delay), scan(t, topic, []string{"DisplayName"})}, Scope: scope(accounts, here), Sink: got})
		if err != nil || len(got.got) != 800 {
			t.Errorf("%d rows, %v", len(got.got), err)
		}
		if c.most != 16 {
			t.Errorf("%d calls were in flight, want 16", c.most)
		}
	})
}

// What can't be read is an error, or missing if that was chosen.
func TestWarn(t *testing.T) {
	t.Parallel()
	check := func(warn bool) {
		t.Helper()
		c := &cloud{fault: func(i callInfo) error {
			if i.account == other && i.region == here {
				return fail(i, "AccessDeniedException", "not authorized to perform: sqs:ListQueues")
			}
			return nil
		}}
		for _, a := range []string{mine, other} {
			for _, r := range []string{here, "eu-west-1"} {
				c.add(a, r, queue, a+r)
			}
		}
		got, report, err := run(t, c, fetch.Request{Scans: []*plan.Scan{scan(t, queue, delay)}, Scope: scope([]string{mine, other}, here, "eu-west-1"), Warn: warn})
		if !warn {
			if !errors.Is(err, cloudcontrol.ErrDenied) {
				t.Errorf("got %v", err)
			}
			return
		}
		if err != nil || !slices.Equal(got.ids(), []string{mine + "eu-west-1", mine + here, other + "eu-west-1"}) {
			t.Errorf("got %v, %v", got.ids(), err)
		}
		if len(report.Missing) != 1 || report.Missing[0].Account != other || report.Missing[0].Region != here || !errors.Is(report.Missing[0].Err, cloudcontrol.ErrDenied) {
			t.Errorf("missing %v", report.Missing)
		}
	}
	check(false)
	check(true)
}

// A type that a region doesn't have is no failure, and a region that isn't
// enabled neither: each is told once.
func TestNotOffered(t *testing.T) {
	t.Parallel()
	check := func(code, want string) {
		t.Helper()
		c := &cloud{fault: func(i callInfo) error {
			if i.region == "me-south-1" {
				return fail(i, code, "")
			}
			return nil
		}}
		c.add(mine, here, queue, "a")
		got, report, err := run(t, c, fetch.Request{Scans: []*plan.Scan{scan(t, queue, delay, plan.Box{}, plan.Box{Identifiers: plan.NewSet("x")})}, Scope: scope([]string{mine}, here, "me-south-1")})
		if err != nil || !slices.Equal(got.ids(), []string{"a"}) {
			t.Errorf("%s: got %v, %v", code, got.ids(), err)
		}
		if len(report.Notices) != 1 || report.Notices[0] != want {
			t.Errorf("%s: %q", code, report.Notices)
		}
	}
	check("TypeNotFoundException", "aws.sqs.queues is not offered in me-south-1")
	check("UnsupportedActionException", "aws.sqs.queues is not offered in me-south-1")
	check("UnrecognizedClientException", "region me-south-1 is not enabled in account 111122223333: nothing was looked for there")
}

// A list that gives a token again would never end.
func TestRepeatedToken(t *testing.T) {
	t.Parallel()
	c := &looping{cloud: &cloud{}}
	f := fetch.New(fetch.Options{Catalog: catalog.Embedded(), Client: func(context.Context, string, string) (fetch.Client, error) { return c, nil }})
	_, err := f.Run(t.Context(), fetch.Request{Scans: []*plan.Scan{scan(t, queue, delay)}, Scope: one, Sink: &rows{}})
	if !errors.Is(err, cloudcontrol.ErrUnreachable) || !strings.Contains(err.Error(), "token that it had given before") {
		t.Errorf("got %v", err)
	}
}

type looping struct {
	*cloud
	n int
}

func (l *looping) Get(context.Context, string, string) (cloudcontrol.Document, error) {
	return cloudcontrol.Document{}, errors.New("not asked for")
}

func (l *looping) List(_ context.Context, _ string, _ json.RawMessage, token string) (cloudcontrol.Page, error) {
	if l.n++; l.n > 10 {
		return cloudcontrol.Page{}, errors.New("it went on")
	}
	return cloudcontrol.Page{Next: map[string]string{"": "a", "a": "b", "b": "a"}[token]}, nil
}

// The limit of calls is kept before the first call where it can be told, and
// during the run where not.
func TestMaxCalls(t *testing.T) {
	t.Parallel()
	check := func(s *plan.Scan, most, calls, least int) {
		t.Helper()
		c := &cloud{thin: true}
		c.add(mine, here, queue, names("q", 50)...)
		_, _, err := run(t, c, fetch.Request{Scans: []*plan.Scan{s}, MaxCalls: most})
		var e *fetch.TooManyError
		if calls < 0 {
			if err != nil {
				t.Error(err)
			}
			return
		}
		if !errors.As(err, &e) || e.Calls != least || e.Most != most {
			t.Errorf("got %v, want at least %d", err, least)
		}
		if n := len(c.calls); n > calls {
			t.Errorf("%d calls were made, want at most %d", n, calls)
		}
	}
	check(scan(t, queue, delay, plan.Box{Identifiers: plan.NewSet(names("q", 50)...)}), 49, 0, 50)
	check(scan(t, queue, delay), 20, 20, 21)
	check(scan(t, queue, delay), 51, -1, 0)
}

// What was read a moment ago is taken again if its age is within what is
// wanted; what failed is not kept.
func TestCache(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &cloud{thin: true, latency: time.Millisecond}
		c.add(mine, here, queue, names("q", 3)...)
		f := c.fetcher(0)
		again := func(age time.Duration, calls int, oldest time.Duration) {
			t.Helper()
			c.calls = nil
			got := &rows{}
			report, err := f.Run(t.Context(), fetch.Request{Scans: []*plan.Scan{scan(t, queue, delay)}, Scope: one, Sink: got, MaxAge: age})
			if err != nil || len(got.got) != 3 || len(c.calls) != calls || report.Oldest.Truncate(time.Second) != oldest {
				t.Errorf("%d rows, %d calls, %v old, %v; want %d calls, %v", len(got.got), len(c.calls), report.Oldest, err, calls, oldest)
			}
		}
		again(time.Minute, 4, 0)
		again(time.Minute, 0, 0)
		time.Sleep(12 * time.Second)
		again(time.Minute, 0, 12*time.Second)
		again(10*time.Second, 4, 0)
		again(time.Minute, 0, 0)
		again(0, 4, 0)
		time.Sleep(time.Minute)
		c.fault = func(i callInfo) error { return fail(i, "AccessDeniedException", "") }
		if _, err := f.Run(t.Context(), fetch.Request{Scans: []*plan.Scan{scan(t, queue, delay)}, Scope: one, Sink: &rows{}, MaxAge: time.Second}); err == nil {
			t.Error("no error")
		}
		c.fault = nil
		again(time.Second, 4, 0)
	})
}

// Two runs that want the same at the same time ask for it once.
func TestSharedFlight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &cloud{thin: true, latency: time.Second}
		c.add(mine, here, queue, names("q", 3)...)
		f := c.fetcher(0)
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() {
				got := &rows{}
				if _, err := f.Run(t.Context(), fetch.Request{Scans: []*plan.Scan{scan(t, queue, delay)}, Scope: one, Sink: got, MaxAge: time.Minute}); err != nil || len(got.got) != 3 {
					t.Errorf("%d rows, %v", len(got.got), err)
				}
			})
		}
		wg.Wait()
		if n := len(c.calls); n != 4 {
			t.Errorf("%d calls, want 4", n)
		}
	})
}

// Once a run is cancelled it makes no call any more, and ends as soon as those
// in flight do.
func TestCancel(t *testing.T) {
	t.Parallel()
	check := func(why error) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			c := &cloud{thin: true, latency: 50 * time.Millisecond}
			c.add(mine, here, queue, names("q", 10_000)...)
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			var at time.Time
			calls := 0
			got := &rows{}
			got.after = func() error {
				if len(got.got) >= 1000 && at.IsZero() {
					at = time.Now()
					calls = c.count("GetResource", "")
					cancel(why)
				}
				return nil
			}
			_, err := c.fetcher(0).Run(ctx, fetch.Request{Scans: []*plan.Scan{scan(t, queue, delay)}, Scope: one, Sink: got})
			if !errors.Is(err, cmp.Or(why, context.Canceled)) {
				t.Errorf("got %v", err)
			}
			if at.IsZero() {
				t.Fatal("it never came so far")
			}
			if took := time.Since(at); took > 50*time.Millisecond {
				t.Errorf("it went on for %v", took)
			}
			// Those that had their turn already may be on their way.
			if n := c.count("GetResource", "") - calls; n > 64 {
				t.Errorf("%d more calls were made", n)
			}
		})
	}
	check(nil)
	check(errors.New("the user's wish"))
}

// A sink that fails ends the run, with its error.
func TestSinkFails(t *testing.T) {
	t.Parallel()
	full := errors.New("disk full")
	c := &cloud{thin: true}
	c.add(mine, here, queue, names("q", 500)...)
	got := &rows{after: func() error { return full }}
	_, _, err := run(t, c, fetch.Request{Scans: []*plan.Scan{scan(t, queue, delay)}, Sink: got})
	if !errors.Is(err, full) {
		t.Errorf("got %v", err)
	}
	if got.batches != 1 {
		t.Errorf("it was given %d batches", got.batches)
	}
}

// AWS takes other names of a resource, and answers with its identifier: that is
// the row, once, and what conditions compare with.
func TestOtherName(t *testing.T) {
	t.Parallel()
	c := &cloud{}
	c.add(mine, here, queue, "a", "b")
	got, report, err := run(t, c, fetch.Request{Scans: []*plan.Scan{scan(t, queue, delay, plan.Box{Identifiers: plan.NewSet("a", "arn:a", "arn:b")})}})
	if err != nil || !slices.Equal(got.ids(), []string{"a", "b"}) {
		t.Errorf("got %v, %v", got.ids(), err)
	}
	slices.Sort(report.Notices)
	if want := []string{"arn:a is another name of a, which conditions on the identifier of aws.sqs.queues compare with",
		"arn:b is another name of b, which conditions on the identifier of aws.sqs.queues compare with"}; !slices.Equal(report.Notices, want) {
		t.Errorf("got %q", report.Notices)
	}
}

// What is listed may be gone when it is read: that is no row, not an error.
func TestGoneMeanwhile(t *testing.T) {
	t.Parallel()
	c := &cloud{thin: true, fault: func(i callInfo) error {
		if i.op == "GetResource" && i.id == "q00003" {
			return fail(i, "ResourceNotFoundException", "gone")
		}
		return nil
	}}
	c.add(mine, here, queue, names("q", 5)...)
	check := func(box plan.Box, want ...string) {
		t.Helper()
		got, _, err := run(t, c, fetch.Request{Scans: []*plan.Scan{scan(t, queue, delay, box)}})
		if err != nil || !slices.Equal(got.ids(), want) {
			t.Errorf("got %v, %v", got.ids(), err)
		}
	}
	check(plan.Box{}, "q00000", "q00001", "q00002", "q00004")
	check(plan.Box{Limit: 4}, "q00000", "q00001", "q00002", "q00004") // the next one takes its place
}
