package shell

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"
)

// A history is what was typed, oldest first: this session's as it was, earlier
// ones' from the file, which secrets never reach.
type history struct {
	lines []string
	path  string // empty: nothing is kept
	// first says that there was no file yet.
	first bool
	// scrub takes the secrets out of a text.
	scrub func(string) string
}

const (
	historyName = "history"
	// mostHistory is how many inputs are read back; the file is cut to them
	// when it holds twice as many.
	mostHistory = 5000
	// longestInput is the size of an input that is still kept.
	longestInput = 64 << 10
)

// A remembered is a line of the history file.
type remembered struct {
	At    time.Time `json:"at"`
	Input string    `json:"input"`
}

// openHistory reads the history in a folder. What can't be read is not there:
// a prompt without history is better than none.
func openHistory(dir string) *history {
	h := &history{scrub: func(s string) string { return s }}
	if dir == "" {
		return h
	}
	path := filepath.Join(dir, historyName)
	data, err := os.ReadFile(path)
	h.first = os.IsNotExist(err)
	if os.MkdirAll(dir, 0o700) != nil {
		return h
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return h
	}
	f.Close()
	if os.Chmod(path, 0o600) != nil {
		return h
	}
	h.path = path
	sc := bufio.NewScanner(bytes.NewReader(data))
	sc.Buffer(nil, 4*longestInput)
	for sc.Scan() {
		var r remembered
		if json.Unmarshal(sc.Bytes(), &r) == nil && r.Input != "" {
			h.lines = append(h.lines, printable(r.Input))
		}
	}
	if len(h.lines) > 2*mostHistory {
		h.cut()
	}
	h.lines = h.lines[max(0, len(h.lines)-mostHistory):]
	return h
}

// cut writes the file anew with its last lines.
func (h *history) cut() {
	data, err := os.ReadFile(h.path)
	if err != nil {
		return
	}
	all := slices.Collect(bytes.Lines(data))
	tmp := h.path + ".new"
	if os.WriteFile(tmp, bytes.Join(all[max(0, len(all)-mostHistory):], nil), 0o600) == nil {
		os.Rename(tmp, h.path)
	}
}

// add keeps an input. One that begins with a blank is kept for the session
// only, as other shells do.
func (h *history) add(text string) {
	input := printable(strings.TrimSpace(text))
	if input == "" || len(h.lines) > 0 && h.lines[len(h.lines)-1] == input {
		return
	}
	h.lines = append(h.lines, input)
	if h.path == "" || strings.HasPrefix(text, " ") || len(input) > longestInput {
		return
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if e.Encode(remembered{time.Now().UTC().Truncate(time.Second), h.scrub(input)}) != nil {
		return
	}
	f, err := os.OpenFile(h.path, os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return
	}
	defer f.Close()
	f.Write(b.Bytes())
}

// printable leaves out what would drive the terminal when the input is called
// back.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, text)
}
