package change

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/skyql/skyql/internal/sqlerr"
)

// A Journal is the file that remembers every change asked of AWS until its end
// is known, and afterwards: it doubles as an audit log. Records are only ever
// appended, a line each: a checksum and a JSON object. A last line that was cut
// off by a crash is forgotten, because nothing was done on its strength.
//
// One process has a journal at a time. A Journal is safe for concurrent use.
type Journal struct {
	dir    string
	lock   *os.File
	waited bool // another process had it first

	mu      sync.Mutex
	file    File
	size    int64 // up to which the file is whole
	written int   // records written; synced says how many are on disk
	broken  error
	sets    []*History

	syncing sync.Mutex // held while syncing; guards synced
	synced  int

	naming sync.Mutex // held from a set's id to its record
}

// A File is what a journal writes.
type File interface {
	io.Writer
	io.Closer
	Sync() error
	Truncate(size int64) error
}

// The journal's files in its folder.
const (
	journalName = "journal"
	lockName    = "journal.lock"
)

// A record is one line.
type record struct {
	Kind string    `json:"kind"` // set, call, event, end, close, drop
	Set  string    `json:"set"`
	Time time.Time `json:"time"`

	Plan *saved `json:"plan,omitempty"` // set

	Change     int    `json:"change,omitempty"` // its number
	Part       int    `json:"part,omitempty"`   // 0, or 1 for the second call of a replacement
	Op         string `json:"op,omitempty"`     // CREATE, UPDATE, DELETE
	Token      string `json:"token,omitempty"`  // the client's
	Identifier string `json:"identifier,omitempty"`
	// Body are the exact bytes sent, absent where they hold a secret.
	Body   *string `json:"body,omitempty"`
	Sealed bool    `json:"sealed,omitempty"`

	Request string   `json:"request,omitempty"` // event
	Status  string   `json:"status,omitempty"`
	Outcome string   `json:"outcome,omitempty"` // end
	Code    string   `json:"code,omitempty"`
	Message string   `json:"message,omitempty"`
	Hooks   []string `json:"hooks,omitempty"`

	// lazy records need not be on disk at once: after a crash they are found
	// out again. The next record that must be takes them along.
	lazy bool
}

// OpenJournal takes a state folder's journal for this process, and reads it.
// The folder is made if there is none. Whatever stands in the way of journaling
// is an error here, before anything is asked of AWS.
func OpenJournal(dir string) (*Journal, error) {
	return Opening{}.Journal(context.Background(), dir)
}

// An Opening says how a journal is taken. The zero value: at once or not at all.
type Opening struct {
	// Wait is how long to wait for another process that has the journal.
	Wait time.Duration
	// Busy is told who has it before the wait begins; nil: nobody.
	Busy func(holder string)
	// Through gives what the journal's file is written through: a seam for
	// those who try what a crash leaves behind. nil: the file itself.
	Through func(File) File
}

// Journal takes a state folder's journal as OpenJournal does.
func (o Opening) Journal(ctx context.Context, dir string) (*Journal, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, unusable(dir, err)
	}
	lock, err := os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, unusable(dir, err)
	}
	j := &Journal{dir: dir, lock: lock}
	if err = j.take(ctx, o); err == nil {
		err = j.open(o.Through)
	}
	if err != nil {
		lock.Close()
		return nil, err
	}
	return j, nil
}

// Forget removes a folder's journal, damaged or whole, unless another process has
// it: for the journal of a world that is no more.
func Forget(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, journalName)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	lock, err := os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return unusable(dir, err)
	}
	j := &Journal{dir: dir, lock: lock}
	if err := j.take(context.Background(), Opening{}); err != nil {
		lock.Close()
		return err
	}
	err = os.Remove(filepath.Join(dir, journalName))
	if err == nil {
		err = syncDir(dir)
	}
	return errors.Join(err, j.free())
}

func (j *Journal) open(through func(File) File) error {
	f, err := os.OpenFile(filepath.Join(j.dir, journalName), os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return unusable(j.dir, err)
	}
	text, err := io.ReadAll(f)
	if err == nil {
		j.sets, j.size, err = readJournal(text)
	}
	if err == nil && j.size < int64(len(text)) {
		err = f.Truncate(j.size)
	}
	if err == nil {
		err = syncDir(j.dir)
	}
	if err != nil {
		f.Close()
		return unusable(j.dir, err)
	}
	j.file = f
	if through != nil {
		j.file = through(f)
	}
	return nil
}

// syncDir makes sure that the journal's name is on disk too. Folders can't be
// synced everywhere.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, fs.ErrInvalid) && !errors.Is(err, fs.ErrPermission) && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return nil
}

func unusable(dir string, err error) error {
	var e *sqlerr.Error
	if errors.As(err, &e) {
		return e
	}
	return sqlerr.New("58030", "the journal in %s can't be used, so nothing is changed: %s", dir, err).Wrap(err).
		WithHint("SKYQL_STATE_DIR=… for another folder")
}

// ReadJournal reads a state folder's journal without taking it: for looking
// only. No journal is no sets.
func ReadJournal(dir string) ([]*History, error) {
	text, err := os.ReadFile(filepath.Join(dir, journalName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, unusable(dir, err)
	}
	sets, _, err := readJournal(text)
	if err != nil {
		return nil, unusable(dir, err)
	}
	return sets, nil
}

// readJournal gives what the records say, and how much of the text is whole.
func readJournal(text []byte) (sets []*History, whole int64, err error) {
	var b journalBuilder
	for n := 1; len(text) > 0; n++ {
		line, rest, ended := bytes.Cut(text, []byte("\n"))
		r, ok := decodeRecord(line)
		if !ok || !ended {
			switch {
			case torn(rest) && n == 1 && !begun.Match(text):
				return nil, 0, fmt.Errorf("no line of it is a record: the file %s is damaged, or isn't skyql's. Move it away to go on without it", journalName)
			case torn(rest):
				return b.sets, whole, nil
			}
			return nil, 0, fmt.Errorf("line %d is damaged, and more follows: what was asked of AWS can't be told any more. Move the file %s away to go on without it", n, journalName)
		}
		if err := b.add(r); err != nil {
			return nil, 0, fmt.Errorf("line %d: %w", n, err)
		}
		whole += int64(len(line)) + 1
		text = rest
	}
	return b.sets, whole, nil
}

// begun is what a crash may leave of the very first record: all of a file.
var begun = regexp.MustCompile(`^(\x00*|[0-9a-f]{0,8}|[0-9a-f]{8} [^\n]*)$`)

// torn reports whether nothing that follows a broken line is a record: then the
// line is where a crash cut the file off.
func torn(rest []byte) bool {
	for line := range bytes.SplitSeq(rest, []byte("\n")) {
		if _, ok := decodeRecord(line); ok {
			return false
		}
	}
	return true
}

func decodeRecord(line []byte) (record, bool) {
	var r record
	sum, text, ok := bytes.Cut(line, []byte(" "))
	if !ok {
		return r, false
	}
	want, err := strconv.ParseUint(string(sum), 16, 32)
	if err != nil || len(sum) != 8 || crc32.ChecksumIEEE(text) != uint32(want) {
		return r, false
	}
	return r, json.Unmarshal(text, &r) == nil
}

func encodeRecord(r record) []byte {
	text := encode(r)
	return fmt.Appendf(nil, "%08x %s\n", crc32.ChecksumIEEE(text), text)
}

// append writes a record and, unless it is lazy, waits until it is on disk.
// Records of several goroutines share a sync. After a failure nothing can be written any more.
func (j *Journal) append(r record) error {
	n, err := j.write(r)
	if err != nil || r.lazy {
		return err
	}
	j.syncing.Lock()
	defer j.syncing.Unlock()
	if j.synced >= n {
		return nil
	}
	j.mu.Lock()
	upTo, file := j.written, j.file
	j.mu.Unlock()
	if err := file.Sync(); err != nil {
		j.mu.Lock()
		defer j.mu.Unlock()
		return j.breaks(err)
	}
	j.synced = upTo
	return nil
}

func (j *Journal) write(r record) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.broken != nil {
		return 0, j.broken
	}
	line := encodeRecord(r)
	if _, err := j.file.Write(line); err != nil {
		j.file.Truncate(j.size) // half a line would be read as a torn tail anyway
		return 0, j.breaks(err)
	}
	j.size += int64(len(line))
	j.written++
	b := journalBuilder{sets: j.sets}
	if err := b.add(r); err != nil {
		panic("change: " + err.Error())
	}
	j.sets = b.sets
	return j.written, nil
}

// breaks ends all writing. The caller holds mu.
func (j *Journal) breaks(err error) error {
	j.broken = unusable(j.dir, err)
	if j.written > 1 { // the set, and a call
		j.broken = sqlerr.New("58030", "the journal in %s can't be written any more, so nothing more is changed: %s", j.dir, err).Wrap(err).
			WithHint("skyql recover, once there is room, finds out what became of what was begun")
	}
	return j.broken
}

// Close lets go of the journal.
func (j *Journal) Close() error {
	return errors.Join(j.file.Close(), j.free())
}

// begin writes a set down and gives it its id.
func (j *Journal) begin(s *Set) error {
	j.naming.Lock()
	defer j.naming.Unlock()
	now := time.Now()
	s.ID = j.nextID(now)
	plan := s.saved()
	return j.append(record{Kind: "set", Set: s.ID, Time: now, Plan: &plan})
}

// nextID counts the sets of a day: 20261123-7.
func (j *Journal) nextID(now time.Time) string {
	j.mu.Lock()
	defer j.mu.Unlock()
	day := now.Format("20060102") + "-"
	last := 0
	for _, h := range j.sets {
		if n, ok := strings.CutPrefix(h.ID, day); ok {
			if i, err := strconv.Atoi(n); err == nil {
				last = max(last, i)
			}
		}
	}
	return day + strconv.Itoa(last+1)
}

// Sets gives all change sets, the oldest first. They are copies.
func (j *Journal) Sets() []*History {
	j.mu.Lock()
	defer j.mu.Unlock()
	out := make([]*History, len(j.sets))
	for i, h := range j.sets {
		out[i] = h.clone()
	}
	return out
}

// Find gives a change set by its id.
func (j *Journal) Find(id string) (*History, error) {
	sets := j.Sets()
	if i := slices.IndexFunc(sets, func(h *History) bool { return h.ID == id }); i >= 0 {
		return sets[i], nil
	}
	return nil, sqlerr.New(sqlerr.UndefinedObject, "there is no change set %s", id).WithHint("skyql changes lists them")
}

// Drop forgets what is still open of a set: it is never gone on with.
func (j *Journal) Drop(id string) error {
	h, err := j.Find(id)
	if err != nil {
		return err
	}
	if !h.Unfinished() {
		return sqlerr.New("55000", "nothing of change set %s is open", id)
	}
	return j.append(record{Kind: "drop", Set: id, Time: time.Now()})
}
