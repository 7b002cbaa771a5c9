package session

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/skyql/skyql/internal/anytype"
	"github.com/skyql/skyql/internal/change"
	"github.com/skyql/skyql/internal/engine"
	"github.com/skyql/skyql/internal/sqlerr"
	"github.com/skyql/skyql/internal/syntax"
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

// isTransaction reports whether a statement begins or ends a transaction.
func isTransaction(st syntax.Statement) bool {
	switch st.Word {
	case "BEGIN", "START", "COMMIT", "ROLLBACK", "ABORT", "END":
		return true
	}
	return false
}

// transaction runs BEGIN, COMMIT, ROLLBACK and their other names.
func (s *Session) transaction(ctx context.Context, st syntax.Statement) error {
	switch st.Word {
	case "BEGIN", "START":
		if s.tx != nil {
			return sqlerr.New("25001", "there is a transaction already").At(st.Text, 0).WithHint("COMMIT or ROLLBACK")
		}
		s.tx = newPending()
		return nil
	}
	if s.tx == nil {
		return sqlerr.New("25P01", "there is no transaction").At(st.Text, 0).WithHint("BEGIN")
	}
	want := s.tx
	if st.Word == "ROLLBACK" || st.Word == "ABORT" {
		s.tx = nil
		return nil
	}
	set, err := s.changeSet(ctx, want.intents())
	if err != nil {
		return err // it goes on: what is wrong may be mended, or rolled back
	}
	s.tx = nil
	if len(set.Changes) == 0 {
		return s.nothing(set)
	}
	s.shown = want.shown != "" && want.shown == planText(set)
	defer func() { s.shown = false }()
	_, err = s.execute(ctx, set, want.covers, false)
	return err
}

// PlanShown tells Changes.Approve whether the plan that it is asked about is
// what SHOW PLAN has shown in its transaction.
func (s *Session) PlanShown() bool { return s.shown }

// Savepoint notes what the open transaction wants. back has it want just that
// again.
func (s *Session) Savepoint() (back func()) {
	if s.tx == nil {
		return func() {}
	}
	was := s.tx.clone()
	return func() { s.tx = was.clone() }
}

func planText(set *change.Set) string {
	var b strings.Builder
	set.WriteText(&b) // a builder takes everything
	return b.String()
}

// InTransaction reports whether a transaction is open, and whether it wants
// anything yet.
func (s *Session) InTransaction() (open, wants bool) {
	return s.tx != nil, s.tx != nil && len(s.tx.order) > 0
}

// showPlan is SHOW PLAN: what COMMIT would do.
func (s *Session) showPlan(ctx context.Context) (*engine.Rows, error) {
	if s.tx == nil {
		return nil, sqlerr.New("25P01", "there is no transaction").WithHint("BEGIN")
	}
	set, err := s.changeSet(ctx, s.tx.intents())
	if err != nil {
		return nil, err
	}
	s.tx.shown = planText(set)
	return engine.Lines("plan", strings.Split(strings.TrimRight(s.tx.shown, "\n"), "\n")), nil
}

// recent are identifiers of what was made at this place in the last minutes: a
// list may not show them yet, and a statement that is run twice must see them.
func (s *Session) recent(ctx context.Context) []change.Past {
	if s.options.Changes.StateDir == "" {
		return nil
	}
	sets, err := change.ReadJournal(s.options.Changes.StateDir)
	if err != nil || len(sets) == 0 {
		return nil // a journal that can't be read is refused before anything is changed
	}
	at, _, err := s.place(ctx)
	if err != nil {
		return nil
	}
	return change.Recent(sets, at, time.Now().Add(-recentlyMade))
}

// recentlyMade is how long a list may take to show what was made.
const recentlyMade = 15 * time.Minute

// Histories are the change sets in the journal, the oldest first.
func (s *Session) Histories() ([]*change.History, error) {
	if s.options.Changes.StateDir == "" {
		return nil, nil
	}
	return change.ReadJournal(s.options.Changes.StateDir)
}

// Recover finds out what became of the change sets that were cut off; those of
// other places are told and left alone. show is handed each before it is looked
// at.
func (s *Session) Recover(ctx context.Context, show func(*change.History)) (reports []*change.Report, err error) {
	at, _, err := s.place(ctx)
	if err != nil {
		return nil, s.word(ctx, err)
	}
	_, err = s.withJournal(ctx, func(j *change.Journal) (*change.Report, error) {
		a, err := s.applier(ctx, j)
		if err != nil {
			return nil, err
		}
		var all error
		for _, h := range j.Sets() {
			if h.Dropped || h.Closed || !h.Unfinished() {
				continue
			}
			if why := h.Place.Differs(at); why != "" {
				s.notify("change set %s is left alone: %s", h.ID, why)
				continue
			}
			show(h)
			set, err := h.Set(anyTypes{s.catalog})
			if err == nil {
				err = set.Give(s.options.Params)
			}
			if err != nil {
				all = errors.Join(all, err)
				continue
			}
			report, err := a.Recover(ctx, h, set, at)
			if report == nil {
				all = errors.Join(all, err)
				continue
			}
			reports = append(reports, report)
			finished := s.finished(report, err)
			if n := report.Count(change.Skipped); n > 0 {
				s.notify("%d of change set %s were never sent: skyql apply %s goes on with them, skyql changes drop %s forgets them", n, h.ID, h.ID, h.ID)
				if err == nil && report.Count(change.Done)+n == len(report.Results) {
					finished = nil // finding out was all that was asked
				}
			}
			all = errors.Join(all, finished)
		}
		return nil, all
	})
	if err != nil {
		return reports, s.word(ctx, err)
	}
	return reports, nil
}

// ApplySet goes on with a change set of the journal.
func (s *Session) ApplySet(ctx context.Context, id string) error {
	at, _, err := s.place(ctx)
	if err == nil {
		var report *change.Report
		report, err = s.withJournal(ctx, func(j *change.Journal) (*change.Report, error) {
			h, err := j.Find(id)
			if err != nil {
				return nil, err
			}
			set, err := h.Set(anyTypes{s.catalog})
			if err != nil {
				return nil, err
			}
			if err := set.Give(s.options.Params); err != nil {
				return nil, err
			}
			a, err := s.applier(ctx, j)
			if err != nil {
				return nil, err
			}
			defer s.sayInterrupted(ctx)()
			return a.Resume(ctx, h, set, at)
		})
		err = s.finished(report, err)
	}
	return s.wordOrNil(ctx, err)
}

// ApplyPlan makes a saved plan so, if what it was made of is still as it was.
func (s *Session) ApplyPlan(ctx context.Context, r io.Reader) error {
	set, err := change.Load(r, anyTypes{s.catalog})
	if err == nil {
		err = set.Give(s.options.Params)
	}
	if err != nil {
		return s.word(ctx, err)
	}
	if len(set.Changes) == 0 {
		return s.wordOrNil(ctx, s.nothing(set))
	}
	at, link, err := s.place(ctx)
	if err == nil {
		err = set.Verify(ctx, at, s.clouds(link), s.settings.parallel())
	}
	if err == nil {
		_, err = s.execute(ctx, set, nil, false)
	}
	return s.wordOrNil(ctx, err)
}

// UndoSet shows the plan that takes a change set of the journal back, asks, and
// makes it so.
func (s *Session) UndoSet(ctx context.Context, id string) error {
	sets, err := s.Histories()
	if err != nil {
		return s.word(ctx, err)
	}
	i := slices.IndexFunc(sets, func(h *change.History) bool { return h.ID == id })
	if i < 0 {
		return sqlerr.New(sqlerr.UndefinedObject, "there is no change set %s", id).WithHint("skyql changes")
	}
	at, link, err := s.place(ctx)
	if err != nil {
		return s.word(ctx, err)
	}
	set, err := sets[i].Set(anyTypes{s.catalog})
	if err != nil {
		return s.word(ctx, err)
	}
	intents, notes, err := change.Undo(ctx, sets[i], set, at, s.clouds(link))
	if err != nil {
		return s.word(ctx, err)
	}
	for _, n := range notes {
		s.notify("%s", n)
	}
	options := s.strictness()
	// Who agreed to a replacement may agree to its way back, which is another one.
	options.Replace = options.Replace || slices.ContainsFunc(set.Changes, func(c *change.Change) bool { return c.Action == change.Replace })
	back, err := change.New(at, intents, options)
	if err == nil {
		back.Undoes = id
	}
	if err == nil && len(back.Changes) == 0 {
		s.notify("nothing to take back")
		return nil
	}
	if err == nil {
		_, err = s.execute(ctx, back, nil, false)
	}
	return s.wordOrNil(ctx, err)
}

func (s *Session) wordOrNil(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	return s.word(ctx, err)
}

// DropSet forgets what is open of a change set.
func (s *Session) DropSet(ctx context.Context, id string) error {
	_, err := s.withJournal(ctx, func(j *change.Journal) (*change.Report, error) { return nil, j.Drop(id) })
	return err
}

var _ change.Cloud = (*anytype.Client)(nil)
