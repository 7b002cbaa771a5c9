package change

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skyql/skyql/internal/catalog"
	"github.com/skyql/skyql/internal/cloudcontrol"
	"github.com/skyql/skyql/internal/sqlerr"
)

// written makes a journal with one set of n creations that are done.
func written(t testing.TB, dir string, n int) {
	t.Helper()
	j, err := OpenJournal(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	f := newFake(t)
	f.time = 0
	var in []Intent
	for i := range n {
		in = append(in, intent(t, logGroup, fmt.Sprintf("~%d", i), "", fmt.Sprintf(`{"LogGroupName":"g%d"}`, i)))
	}
	if r, err := (&Applier{Clouds: f.clouds, Journal: j}).Apply(t.Context(), newSet(t, in...)); err != nil || !r.Complete() {
		t.Fatal(err)
	}
}

func TestJournalTornTail(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	written(t, dir, 2)
	file := filepath.Join(dir, journalName)
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.Count(whole, []byte("\n"))
	last := bytes.LastIndexByte(whole[:len(whole)-1], '\n') + 1
	for cut := last; cut < len(whole); cut++ {
		if err := os.WriteFile(file, whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		sets, err := ReadJournal(dir)
		if err != nil || len(sets) != 1 || sets[0].Closed {
			t.Fatalf("cut at %d: %v, %v", cut, sets, err)
		}
	}
	// It is written on where it is whole.
	written(t, dir, 1)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	sets, err := ReadJournal(dir)
	if err != nil || len(sets) != 2 || !sets[1].Closed || sets[0].ID == sets[1].ID || bytes.Count(text, []byte("\n")) != lines-1+5 {
		t.Errorf("%v %v\n%s", sets, err, text)
	}
}

// Damage that is no torn tail is never passed over.
func TestJournalDamage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	written(t, dir, 2)
	file := filepath.Join(dir, journalName)
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	spoilt := bytes.Clone(whole)
	spoilt[len(spoilt)/2] ^= 1
	if err := os.WriteFile(file, spoilt, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, open := range []func() error{
		func() error { _, err := OpenJournal(dir); return err },
		func() error { _, err := ReadJournal(dir); return err },
	} {
		if err := open(); err == nil || !strings.Contains(err.Error(), "is damaged") || sqlerr.From(err).Hint == "" {
			t.Errorf("%v", err)
		}
	}
	if after, err := os.ReadFile(file); err != nil || !bytes.Equal(after, spoilt) {
		t.Error("a damaged journal was written to")
	}
	newer := encodeRecord(record{Kind: "dance", Set: "x"})
	if err := os.WriteFile(file, append(bytes.Clone(whole), newer...), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenJournal(dir); err == nil || !strings.Contains(err.Error(), `"dance": the journal is a newer skyql's`) {
		t.Errorf("a record of an unknown kind: %v", err)
	}
}

// A file that begins with no record is somebody else's, or all of it is damaged:
// it is not written over. What a crash leaves of the first record is.
func TestJournalForeign(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	written(t, dir, 1)
	file := filepath.Join(dir, journalName)
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	first := whole[:bytes.IndexByte(whole, '\n')]
	check := func(name string, text []byte, takes bool) {
		t.Helper()
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		j, err := OpenJournal(dir)
		if err == nil {
			j.Close()
		}
		after, _ := os.ReadFile(file)
		if takes && (err != nil || len(after) > 0) || !takes && (err == nil || !strings.Contains(err.Error(), "is damaged") || !bytes.Equal(after, text)) {
			t.Errorf("%s: %v, %d bytes became %d", name, err, len(text), len(after))
		}
	}
	check("nothing", nil, true)
	check("torn sum", whole[:5], true)
	check("torn record", first[:len(first)/2], true)
	check("zeros", make([]byte, 512), true)
	check("text", []byte("hello world\n"), false)
	check("diary", []byte("dear diary"), false)
	check("line ends", bytes.ReplaceAll(whole, []byte("\n"), []byte("\r\n")), false)
	check("spoilt", append([]byte("x"), whole...), false)
}

func TestJournalLock(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "state", "deep")
	j, err := OpenJournal(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := OpenJournal(dir); err == nil || sqlerr.From(err).Code != "55006" {
		t.Errorf("a second process: %v", err)
	}
	if _, err := ReadJournal(dir); err != nil {
		t.Errorf("reading needs no lock: %v", err)
	}
	for name, want := range map[string]os.FileMode{".": 0o700 | os.ModeDir, journalName: 0o600, lockName: 0o600} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || runtime.GOOS != "windows" && info.Mode() != want {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j, err = OpenJournal(dir)
	if err != nil {
		t.Fatal(err)
	}
	j.Close()
	if sets, err := ReadJournal(filepath.Join(dir, "none")); err != nil || sets != nil {
		t.Error(sets, err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenJournal(file); err == nil || !strings.Contains(err.Error(), "can't be used, so nothing is changed") {
		t.Errorf("a file for a folder: %v", err)
	}
}

// A full disk: before the first call nothing is sent; later, nothing more is.
func TestJournalDiskFull(t *testing.T) {
	t.Parallel()
	for room := range 12 {
		synctest.Test(t, func(t *testing.T) {
			dir := t.TempDir()
			j, err := OpenJournal(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer j.Close()
			disk := &fullDisk{File: j.file, room: room}
			j.file = disk
			f := newFake(t)
			var in []Intent
			for i := range 4 {
				in = append(in, intent(t, queue, fmt.Sprintf("~%d", i), "", fmt.Sprintf(`{"QueueName":"q%d"}`, i)))
			}
			r, err := (&Applier{Clouds: f.clouds, Journal: j, Parallel: 1}).Apply(t.Context(), newSet(t, in...))
			if !errors.Is(err, syscall.ENOSPC) {
				t.Fatalf("room for %d: %v", room, err)
			}
			if room == 0 && r != nil {
				t.Error("a report of a set that never began")
			}
			if sent, calls := f.calls["Create"], disk.calls(); sent != calls {
				t.Errorf("room for %d: %d calls, %d of them journaled", room, sent, calls)
			}
			if sets, err := ReadJournal(dir); err != nil || (room > 0) != (len(sets) == 1) {
				t.Errorf("room for %d: %v, %v", room, sets, err)
			}
		})
	}
}

type fullDisk struct {
	File
	mu    sync.Mutex
	room  int
	asked int
}

func (d *fullDisk) calls() int { return d.asked }

func (d *fullDisk) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.room--; d.room < 0 {
		d.File.Write(p[:len(p)/3])
		return len(p) / 3, syscall.ENOSPC
	}
	if bytes.Contains(p, []byte(`"kind":"call"`)) {
		d.asked++
	}
	return d.File.Write(p)
}

// No secret reaches the journal: not in what is sent, not in what was there,
// not in what a handler says.
func TestJournalHoldsNoSecrets(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		j, err := OpenJournal(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer j.Close()
		f := newFake(t)
		f.put(user, "u", connectUser("u", ""))
		const env = `{"FunctionName":"f","Role":"r","Environment":{"Variables":{"DB_PASSWORD":"` + hidden + `"}}}`
		f.put("AWS::Lambda::Function", "f", env)
		f.fail = func(r *fakeRequest) *cloudcontrol.Event {
			return &cloudcontrol.Event{Code: "InvalidRequest", Message: "the password " + hidden + " is too short", Hooks: []cloudcontrol.Hook{{Type: "H", Status: "HOOK_FAILED", Message: "bad: " + hidden}}}
		}
		s := newSet(t, intent(t, user, "u", connectUser("u", ""), connectUser("u", `,"Password":"`+hidden+`"`)),
			intent(t, "AWS::Lambda::Function", "f", env, strings.Replace(env, `"Role":"r"`, `"Role":"s"`, 1)),
			intent(t, "AWS::Lambda::Function", "~1", "", strings.Replace(env, `"FunctionName":"f",`, `"FunctionName":"g","Code":{"ZipFile":"`+hidden+`"},`, 1)))
		r, err := (&Applier{Clouds: f.clouds, Journal: j}).Apply(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(filepath.Join(dir, journalName))
		if err != nil || !bytes.Contains(text, []byte("too short")) || bytes.Contains(text, []byte(hidden)) || strings.Contains(fmt.Sprint(outcomes(r), r.Results[0].Hooks), hidden) {
			t.Errorf("%v %v\n%s", err, outcomes(r), text)
		}
		// What holds no secret is there byte for byte.
		if !bytes.Contains(text, []byte(`"body":"[{\"op\":\"test\",\"path\":\"/Role\",\"value\":\"r\"},{\"op\":\"add\",\"path\":\"/Role\",\"value\":\"s\"}]"`)) {
			t.Errorf("%s", text)
		}
	})
}

// What was made a moment ago, for who lists.
func TestRecent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		began := time.Now()
		written(t, dir, 2)
		sets, err := ReadJournal(dir)
		if err != nil {
			t.Fatal(err)
		}
		got := Recent(sets, Place{Sandbox: true}, began.Add(-time.Minute))
		if len(got) != 2 || got[0].Identifier != "g0" || got[0].Type != logGroup {
			t.Errorf("%+v", got)
		}
		if got := Recent(sets, Place{}, began.Add(-time.Minute)); len(got) != 0 {
			t.Errorf("of another place: %+v", got)
		}
		time.Sleep(time.Hour)
		if got := Recent(sets, Place{Sandbox: true}, time.Now().Add(-time.Minute)); len(got) != 0 {
			t.Errorf("an hour later: %+v", got)
		}
	})
}

func TestDrop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		j := journal(t)
		defer j.Close()
		f := newFake(t)
		r, err := (&Applier{Clouds: f.clouds, Journal: j, NoWait: true}).Apply(t.Context(), newSet(t, intent(t, queue, "", "", `{"QueueName":"q"}`)))
		if err != nil {
			t.Fatal(err)
		}
		h := j.Sets()[0]
		if got := h.Summary(); !strings.HasSuffix(got, "-1, 1 of 1 creates asked for") || !h.Unfinished() || r.Set.ID != h.ID {
			t.Error(got)
		}
		if err := j.Drop(h.ID); err != nil {
			t.Fatal(err)
		}
		if err := j.Drop(h.ID); err == nil || !strings.Contains(err.Error(), "nothing of change set "+h.ID+" is open") {
			t.Error(err)
		}
		if err := j.Drop("nonsense"); err == nil {
			t.Error("dropped a set that isn't there")
		}
		h, err = j.Find(h.ID)
		if err != nil || h.Unfinished() {
			t.Fatal(err, h)
		}
		s, err := h.Set(catalog.Embedded())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := (&Applier{Clouds: f.clouds, Journal: j}).Recover(t.Context(), h, s, h.Place); err == nil || !strings.Contains(err.Error(), "was dropped") {
			t.Error(err)
		}
	})
}
