package main

import (
	"fmt"
	"os"
	"sync"

	"github.com/skyql/skyql/internal/change"
)

// dying is the variable by which a test tells skyql at which step of its journal
// to be killed, and how: "7 torn write".
const dying = "SKYQL_TEST_DYING"

// dyingModes are the ways to be killed at a step, which is a write or a sync:
// before it, in its middle, after it, and after it with everything lost that
// was not synced, as when the machine goes too.
var dyingModes = []string{"before a write", "torn write", "after a write", "power cut"}

// mortal is skyql, which may be killed while it writes its journal.
func mortal() {
	var at int
	var mode string
	if n, _ := fmt.Sscanf(os.Getenv(dying), "%d %q", &at, &mode); n == 2 {
		through = func(f change.File) change.File { return &mortalFile{File: f, at: at, mode: mode} }
	}
	main()
}

// A mortalFile kills its process at a step.
type mortalFile struct {
	change.File
	at   int
	mode string

	mu           sync.Mutex
	step         int
	size, synced int64 // bytes written by this process
}

// Write is a step.
func (m *mortalFile) Write(p []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	due := m.due()
	if due && m.mode == "torn write" {
		m.File.Write(p[:len(p)/2])
		die()
	}
	n, err := m.File.Write(p)
	m.size += int64(n)
	m.after(due)
	return n, err
}

// Sync is a step.
func (m *mortalFile) Sync() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	due := m.due()
	err := m.File.Sync()
	m.synced = m.size
	m.after(due)
	return err
}

func (m *mortalFile) due() bool {
	m.step++
	if m.step == m.at && m.mode == "before a write" {
		die()
	}
	return m.step == m.at
}

func (m *mortalFile) after(due bool) {
	if !due {
		return
	}
	if m.mode == "power cut" {
		m.forget()
	}
	die()
}

// forget takes away what was not synced.
func (m *mortalFile) forget() {
	if f, ok := m.File.(*os.File); ok {
		if info, err := f.Stat(); err == nil {
			f.Truncate(info.Size() - (m.size - m.synced))
		}
	}
}

// die is kill -9.
func die() {
	if p, err := os.FindProcess(os.Getpid()); err == nil {
		p.Kill()
	}
	select {}
}
