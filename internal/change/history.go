package change

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// A History is what the journal knows of a change set.
type History struct {
	ID      string
	Place   Place
	Made    time.Time
	Dropped bool
	Closed  bool // every change has its end
	Changes []Past

	plan   saved
	undone []*History // sets that took this one back, or some of it
}

// A State is how far a change has come.
type State string

// The states of a change. All but NotSent and Open are ends.
const (
	NotSent      State = "not sent" // nothing was asked of AWS
	Open         State = "open"     // asked, and the end is not known yet
	StateDone    State = "done"
	StateFailed  State = "failed"
	StateSkipped State = "skipped"
	StateUnknown State = "unknown"
)

// A Past is what the journal knows of a change.
type Past struct {
	Number          int
	Action          Action
	Type            string
	Account, Region string
	Identifier      string // as it was in the plan, or as AWS named it since
	Name            string
	State           State
	Code, Message   string
	Request         string          // the last request token; "" for none
	Asked           time.Time       // first call; zero: none
	Ended           time.Time       // zero: not yet
	Before, After   json.RawMessage // without secrets; nil: absent

	parts [2]pastPart
}

// pastPart is one call of a change with its repetitions; a replacement has two.
type pastPart struct {
	calls   []pastCall
	outcome Outcome // "" while open
}

type pastCall struct {
	op, token, identifier string
	body                  *string // nil: held secrets
	time                  time.Time
	request, status       string // "" while no answer had come
	created               string // the identifier that an event named
}

func (h *History) clone() *History {
	out := *h
	out.Changes = slices.Clone(h.Changes)
	for i := range out.Changes {
		for p := range out.Changes[i].parts {
			out.Changes[i].parts[p].calls = slices.Clone(out.Changes[i].parts[p].calls)
		}
	}
	out.undone = slices.Clone(h.undone)
	for i, u := range out.undone {
		out.undone[i] = u.clone()
	}
	return &out
}

// Count gives the number of changes in a state.
func (h *History) Count(s State) int {
	n := 0
	for _, p := range h.Changes {
		if p.State == s {
			n++
		}
	}
	return n
}

// Unfinished reports whether a crash or an interruption left something to find
// out or to go on with.
func (h *History) Unfinished() bool {
	return !h.Dropped && !h.Closed && (h.Count(Open) > 0 || h.Count(NotSent) > 0)
}

// Set gives the change set back, to go on with. Its secrets have to be given
// again.
func (h *History) Set(c Catalog) (*Set, error) { return loadText(mustJSON(h.plan), c) }

var recordKinds = []string{"set", "call", "event", "end", "close", "drop"}

// Left gives what of a set was never sent, to show it.
func (s *Set) Left(h *History) *Set {
	out := *s
	out.Changes = slices.DeleteFunc(slices.Clone(s.Changes), func(c *Change) bool { return h.Dropped || h.Changes[c.Number-1].State != NotSent })
	return &out
}

// journalBuilder makes histories of records.
type journalBuilder struct{ sets []*History }

func (b *journalBuilder) add(r record) error {
	if !slices.Contains(recordKinds, r.Kind) {
		return fmt.Errorf("a record of kind %q: the journal is a newer skyql's", r.Kind)
	}
	if r.Kind == "set" {
		if r.Plan == nil {
			return fmt.Errorf("set %s without a plan", r.Set)
		}
		h := newHistory(r)
		if i := slices.IndexFunc(b.sets, func(x *History) bool { return x.ID == r.Plan.Undoes }); i >= 0 {
			b.sets[i].undone = append(b.sets[i].undone, h)
		}
		b.sets = append(b.sets, h)
		return nil
	}
	i := len(b.sets) - 1
	for i >= 0 && b.sets[i].ID != r.Set {
		i--
	}
	if i < 0 {
		return fmt.Errorf("record of a set %s that never began", r.Set)
	}
	return b.sets[i].add(r)
}

func newHistory(r record) *History {
	h := &History{ID: r.Set, Place: r.Plan.Place, Made: r.Time, plan: *r.Plan}
	h.plan.ID = r.Set
	for i, c := range r.Plan.Changes {
		h.Changes = append(h.Changes, Past{Number: i + 1, Action: actions[c.Action], Type: c.Type, Account: c.Account, Region: c.Region, Identifier: c.Identifier,
			Name: c.Name, State: NotSent, Before: c.Before, After: c.After})
	}
	return h
}

func (h *History) add(r record) error {
	switch r.Kind {
	case "drop":
		h.Dropped = true
		return nil
	case "close":
		h.Closed = true
		return nil
	}
	if r.Change < 1 || r.Change > len(h.Changes) || r.Part < 0 || r.Part > 1 {
		return fmt.Errorf("record of a change %d.%d that set %s doesn't have", r.Change, r.Part, h.ID)
	}
	p := &h.Changes[r.Change-1]
	part := &p.parts[r.Part]
	switch r.Kind {
	case "call":
		part.calls = append(part.calls, pastCall{op: r.Op, token: r.Token, identifier: r.Identifier, body: r.Body, time: r.Time})
		p.State, h.Closed = Open, false
		if p.Asked.IsZero() {
			p.Asked = r.Time
		}
	case "event":
		if len(part.calls) == 0 {
			return fmt.Errorf("an answer to no call in set %s", h.ID)
		}
		last := &part.calls[len(part.calls)-1]
		last.request, last.status, last.created = r.Request, r.Status, r.Identifier
		p.Request = r.Request
		if p.creating(r.Part) && r.Identifier != "" {
			p.Identifier = r.Identifier
		}
	case "end":
		p.end(part, r)
	}
	return nil
}

// half reports whether a replacement has made its first call and not its second:
// one of the two resources is there too much or too little.
func (p *Past) half() bool {
	return p.Action == Replace && p.parts[0].outcome == Done && p.parts[1].outcome != Done
}

// creating reports whether a part of a change makes a resource.
func (p *Past) creating(part int) bool {
	return p.Action == Create || p.Action == Replace && len(p.parts[part].calls) > 0 && p.parts[part].calls[0].op == "CREATE"
}

func (p *Past) end(part *pastPart, r record) {
	part.outcome = Outcome(r.Outcome)
	p.Code, p.Message = r.Code, r.Message
	if p.creating(r.Part) && r.Identifier != "" {
		p.Identifier = r.Identifier
	}
	if p.Action == Replace && r.Part == 0 && part.outcome == Done {
		return // the second half is still to come
	}
	p.State, p.Ended = State(r.Outcome), r.Time
	if part.outcome == Asked {
		p.State, p.Ended, part.outcome = Open, time.Time{}, ""
	}
}

// Recent gives what was made at a place since a time, the oldest first: a list
// may not show it yet. What was deleted since is left out.
func Recent(sets []*History, at Place, since time.Time) []Past {
	var out []Past
	for _, h := range sets {
		if h.Place.Differs(at) != "" {
			continue
		}
		for _, p := range h.Changes {
			same := func(q Past) bool {
				return q.Type == p.Type && q.Account == p.Account && q.Region == p.Region && q.Identifier == p.Identifier
			}
			if p.Ended.Before(since) && !p.Asked.After(since) {
				continue
			}
			switch {
			case (p.Action == Create || p.Action == Replace) && p.State != NotSent && p.State != StateSkipped && p.Identifier != "" && p.Identifier[0] != Placeholder[0]:
				out = append(slices.DeleteFunc(out, same), p)
			case p.Action == Delete && p.State == StateDone:
				out = slices.DeleteFunc(out, same)
			}
		}
	}
	return out
}
