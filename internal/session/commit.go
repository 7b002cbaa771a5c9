package session

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/skyql/skyql/internal/anytype"
	"github.com/skyql/skyql/internal/change"
	"github.com/skyql/skyql/internal/sqlerr"
)

// Changes are what a session may do to the cloud, and who is told and asked.
// The zero value changes nothing.
type Changes struct {
	// Approve is asked about every plan before anything is changed; nil: it
	// is refused.
	Approve func(ctx context.Context, s *change.Set) (bool, error)
	// Asked says that Approve asks a person, which takes time.
	Asked bool
	// PlanOnly shows plans and goes no further.
	PlanOnly bool
	// StateDir is the folder of the journal.
	StateDir string
	// Sandbox says that the endpoint is a sandbox that outlives its port.
	Sandbox bool
	// Keep is handed a plan that goes no further but could; may be nil.
	Keep func(*change.Set) error
	// Show is handed each plan, Done what became of it; either may be nil.
	Show func(*change.Set)
	Done func(*change.Report)
	// Progress is told of each step of a change, by several goroutines.
	Progress func(change.Progress)
	// NoWait doesn't wait for the end of requests; Timeout bounds each change.
	NoWait  bool
	Timeout time.Duration
	// Leave gives what, once closed, ends the wait for what is in flight. It is
	// asked for with each set of changes; nil: nothing ends it.
	Leave func() <-chan struct{}
	// Patience is how long another process that changes things with the same
	// folder is waited for; 0: it is refused at once.
	Patience time.Duration
	// Through is what the journal's file is written through, for those who try
	// what a crash leaves behind; nil: the file itself.
	Through func(change.File) change.File
}

func (c Changes) leave() <-chan struct{} {
	if c.Leave == nil {
		return nil
	}
	return c.Leave()
}

// Planned is how many changes the plans of this session had.
func (s *Session) Planned() int { return s.planned }

// place is where changes go.
func (s *Session) place(ctx context.Context) (change.Place, *Link, error) {
	link, err := s.connect(ctx)
	if err != nil {
		return change.Place{}, nil, err
	}
	me, err := link.cloud.Identity(ctx)
	if err != nil {
		return change.Place{}, nil, err
	}
	return change.Place{Endpoint: link.cloud.Endpoint(), Sandbox: s.options.Changes.Sandbox, Partition: me.Partition, Profile: s.options.Cloud.Profile, Account: me.Account}, link, nil
}

// changeSet checks what is wanted, and makes a plan of it.
func (s *Session) changeSet(ctx context.Context, intents []change.Intent) (*change.Set, error) {
	at, _, err := s.place(ctx)
	if err != nil {
		return nil, err
	}
	return change.New(at, intents, s.strictness())
}

// strictness is how changes are checked, by the settings.
func (s *Session) strictness() change.Options {
	return change.Options{Strict: s.settings.Checks == "strict", Replace: s.settings.Replace == "allow"}
}

// carryOut shows what is wanted as a plan, asks, makes it so and waits for the
// end. What comes back is for RETURNING.
func (s *Session) carryOut(ctx context.Context, want *pending, readBack bool) ([]returning, error) {
	set, err := s.changeSet(ctx, want.intents())
	if err != nil {
		return nil, err
	}
	if len(set.Changes) == 0 {
		return nil, s.nothing(set)
	}
	report, err := s.execute(ctx, set, want.covers, readBack)
	if report == nil {
		return nil, err
	}
	return returnings(report), err
}

// nothing is the end of a plan without changes. It is kept like others: what was
// kept before is not what is wanted now.
func (s *Session) nothing(set *change.Set) error {
	s.notify("nothing to change")
	if keep := s.options.Changes.Keep; keep != nil && s.options.Changes.PlanOnly {
		return keep(set)
	}
	return nil
}

// execute takes a plan all the way. The report is nil if nothing was begun.
func (s *Session) execute(ctx context.Context, set *change.Set, covers []change.Coverage, readBack bool) (*change.Report, error) {
	o := s.options.Changes
	if o.Show != nil {
		o.Show(set)
	}
	s.planned += len(set.Changes)
	err := set.Guard(s.guards(), covers)
	switch {
	case o.PlanOnly && o.Keep != nil && err == nil:
		return nil, o.Keep(set)
	case o.PlanOnly && o.Keep == nil && err != nil:
		s.notify("it would be refused: %s", refusal(err))
		return nil, nil
	case o.PlanOnly || err != nil:
		return nil, err
	}
	if o.Approve == nil {
		return nil, sqlerr.New(sqlerr.InsufficientPriv, "nothing was changed: nobody agreed to the plan").WithHint("--yes agrees, --plan only looks")
	}
	if ok, err := o.Approve(ctx, set); err != nil || !ok {
		if err == nil {
			err = sqlerr.New(sqlerr.QueryCanceled, "nothing was changed: the plan was declined")
		}
		return nil, err
	}
	report, err := s.withJournal(ctx, func(j *change.Journal) (*change.Report, error) {
		a, err := s.applier(ctx, j)
		if err != nil {
			return nil, err
		}
		a.ReadBack = readBack
		defer s.sayInterrupted(ctx)()
		return a.Apply(ctx, set)
	})
	return report, s.finished(report, err)
}

// sayInterrupted tells whoever interrupts what happens now, until stop is called.
func (s *Session) sayInterrupted(ctx context.Context) (stop func()) {
	if s.options.Changes.Leave == nil {
		return func() {}
	}
	end := context.AfterFunc(ctx, func() {
		s.notify("interrupted: nothing more is begun, and what AWS is at work on is waited for; Ctrl-C once more leaves at once")
	})
	return func() { end() }
}

// refusal words an error with what lifts it.
func refusal(err error) string {
	text := err.Error()
	if e, ok := asError[*sqlerr.Error](err); ok && e.Hint != "" {
		text += ": " + e.Hint
	}
	return text
}

// finished reports what became of a set.
func (s *Session) finished(report *change.Report, err error) error {
	if report == nil {
		return err
	}
	if s.options.Changes.Done != nil {
		s.options.Changes.Done(report)
	}
	if err == nil {
		err = report.Err()
	}
	return err
}

func (s *Session) guards() change.Guards {
	g := change.Guards{MaxChanges: s.settings.MaxChanges, AllRows: s.settings.AllowAllRows}
	protect := s.settings.Protect
	if s.options.Confine != nil { // strangers add to what is protected, and take nothing away
		protect = slices.Concat(s.options.Settings.Protect, protect)
	}
	for _, p := range protect {
		if rule, err := change.ParseProtection(p); err == nil { // it was checked when it was set
			g.Protect = append(g.Protect, rule)
		}
	}
	return g
}

// withJournal holds the journal while f runs. Sessions that share a link share
// it.
func (s *Session) withJournal(ctx context.Context, f func(*change.Journal) (*change.Report, error)) (report *change.Report, err error) {
	dir := s.options.Changes.StateDir
	if dir == "" {
		return nil, sqlerr.New(sqlerr.FeatureNotSupported, "nothing was changed: there is no folder for the journal")
	}
	journal := &shared{}
	if s.link != nil {
		journal = &s.link.journal
	}
	o := change.Opening{Wait: s.options.Changes.Patience, Through: s.options.Changes.Through, Busy: func(holder string) {
		s.notify("waiting for %s to end: one at a time changes things with a state folder", holder)
	}}
	j, release, err := journal.hold(ctx, dir, o)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, release()) }()
	return f(j)
}

func (s *Session) clouds(link *Link) change.Clouds {
	return func(ctx context.Context, account, region string) (change.Cloud, error) {
		return client(ctx, link.cloud, s.catalog, account, region)
	}
}

func (s *Session) applier(ctx context.Context, j *change.Journal) (*change.Applier, error) {
	link, err := s.connect(ctx)
	if err != nil {
		return nil, err
	}
	o := s.options.Changes
	return &change.Applier{Clouds: s.clouds(link), Journal: j, Parallel: s.settings.parallel(), Asked: o.Asked || j.Waited(), NoWait: o.NoWait, Timeout: o.Timeout,
		StopOnError: s.settings.OnChangeError == "stop", Leave: o.leave(), Admit: link.fetcher.Admit, Progress: o.Progress, Logger: s.log}, nil
}

// returnings are the rows as AWS has them now, or had them before they went.
func returnings(r *change.Report) []returning {
	var out []returning
	for _, x := range r.Results {
		c := x.Change
		row := returning{key: rowKey{c.Table.Type, c.Account, c.Region, c.Identifier}, properties: x.Properties, action: "UPDATE"}
		if x.Identifier != "" {
			row.key.identifier = x.Identifier
		}
		switch {
		case x.Outcome != change.Done:
			continue
		case c.Action == change.Delete:
			row.properties, row.action = c.Before, "DELETE"
		case c.Action == change.Create:
			row.action = "INSERT"
		}
		out = append(out, row)
	}
	return out
}

func (s *Session) wordOrNil(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	return s.word(ctx, err)
}

var _ change.Cloud = (*anytype.Client)(nil)
