package session

import (
	"context"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/skyql/skyql/internal/change"
	"github.com/skyql/skyql/internal/sqlerr"
)

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
			if n := report.Count(change.Skipped); err == nil && n > 0 && report.Count(change.Done)+n == len(report.Results) {
				finished = nil // finding out was all that was asked
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

// ApplySet goes on with a change set of the journal, or shows what of it was
// never sent.
func (s *Session) ApplySet(ctx context.Context, id string) error {
	if s.options.Changes.PlanOnly {
		return s.wordOrNil(ctx, s.showLeft(id))
	}
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

func (s *Session) showLeft(id string) error {
	if s.options.Changes.Keep != nil {
		return sqlerr.New(sqlerr.FeatureNotSupported, "change set %s is in the journal, and is not kept in a file as well", id).WithHint("skyql apply --plan %s", id)
	}
	h, set, err := s.pastSet(id)
	if err != nil {
		return err
	}
	left := set.Left(h)
	if len(left.Changes) == 0 {
		s.notify("nothing of change set %s is left to send", id)
		return nil
	}
	if show := s.options.Changes.Show; show != nil {
		show(left)
	}
	s.planned += len(left.Changes)
	return nil
}

// pastSet reads a change set of the journal, for looking only.
func (s *Session) pastSet(id string) (*change.History, *change.Set, error) {
	sets, err := s.Histories()
	if err != nil {
		return nil, nil, err
	}
	i := slices.IndexFunc(sets, func(h *change.History) bool { return h.ID == id })
	if i < 0 {
		return nil, nil, sqlerr.New(sqlerr.UndefinedObject, "there is no change set %s", id).WithHint("skyql changes")
	}
	set, err := sets[i].Set(anyTypes{s.catalog})
	return sets[i], set, err
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
	past, set, err := s.pastSet(id)
	if err != nil {
		return s.word(ctx, err)
	}
	at, link, err := s.place(ctx)
	if err != nil {
		return s.word(ctx, err)
	}
	intents, notes, err := change.Undo(ctx, past, set, at, s.clouds(link))
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

// DropSet forgets what is open of a change set.
func (s *Session) DropSet(ctx context.Context, id string) error {
	_, err := s.withJournal(ctx, func(j *change.Journal) (*change.Report, error) { return nil, j.Drop(id) })
	return err
}
