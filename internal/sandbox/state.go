package sandbox

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/lockedfile"

	"github.com/skyql/skyql/internal/catalog"
)

// A record is one step of what happened to a world. The world is what its
// records make of it, up to a time.
type record struct {
	Time    int64          `json:"time,omitempty"` // a request has its own
	Header  *header        `json:"header,omitempty"`
	Request *request       `json:"request,omitempty"`
	Token   string         `json:"token,omitempty"` // of the request that is cancelled
	Cancel  *cancellation  `json:"cancel,omitempty"`
	Put     *Resource      `json:"put,omitempty"`
	Since   int64          `json:"since,omitempty"` // when what is put was created
	Drop    *dropped       `json:"drop,omitempty"`
	Minted  map[string]int `json:"minted,omitempty"`
}

type header struct {
	Version int    `json:"skyql_sandbox"`
	World   string `json:"world"`
}

type dropped struct {
	Type       string `json:"type"`
	Account    string `json:"account"`
	Region     string `json:"region"`
	Identifier string `json:"identifier"`
}

// A State is the file in which a world is kept: a line for each record, behind
// its checksum. It is only ever added to, under a lock that all processes with
// the world take, and now and then replaced by a shorter one that says the
// same. Who reads takes no lock and sees all whole lines. A line that was not
// finished, because its writer was killed, doesn't count.
//
// Lines reach the file before the call is answered, and the disk when the
// system thinks fit: a killed process loses nothing, a power cut may.
type State struct {
	path, world string

	mu      sync.Mutex // one writer of this process
	file    os.FileInfo
	offset  int64 // where the next record stands
	records int
}

const stateVersion = 1

// OpenState names the file in which a world is kept; it need not be there.
// world tells worlds apart: a file is good for one.
func OpenState(path, world string) *State { return &State{path: path, world: world} }

// Reset starts over: the file is removed.
func (st *State) Reset() error {
	if _, err := os.Stat(filepath.Dir(st.path)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	unlock, err := st.lock()
	if err != nil {
		return err
	}
	defer unlock()
	if err := os.Remove(st.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// lock waits until no other process changes the world.
func (st *State) lock() (unlock func(), err error) {
	st.mu.Lock()
	if err = os.MkdirAll(filepath.Dir(st.path), 0o700); err == nil {
		var f *lockedfile.File
		if f, err = lockedfile.OpenFile(st.path+".lock", os.O_RDWR|os.O_CREATE, 0o600); err == nil {
			return func() { f.Close(); st.mu.Unlock() }, nil
		}
	}
	st.mu.Unlock()
	return nil, err
}

// stale reports whether the file has more than was read, or is another one.
func (st *State) stale() (bool, error) {
	now, err := os.Stat(st.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return st.file != nil, nil
	case err != nil:
		return false, err
	}
	return st.file == nil || now.Size() != st.offset || !os.SameFile(now, st.file), nil
}

// read gives the records that are new. again is called first if the file is
// another one than before: then they are all new.
func (st *State) read(again func(), each func(record) error) error {
	f, err := os.Open(st.path)
	if errors.Is(err, fs.ErrNotExist) {
		if st.file != nil {
			again()
			st.file, st.offset, st.records = nil, 0, 0
		}
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if st.file == nil || !os.SameFile(info, st.file) || info.Size() < st.offset {
		again()
		st.offset, st.records = 0, 0
	}
	st.file = info
	text := make([]byte, info.Size()-st.offset)
	n, err := f.ReadAt(text, st.offset)
	if err != nil && err != io.EOF {
		return err
	}
	return st.lines(text[:n], each)
}

func (st *State) lines(text []byte, each func(record) error) error {
	for len(text) > 0 {
		end := bytes.IndexByte(text, '\n')
		if end < 0 {
			return st.unfinished(text)
		}
		line := text[:end]
		text = text[end+1:]
		r, err := readRecord(line)
		if err != nil {
			if len(text) == 0 { // the last one counts as not finished
				return st.unfinished(line)
			}
			return st.damaged(err)
		}
		if st.offset == 0 && (r.Header == nil || r.Header.Version != stateVersion) {
			return st.damaged(errors.New("it does not begin as a state of this version does"))
		}
		if r.Header != nil && r.Header.World != st.world {
			return fmt.Errorf("%s keeps the world %q, not %q: give the same --world and --populate, or another --state", st.path, r.Header.World, st.world)
		}
		if err := each(r); err != nil {
			return st.damaged(err)
		}
		st.offset += int64(end) + 1
		st.records++
	}
	return nil
}

// unfinished passes over what a crash has left of a line. Of the first line only
// the beginning of a header can be left: anything else is another's file.
func (st *State) unfinished(line []byte) error {
	head := record{Header: &header{stateVersion, st.world}}.line()
	if st.offset > 0 || bytes.HasPrefix(head, line) || len(bytes.Trim(line, "\x00")) == 0 {
		return nil
	}
	return st.damaged(errors.New("it does not begin as a state of this version does"))
}

func (st *State) damaged(err error) error {
	return fmt.Errorf("%s is damaged at byte %d: %w", st.path, st.offset, err)
}

func readRecord(line []byte) (r record, err error) {
	if len(line) < 10 || line[8] != ' ' {
		return r, errors.New("a line has no checksum")
	}
	if fmt.Sprintf("%08x", crc32.ChecksumIEEE(line[9:])) != string(line[:8]) {
		return r, errors.New("a line's checksum does not fit")
	}
	d := json.NewDecoder(bytes.NewReader(line[9:]))
	d.UseNumber()
	return r, d.Decode(&r)
}

func (r record) line() []byte {
	text := encode(r)
	return fmt.Appendf(nil, "%08x %s\n", crc32.ChecksumIEEE(text), text)
}

// append adds a record; the caller has the lock and has read all there was.
func (st *State) append(r record) error {
	f, err := os.OpenFile(st.path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	var text []byte
	if st.offset == 0 {
		text = record{Header: &header{stateVersion, st.world}}.line()
	}
	text = append(text, r.line()...)
	if err = f.Truncate(st.offset); err == nil { // of a line that was not finished
		_, err = f.WriteAt(text, st.offset)
	}
	if err != nil {
		f.Truncate(st.offset)
		f.Close()
		return err
	}
	info, err := f.Stat()
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		return err
	}
	if st.offset == 0 {
		st.records++
	}
	st.file, st.offset = info, st.offset+int64(len(text))
	st.records++
	return nil
}

// replace writes the file anew.
func (st *State) replace(rs []record) error {
	tmp, err := os.CreateTemp(filepath.Dir(st.path), filepath.Base(st.path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	var size int64
	rs = append([]record{{Header: &header{stateVersion, st.world}}}, rs...)
	for _, r := range rs {
		n, e := tmp.Write(r.line())
		size += int64(n)
		if err == nil {
			err = e
		}
	}
	if err == nil {
		err = tmp.Sync()
	}
	info, e := tmp.Stat()
	if err == nil {
		err = e
	}
	if e := tmp.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(tmp.Name(), st.path)
	}
	if err == nil {
		st.file, st.offset, st.records = info, size, len(rs)
	}
	return err
}

// broken is what a caller is told when the state can't be read or written.
func broken(err error) *fault {
	return &fault{code: "ServiceUnavailableException", message: "the sandbox's state: " + err.Error(), status: http.StatusInternalServerError}
}

// refresh brings the store up to what other processes wrote, and to the clock.
func (s *store) refresh(clock func() time.Time) *fault {
	if s.state != nil {
		s.mu.RLock()
		stale, err := s.state.stale()
		s.mu.RUnlock()
		if err != nil {
			return broken(err)
		}
		if stale {
			s.mu.Lock()
			err = s.readLocked()
			s.mu.Unlock()
			if err != nil {
				return broken(err)
			}
		}
	}
	now := clock().UnixNano()
	s.mu.RLock()
	due := now >= s.ledger.next
	s.mu.RUnlock()
	if due {
		s.mu.Lock()
		s.settle(now)
		s.mu.Unlock()
	}
	return nil
}

func (s *store) readLocked() error {
	return s.state.read(s.reset, func(r record) error { return s.apply(r) })
}

// write runs what changes the store: alone, on all that was written before.
func (s *store) write(clock func() time.Time, do func(now int64) *fault) *fault {
	if s.state != nil {
		unlock, err := s.state.lock()
		if err != nil {
			return broken(err)
		}
		defer unlock()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != nil {
		if err := s.readLocked(); err != nil {
			return broken(err)
		}
	}
	now := clock().UnixNano()
	s.settle(now)
	f := do(now)
	if f != nil || s.state == nil || s.state.records <= minRecords {
		return f
	}
	if s.ledger.forget(now); s.state.records > 2*(len(s.changed)+len(s.ledger.order)) {
		if err := s.state.replace(s.snapshot(now)); err != nil {
			return broken(err)
		}
	}
	return nil
}

// minRecords is how long a state may get before it is written anew.
const minRecords = 2000

// enter keeps a record and applies it.
func (s *store) enter(r record) *fault {
	if s.state != nil {
		if err := s.state.append(r); err != nil {
			return broken(err)
		}
	}
	if err := s.apply(r); err != nil {
		panic("sandbox: " + err.Error()) // it was made a moment ago
	}
	return nil
}

// apply makes a record part of the world, as it is at the record's time.
func (s *store) apply(r record) error {
	switch {
	case r.Request != nil:
		s.settle(r.Request.Started)
		s.ledger.add(r.Request)
	case r.Cancel != nil:
		s.settle(r.Time)
		q := s.ledger.byToken[r.Token]
		if q == nil {
			return fmt.Errorf("it cancels request %s, which is not there", r.Token)
		}
		q.Cancel = r.Cancel
		s.ledger.next = r.Time // it may act or end otherwise now
	case r.Put != nil:
		s.settle(r.Time)
		return s.applyPut(r)
	case r.Drop != nil:
		s.settle(r.Time)
		d := r.Drop
		t, err := s.catalog.Table(d.Type)
		if err != nil {
			return nil // of a catalog that is gone
		}
		s.dirty(d.Type, d.Account, d.Region, d.Identifier)
		s.shelfLocked(t).drop(place(d.Account, d.Region), d.Identifier)
	case r.Minted != nil:
		for k, n := range r.Minted {
			s.ledger.minted[k] = max(s.ledger.minted[k], n)
		}
	}
	return nil
}

func (s *store) applyPut(r record) error {
	t, err := s.catalog.Table(r.Put.Type)
	if err != nil {
		return nil // of a catalog that is gone
	}
	res := &resource{account: r.Put.Account, region: r.Put.Region, properties: r.Put.Properties}
	if r.Since != 0 {
		res.seen = &sightings{since: r.Since}
	}
	res.identify(t)
	s.dirty(t.Type, res.account, res.region, res.id)
	s.shelfLocked(t).put(res)
	return nil
}

// remove makes a resource vanish.
func (s *store) remove(clock func() time.Time, t *catalog.Table, r *resource) *fault {
	return s.write(clock, func(now int64) *fault {
		return s.enter(record{Time: now, Drop: &dropped{t.Type, r.account, r.region, r.id}})
	})
}

func sortedResources(set map[resourceKey]bool) []resourceKey {
	return slices.SortedFunc(maps.Keys(set), func(a, b resourceKey) int {
		return cmp.Or(strings.Compare(a.typ, b.typ), strings.Compare(a.account, b.account), strings.Compare(a.region, b.region), strings.Compare(a.id, b.id))
	})
}

// snapshot says in as few records as can be what the world is, without the
// requests that are forgotten.
func (s *store) snapshot(now int64) []record {
	out := []record{{Minted: s.ledger.minted}}
	for _, k := range sortedResources(s.changed) {
		t, err := s.catalog.Table(k.typ)
		if err != nil {
			continue
		}
		sh := s.shelfLocked(t)
		i, found := sh.at(place(k.account, k.region), k.id)
		if !found {
			out = append(out, record{Time: now, Drop: &dropped{k.typ, k.account, k.region, k.id}})
			continue
		}
		r := sh.byPlace[place(k.account, k.region)][i]
		rec := record{Time: now, Put: &Resource{k.typ, k.account, k.region, r.properties}}
		if r.seen != nil {
			rec.Since = r.seen.since
		}
		out = append(out, rec)
	}
	for _, q := range s.ledger.order {
		if q.made != nil {
			done := *q
			done.Told = q.lastModel()
			q = &done
		}
		out = append(out, record{Request: q})
	}
	return out
}
