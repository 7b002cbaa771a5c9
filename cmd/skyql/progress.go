package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/skyql/skyql/internal/fetch"
	"github.com/skyql/skyql/internal/render"
)

// A progress shows on standard error how far fetching is: on a terminal a line
// for each table, drawn over again and gone when done, else a line of JSON at
// a time for programs. A nil one shows nothing. It is safe for concurrent use.
type progress struct {
	out  io.Writer
	json bool

	mu    sync.Mutex
	begun time.Time
	drawn time.Time
	lines int // on the terminal now
	timer *time.Timer
	order []string
	stats map[string]fetch.Stats
	first map[string]time.Time
}

// What is quicker than this needs no progress, and more often than that nobody
// can read it.
const (
	progressAfter = 400 * time.Millisecond
	progressEvery = 150 * time.Millisecond
	progressTick  = time.Second
)

func newProgress(mode string, quiet bool, out io.Writer) *progress {
	switch {
	case quiet || mode == "off" || mode == "auto" && (width(out) == 0 || env("TERM") == "dumb"):
		return nil
	}
	return &progress{out: out, json: mode == "json", stats: map[string]fetch.Stats{}, first: map[string]time.Time{}}
}

// note is told of a table's numbers.
func (p *progress) note(s fetch.Stats) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if p.begun.IsZero() {
		p.begun = now
	}
	name := s.Table.Name()
	if _, ok := p.stats[name]; !ok {
		p.order = append(p.order, name)
		p.first[name] = now
	}
	p.stats[name] = s
	if !p.json && p.timer == nil {
		p.timer = time.AfterFunc(progressAfter, p.tick)
	}
	if now.Sub(p.begun) < progressAfter || now.Sub(p.drawn) < progressEvery {
		return
	}
	p.drawn = now
	p.draw(now)
}

// tick draws while nothing is heard of a call: then most of all people want to
// know where it stands.
func (p *progress) tick() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timer == nil { // cleared meanwhile
		return
	}
	if now := time.Now(); now.Sub(p.drawn) >= progressEvery {
		p.drawn = now
		p.draw(now)
	}
	p.timer.Reset(progressTick)
}

func (p *progress) draw(now time.Time) {
	if p.json {
		for _, name := range p.order {
			s := p.stats[name]
			line, err := json.Marshal(map[string]any{"table": name, "rows": s.Rows, "expected": s.Expected, "lists": s.Lists, "gets": s.Gets, "retries": s.Retries,
				"throttled": s.Throttled, "seconds": now.Sub(p.first[name]).Seconds()})
			if err == nil {
				fmt.Fprintf(p.out, "%s\n", line)
			}
		}
		return
	}
	var b strings.Builder
	p.wipe(&b)
	most := max(20, width(p.out)-1)
	for _, name := range p.order {
		line := []rune(p.line(name, now))
		b.WriteString(string(line[:min(len(line), most)]) + "\n")
	}
	p.lines = len(p.order)
	io.WriteString(p.out, b.String())
}

// line is one table: rows, calls, their rate, refusals.
func (p *progress) line(name string, now time.Time) string {
	s := p.stats[name]
	took := max(now.Sub(p.first[name]).Seconds(), 0.001)
	calls := s.Lists + s.Gets
	rows := render.Thousands(s.Rows)
	if s.Expected > s.Rows {
		rows += " of ~" + render.Thousands(s.Expected)
	}
	text := fmt.Sprintf("%-28s %s rows   %s calls   %.0f/s", name, rows, render.Thousands(calls), float64(calls)/took)
	if s.Throttled > 0 {
		text += fmt.Sprintf("   %s throttled", render.Thousands(s.Throttled))
	}
	if left := s.Expected - s.Rows; left > 0 && s.Rows > 0 {
		text += fmt.Sprintf("   ~%.0f s left", float64(left)*took/float64(s.Rows))
	}
	return text
}

// wipe takes back the lines that are drawn.
func (p *progress) wipe(b *strings.Builder) {
	if p.lines > 0 {
		fmt.Fprintf(b, "\x1b[%dA\x1b[J", p.lines)
	}
	p.lines = 0
}

// clear takes back what is drawn, and begins anew with the next statement.
func (p *progress) clear() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.json {
		var b strings.Builder
		p.wipe(&b)
		io.WriteString(p.out, b.String())
	}
	if p.timer != nil {
		p.timer.Stop()
		p.timer = nil
	}
	p.begun, p.order = time.Time{}, nil
	clear(p.stats)
	clear(p.first)
}
