//go:build unix

// Command bench measures skyql against what a person would write by hand, on
// the same stand-in service, in the same run, turn by turn. It prints ratios:
// seconds of one machine say little.
//
//	go run ./bench                    every case
//	go run ./bench -only hydrate      one
//	go run ./bench -peer 'other query {sql}'   another program beside it
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A bench is one line of the table: a statement, and the yardstick for it.
type bench struct {
	name     string
	what     string
	sandbox  []string // flags of the service; nil: none is needed
	world    func(w io.Writer) error
	faults   string   // of the service: a TOML file's text
	flags    []string // of skyql query
	sql      string
	bare     []string // the yardstick's command line
	budget   float64  // ratio at most
	memory   int64    // bytes resident at most; 0: any
	runs     int      // fewer than usual, for slow ones
	server   bool     // skyql is a server, which a client asks
	sessions int      // of the client
	want     string   // that the result must hold
	bareWant string   // and the yardstick's
	// ideal is the time that a service that refuses calls would need at least;
	// it takes the yardstick's place.
	ideal time.Duration
}

const hydrate = "SELECT count(*), sum(delay_seconds) FROM aws.sqs.queues WHERE region = 'us-east-1'"

// regions17 are as many regions as an account has enabled by default.
var regions17 = []string{"ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1", "ap-southeast-1", "ap-southeast-2", "ca-central-1", "eu-central-1", "eu-north-1",
	"eu-west-1", "eu-west-2", "eu-west-3", "sa-east-1", "us-east-1", "us-east-2", "us-west-1", "us-west-2"}

const list = "SELECT count(*) AS n, count(DISTINCT queue_url) AS urls FROM aws.sqs.queues"

var cases = []bench{
	{name: "start", what: "SELECT 1, whole process", sql: "SELECT 1", bare: []string{"bareduck"}, budget: 1.6, want: "1"},
	{name: "get", what: "one Get, 0 ms", sandbox: []string{}, sql: "SELECT name, value FROM aws.ssm.parameter WHERE region = 'us-east-1' AND identifier = '/payments/dev/setting-0002'",
		bare: []string{"bareduck"}, budget: 2.5, want: "/payments/dev/setting-0002"},
	{name: "hydrate", what: "list and get 1,000, 50 ms", sandbox: []string{"--latency", "50ms", "--page-size", "100"}, world: queues(1000, 1, "us-east-1"), sql: hydrate, bare: []string{"barecloud", "-type", "AWS::SQS::Queue"},
		budget: 1.15, memory: 100 << 20, want: "1000", bareWant: "1000"},
	{name: "hydrate0", what: "list and get 1,000, 0 ms", sandbox: []string{"--page-size", "100"}, world: queues(1000, 1, "us-east-1"), sql: hydrate, bare: []string{"barecloud", "-type", "AWS::SQS::Queue"}, budget: 1.5, want: "1000", bareWant: "1000"},
	{name: "hydrate10k", what: "list and get 10,000, 50 ms", sandbox: []string{"--latency", "50ms", "--page-size", "100"}, world: queues(10_000, 1, "us-east-1"), sql: hydrate,
		bare: []string{"barecloud", "-type", "AWS::SQS::Queue"}, budget: 1.15, runs: 3, want: "10000", bareWant: "10000"},
	{name: "count", what: "count 1,000, 50 ms", sandbox: []string{"--latency", "50ms", "--page-size", "100"}, world: queues(1000, 1, "us-east-1"), sql: "SELECT count(*) FROM aws.sqs.queues",
		bare: []string{"barecloud", "-type", "AWS::SQS::Queue", "-get=false"}, budget: 1.3, want: "1000", bareWant: "1000"},
	{name: "limit", what: "LIMIT 5 of 1,000, 50 ms; the loop lists all", sandbox: []string{"--latency", "50ms", "--page-size", "100"}, world: queues(1000, 1, "us-east-1"), sql: "SELECT * FROM aws.sqs.queues LIMIT 5",
		bare: []string{"barecloud", "-type", "AWS::SQS::Queue", "-get=false"}, budget: 0.5, want: "queue-", bareWant: "1000"},
	{name: "throttle", what: "list and get 1,000 at 40 calls/s", sandbox: []string{"--latency", "50ms", "--page-size", "100", "--throttle", "40"}, world: queues(1000, 1, "us-east-1"), sql: hydrate,
		ideal: (1010 - 40) * time.Second / 40, budget: 1.05, runs: 3, want: "1000"},
	{name: "accounts", what: "100 accounts × 17 regions, 20 ms", sandbox: []string{"--latency", "20ms"}, world: queues(3, 100, regions17...), sql: list,
		flags: []string{"--accounts", accountIDs(100), "--regions", strings.Join(regions17, ","), "--assume-role", "sandbox"},
		bare:  []string{"barecloud", "-type", "AWS::SQS::Queue", "-get=false", "-accounts", accountIDs(100), "-regions", strings.Join(regions17, ",")}, budget: 1.2, runs: 5, want: "5100", bareWant: "5100"},
	{name: "create", what: "create 200 queues, 50 ms and 1 s of work each", sandbox: []string{"--latency", "50ms"}, faults: "[[rule]]\noperation = \"CreateResource\"\ndelay = \"1s\"\n",
		flags: []string{"--yes", "--max-changes", "200"}, sql: "INSERT INTO aws.sqs.queues (queue_name) SELECT 'ours-' || (random() * 1e9)::BIGINT || '-' || i FROM range(200) r(i)",
		bare: []string{"barecloud", "-create", "200"}, budget: 1.3, runs: 5, bareWant: "200"},
	{name: "million", what: "list 1,000,000, 0 ms", sandbox: []string{"--page-size", "100"}, world: queues(1_000_000, 1, "us-east-1"), sql: list,
		bare: []string{"barecloud", "-type", "AWS::SQS::Queue", "-get=false"}, budget: 3, memory: 1 << 30, runs: 1, want: "1000000,1000000", bareWant: "1000000"},
	{name: "wire", what: "1,000,000 rows of 5 columns to a PostgreSQL client", server: true, sql: million, bare: []string{"bareduck", million}, budget: 1.5, want: "1000000", bareWant: "1000000", runs: 5},
	{name: "sessions", what: "100 sessions, a statement in each, all open", server: true, sessions: 100, sql: "SELECT 1", bare: []string{"bareduck", "-open", "100", "SELECT 1"}, budget: 1.5, memory: 100*6<<20 + 60<<20, want: "100", bareWant: "100", runs: 5},
}

const million = "SELECT x, 'text ' || x AS t, x / 3.0 AS d, x % 2 = 0 AS b, DATE '2026-01-01' + (x % 1000)::INT AS day FROM range(1000000) r(x)"

func main() {
	runs := flag.Int("runs", 11, "runs of each program")
	only := flag.String("only", "", "name of one case")
	peer := flag.String("peer", "", "command of another program, {sql} and {endpoint} in it are replaced; its time is a column of its own")
	flag.Parse()
	if err := run(*runs, *only, *peer); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(runs int, only, peer string) error {
	dir, err := os.MkdirTemp("", "skyql-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if out, err := exec.Command("go", "build", "-o", dir+"/", "./bench/bareduck", "./bench/barecloud", "./bench/barewire", "./cmd/skyql").CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w\n%s", err, out)
	}
	head := "| case | what | skyql | yardstick | ratio | budget | calls | resident |"
	rule := "|---|---|---|---|---|---|---|---|"
	if peer != "" {
		head, rule = head+" peer | its ratio |", rule+"---|---|"
	}
	fmt.Println(head)
	fmt.Println(rule)
	for _, b := range cases {
		if only != "" && b.name != only {
			continue
		}
		n := runs
		if b.runs > 0 {
			n = min(n, b.runs)
		}
		if err := b.run(dir, n, peer); err != nil {
			return fmt.Errorf("%s: %w", b.name, err)
		}
	}
	return nil
}

// run measures one case and prints its line.
func (b bench) run(dir string, runs int, peer string) error {
	env := slices.Concat(os.Environ(), []string{"SKYQL_CACHE_DIR=" + dir + "/cache", "SKYQL_CONFIG_DIR=" + dir + "/config", "SKYQL_STATE_DIR=" + dir + "/state",
		"AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY=dummy", "AWS_REGION=us-east-1", "AWS_EC2_METADATA_DISABLED=true"})
	endpoint := ""
	if b.sandbox != nil {
		flags := b.sandbox
		if b.world != nil {
			path := filepath.Join(dir, b.name+".json")
			f, err := os.Create(path)
			if err == nil {
				err = errors.Join(b.world(f), f.Close())
			}
			if err != nil {
				return err
			}
			flags = append(slices.Clone(flags), "--world", path)
		}
		if b.faults != "" {
			path := filepath.Join(dir, b.name+".toml")
			if err := os.WriteFile(path, []byte(b.faults), 0o600); err != nil {
				return err
			}
			flags = append(slices.Clone(flags), "--faults", path)
		}
		url, stop, err := serve(dir, flags, env)
		if err != nil {
			return err
		}
		defer stop()
		endpoint = url
		env = append(env, "AWS_ENDPOINT_URL="+endpoint)
	}
	ours := slices.Concat([]string{dir + "/skyql", "query", "--format", "csv"}, b.flags, []string{b.sql})
	var ofServer func() int64 // memory
	if b.server {
		addr, pid, stop, err := start(dir+"/skyql", []string{"server", "--listen", "127.0.0.1:0", "--sandbox", "--max-sessions", "200"}, env, `server on (\S+)`)
		if err != nil {
			return err
		}
		defer stop()
		ours = []string{dir + "/barewire", "-url", "postgres://bench@" + addr + "/aws?sslmode=disable", "-sessions", fmt.Sprint(b.sessions), b.sql}
		ofServer = func() int64 { return peak(pid) }
	}
	var mine, theirs, others sample
	var calls int
	for i := range runs + 1 { // the first is to warm up
		if b.runs > 0 && i == 0 {
			continue // a slow one warms up by itself
		}
		if endpoint != "" {
			if _, err := http.Post(endpoint+"/_sandbox/reset-calls", "", nil); err != nil {
				return err
			}
		}
		m, err := measure(ours, env, b.want)
		if err != nil {
			return err
		}
		if endpoint != "" {
			if calls, err = counted(endpoint); err != nil {
				return err
			}
		}
		t, err := b.yardstick(dir, env)
		if err != nil {
			return err
		}
		if ofServer != nil {
			m.resident = ofServer()
		}
		if i > 0 {
			mine, theirs = append(mine, m), append(theirs, t)
		}
		if peer != "" {
			o, err := other(peer, b.sql, endpoint, env)
			if err != nil {
				return err
			}
			if i > 0 {
				others = append(others, o)
			}
		}
	}
	b.print(mine, theirs, others, calls)
	return nil
}

// yardstick runs what skyql is measured against.
func (b bench) yardstick(dir string, env []string) (reading, error) {
	if b.ideal > 0 {
		return reading{took: b.ideal}, nil
	}
	return measure(append([]string{filepath.Join(dir, b.bare[0])}, b.bare[1:]...), env, b.bareWant)
}

// other runs another program: {sql} and {endpoint} in its command are replaced.
func other(command, sql, endpoint string, env []string) (reading, error) {
	words := strings.Fields(command)
	for j := range words {
		words[j] = strings.NewReplacer("{sql}", sql, "{endpoint}", endpoint).Replace(words[j])
	}
	return measure(words, env, "")
}

func (b bench) print(mine, theirs, others sample, calls int) {
	resident := fmt.Sprintf("%d MB", mine.resident()>>20)
	if b.memory > 0 {
		resident += fmt.Sprintf(" (≤ %d)", b.memory>>20)
	}
	line := fmt.Sprintf("| %s | %s | %s | %s | **%.2f** | ≤ %.2f | %d | %s |", b.name, b.what, mine, theirs, mine.median().Seconds()/theirs.median().Seconds(), b.budget, calls, resident)
	if len(others) > 0 {
		line += fmt.Sprintf(" %s | %.2f |", others, others.median().Seconds()/theirs.median().Seconds())
	}
	fmt.Println(line)
}

// serve starts a sandbox as a process of its own.
func serve(dir string, flags, env []string) (url string, stop func(), err error) {
	url, _, stop, err = start(dir+"/skyql", append([]string{"sandbox", "--listen", "127.0.0.1:0"}, flags...), env, `(http://\S+)`)
	return url, stop, err
}

// start starts a process that says on its first line where it listens.
func start(program string, args, env []string, where string) (addr string, pid int, stop func(), err error) {
	cmd := exec.Command(program, args...)
	cmd.Env = env
	out, err := cmd.StderrPipe()
	if err != nil {
		return "", 0, nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", 0, nil, err
	}
	stop = func() {
		cmd.Process.Signal(os.Interrupt)
		cmd.Wait()
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	m := regexp.MustCompile(where).FindStringSubmatch(line)
	if err != nil || m == nil {
		stop()
		return "", 0, nil, fmt.Errorf("%s said %q: %w", args[0], line, err)
	}
	return m[1], cmd.Process.Pid, stop, nil
}

// peak is the most that a process has had resident, in bytes; 0 where the
// system doesn't tell.
func peak(pid int) int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	m := regexp.MustCompile(`VmHWM:\s*(\d+) kB`).FindSubmatch(status)
	if m == nil {
		return 0
	}
	kb, err := strconv.ParseInt(string(m[1]), 10, 64)
	if err != nil {
		return 0
	}
	return kb << 10
}

func counted(endpoint string) (int, error) {
	r, err := http.Get(endpoint + "/_sandbox/calls")
	if err != nil {
		return 0, err
	}
	defer r.Body.Close()
	byOp := map[string]int{}
	if err := json.NewDecoder(r.Body).Decode(&byOp); err != nil {
		return 0, err
	}
	n := 0
	for op, calls := range byOp {
		if strings.Contains(op, "Resource") { // those of Cloud Control, not of STS and its like
			n += calls
		}
	}
	return n, nil
}

// A reading is one run of a process.
type reading struct {
	took     time.Duration
	resident int64 // bytes, at most
}

type sample []reading

func (s sample) median() time.Duration {
	var all []time.Duration
	for _, r := range s {
		all = append(all, r.took)
	}
	slices.Sort(all)
	return all[len(all)/2]
}

func (s sample) resident() int64 {
	var most int64
	for _, r := range s {
		most = max(most, r.resident)
	}
	return most
}

func (s sample) String() string {
	return fmt.Sprintf("%.0f ms", float64(s.median().Microseconds())/1000)
}

func measure(command, env []string, want string) (reading, error) {
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = env
	var stderr strings.Builder
	cmd.Stderr = &stderr
	start := time.Now()
	out, err := cmd.Output()
	took := time.Since(start)
	if err != nil {
		return reading{}, fmt.Errorf("%s: %w\n%s", command[0], err, stderr.String())
	}
	if !strings.Contains(string(out), want) {
		return reading{}, fmt.Errorf("%s gave\n%s\nwithout %q", command[0], out, want)
	}
	use, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return reading{}, errors.New("no resource usage on this system")
	}
	return reading{took, use.Maxrss << 10}, nil
}
