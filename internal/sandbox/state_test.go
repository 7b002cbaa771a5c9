package sandbox

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// kept gives a script on a sandbox that keeps its world in a file.
func kept(t *testing.T, path string, o Options) *script {
	o.State = OpenState(path, "one")
	return play(t, o)
}

func group(name string) string { return fmt.Sprintf(`{"LogGroupName":%q}`, name) }

func (s *script) groups() string {
	return strings.Join(s.s.Identifiers("111122223333", "us-east-1", logGroup), " ")
}

// What one sandbox does the other sees, at once and after a restart: resources,
// requests under way, client tokens, the names that were made up.
func TestStateIsShared(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(dir, "state", "world.log")
		a, b := kept(t, path, Options{Work: Work{Delay: time.Minute}}), kept(t, path, Options{})
		if got := a.get(logGroup, "my-log-group"); got == "" || a.groups() != "my-log-group" {
			t.Errorf("at first: %s", got)
		}
		if _, err := os.Stat(filepath.Dir(path)); err == nil {
			t.Error("a read made the folder")
		}
		a.create(logGroup, group("a"), "ClientToken", "t").want("IN_PROGRESS a")
		b.last = a.last
		b.poll().want("IN_PROGRESS a")
		b.delete(logGroup, "a")
		if b.last.code() != "ConcurrentOperationException" {
			t.Errorf("the other one does not know what is under way: %s", b.last)
		}
		time.Sleep(time.Minute)
		b.last = a.last
		b.poll().want("SUCCESS a")
		b.update(logGroup, "a", `[{"op":"add","path":"/RetentionInDays","value":3}]`).ended().want("SUCCESS a")
		b.delete(logGroup, "my-log-group").ended().want("SUCCESS my-log-group")
		b.create("AWS::EC2::VPC", `{"CidrBlock":"10.0.0.0/16"}`).ended()
		if got := a.get(logGroup, "a"); !strings.Contains(got, `"RetentionInDays":3`) || a.groups() != "a" {
			t.Errorf("a sees %s: %s", a.groups(), got)
		}
		again := kept(t, path, Options{})
		again.create(logGroup, group("a"), "ClientToken", "t").want("IN_PROGRESS a") // a replay
		again.last = a.last
		again.poll().want("SUCCESS a")
		again.create("AWS::EC2::VPC", `{"CidrBlock":"10.0.0.0/16"}`).ended()
		if ids := again.s.Identifiers("111122223333", "us-east-1", "AWS::EC2::VPC"); len(ids) != 2 || ids[0] == ids[1] {
			t.Errorf("VPCs: %v", ids)
		}
		if err := again.s.Put(Resource{logGroup, "111122223333", "us-east-1", p{"LogGroupName": "b", "RetentionInDays": 5}}); err != nil {
			t.Fatal(err)
		}
		if err := again.s.Remove("111122223333", "us-east-1", logGroup, "a"); err != nil || a.groups() != "b" {
			t.Errorf("%v: %s", err, a.groups())
		}
		for name, want := range map[string]os.FileMode{filepath.Dir(path): 0o700, path: 0o600, path + ".lock": 0o600} {
			if st, err := os.Stat(name); err != nil || runtime.GOOS != "windows" && st.Mode().Perm() != want {
				t.Errorf("%s: %v %v", name, st, err)
			}
		}
		if err := OpenState(path, "").Reset(); err != nil || a.groups() != "my-log-group" {
			t.Errorf("after a reset (%v): %s", err, a.groups())
		}
	})
}

// Many at once: every name is made once, nothing is lost.
func TestStateAtOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "world.log")
	var wg sync.WaitGroup
	var mu sync.Mutex
	made := map[string]int{}
	for range 4 {
		s := kept(t, path, Options{})
		wg.Go(func() {
			for i := range 40 {
				name := fmt.Sprintf("g%02d", i)
				a := s.end(s.call("CreateResource", members(nil, "TypeName", logGroup, "DesiredState", group(name))))
				mu.Lock()
				if a.ProgressEvent.OperationStatus == "SUCCESS" {
					made[name]++
				} else if a.ProgressEvent.ErrorCode != "AlreadyExists" {
					t.Errorf("%s: %s", name, a)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	for name, n := range made {
		if n != 1 {
			t.Errorf("%s was made %d times", name, n)
		}
	}
	if got := kept(t, path, Options{}).groups(); len(made) != 40 || len(strings.Fields(got)) != 41 {
		t.Errorf("%d made, there are %s", len(made), got)
	}
}

// A file that was cut anywhere is the world up to there, and goes on.
func TestStateTorn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "world.log")
	s := kept(t, path, Options{})
	for _, n := range []string{"a", "b", "c"} {
		s.create(logGroup, group(n))
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(text); i += 7 {
		cut := filepath.Join(dir, fmt.Sprint("cut", i))
		if err := os.WriteFile(cut, text[:i], 0o600); err != nil {
			t.Fatal(err)
		}
		whole := max(bytes.Count(text[:i], []byte("\n"))-1, 0) // less the header
		s := kept(t, cut, Options{})
		if n := len(strings.Fields(s.groups())); n != 1+whole {
			t.Fatalf("cut at %d: %d groups, want %d", i, n, 1+whole)
		}
		s.create(logGroup, group("z")).ended().want("SUCCESS z")
		if got := kept(t, cut, Options{}).groups(); !strings.HasSuffix(got, " z") || len(strings.Fields(got)) != 2+whole {
			t.Fatalf("cut at %d, then written to: %s", i, got)
		}
	}
}

// What can't be read is refused, with where and what to do.
func TestStateRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "world.log")
	s := kept(t, path, Options{})
	s.create(logGroup, group("a")).create(logGroup, group("b"))
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	check := func(text []byte, world, want string) {
		t.Helper()
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		s := New(Options{World: one(), State: OpenState(path, world)})
		if err := s.Load(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
		if a := (direct{s, "us-east-1"}).call("CreateResource", members(nil, "TypeName", logGroup, "DesiredState", group("c"))); a.status != 500 || !strings.Contains(a.Message, want) {
			t.Errorf("a create: %s", a)
		}
		if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, text) {
			t.Errorf("the file was changed (%v)", err)
		}
	}
	second := bytes.IndexByte(text, '\n') + 1
	flipped := bytes.Clone(text)
	flipped[second+40] ^= 1
	check(flipped, "one", fmt.Sprintf("world.log is damaged at byte %d: a line's checksum does not fit", second))
	check(text[second:], "one", "is damaged at byte 0: it does not begin as a state of this version does")
	check(text, "two", `keeps the world "one", not "two"`)
	check([]byte("hello\nworld\n"), "one", "is damaged at byte 0: a line has no checksum")
	// One line, or none, of somebody else's is no line that was not finished.
	for _, other := range []string{"hello", "hello\n", "7189bd9b "} {
		check([]byte(other), "one", "is damaged at byte 0: it does not begin as a state of this version does")
	}
}

// A long history is written anew as what it comes to.
func TestStateShrinks(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "world.log")
	synctest.Test(t, func(t *testing.T) {
		s, other := kept(t, path, Options{}), kept(t, path, Options{})
		for i := range minRecords / 2 {
			s.create(logGroup, group("short-lived")).delete(logGroup, "short-lived")
			if i == minRecords/4 {
				s.create(logGroup, group("lasting")).delete(logGroup, "my-log-group")
				if other.groups() != "lasting" {
					t.Errorf("the other one sees %s", other.groups())
				}
			}
		}
		long := s.s.store.state.records
		time.Sleep(recordLife)
		s.create(logGroup, group("last"), "ClientToken", "t").ended().want("SUCCESS last")
		for range 3 { // what it comes to is few records, but the requests were all young until now
			s.update(logGroup, "last", `[]`)
		}
		short := s.s.store.state.records
		if short > 20 || long < minRecords {
			t.Errorf("%d records, then %d", long, short)
		}
		for _, x := range []*script{s, other, kept(t, path, Options{})} {
			if x.groups() != "last lasting" {
				t.Errorf("there are %s", x.groups())
			}
			x.create(logGroup, group("last"), "ClientToken", "t").want("IN_PROGRESS last")
		}
	})
}

// Of very many requests the newest are remembered.
func TestManyRequests(t *testing.T) {
	t.Parallel()
	s := play(t, Options{})
	s.create(logGroup, group("first"))
	first := s.last
	for range 2*maxRequests + 2000 {
		s.update(logGroup, "first", `[]`)
	}
	s.poll().want("SUCCESS first")
	s.last = first
	if s.poll(); s.last.code() != "RequestTokenNotFoundException" {
		t.Errorf("the first one: %s", s.last)
	}
	if n := len(s.s.store.ledger.order); n < maxRequests || n > 2*maxRequests+1024 || len(s.s.store.ledger.byToken) != n {
		t.Errorf("%d requests, %d tokens", n, len(s.s.store.ledger.byToken))
	}
}

// A process that is killed leaves a world that goes on, with all that it was
// told had been done.
func TestStateKilled(t *testing.T) {
	if path := os.Getenv("SANDBOX_KILLED"); path != "" {
		s := kept(t, path, Options{})
		for i := 0; ; i++ {
			name := fmt.Sprintf("%s-%05d", os.Getenv("SANDBOX_ROUND"), i)
			if s.create(logGroup, group(name)).ended(); s.last.ProgressEvent.OperationStatus == "SUCCESS" {
				fmt.Println(name)
			}
		}
	}
	t.Parallel()
	path := filepath.Join(t.TempDir(), "world.log")
	want := map[string]bool{}
	for round := range 4 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestStateKilled$")
		cmd.Env = append(os.Environ(), "SANDBOX_KILLED="+path, fmt.Sprintf("SANDBOX_ROUND=r%d", round))
		out, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		told := make([]byte, 1<<10) // some answers, then the end
		n, _ := out.Read(told)
		cmd.Process.Kill()
		cmd.Wait()
		lines := strings.Split(string(told[:n]), "\n")
		for _, name := range lines[:len(lines)-1] {
			want[name] = true
		}
		there := kept(t, path, Options{}).groups()
		for name := range want {
			if !strings.Contains(there, name) {
				t.Errorf("round %d: %s is gone", round, name)
			}
		}
	}
	if len(want) < 4 {
		t.Errorf("%d groups were made", len(want))
	}
}
