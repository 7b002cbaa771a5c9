package change

import (
	"fmt"
	"slices"
	"strings"

	"github.com/skyql/skyql/internal/sqlerr"
)

// begun refuses a plan that the journal has already: a plan is made so once,
// however often its file is applied.
func (j *Journal) begun(s *Set) error {
	sets := j.Sets()
	i := slices.IndexFunc(sets, func(h *History) bool { return h.plan.Made.Equal(s.Made) && len(h.Changes) == len(s.Changes) })
	if i < 0 {
		return nil
	}
	h := sets[i]
	e := sqlerr.New("55000", "the plan was made so before, as change set %s, and nothing was sent", h.ID).Wrap(ErrDrifted)
	if h.Unfinished() {
		return e.WithHint("skyql apply %s goes on with it", h.ID)
	}
	return e.WithHint("run the statement again for a new plan")
}

// overtaken refuses creations whose statement looked at what is there before
// somebody else made more of it: what it missed, it would now make twice. Where
// the caller chooses identifiers AWS itself would refuse, but not so well.
func (j *Journal) overtaken(s *Set) error {
	var lines []string
	for _, h := range j.Sets() {
		if h.Place.Differs(s.Place) != "" {
			continue
		}
		for _, p := range h.Changes {
			if p.Action != Create && p.Action != Replace {
				continue
			}
			i := slices.IndexFunc(s.Changes, func(c *Change) bool {
				return c.Action == Create && !c.ReadAt.IsZero() && p.Asked.After(c.ReadAt) && c.Table.Type == p.Type && c.Account == p.Account && c.Region == p.Region
			})
			if i >= 0 {
				lines = append(lines, fmt.Sprintf("%s %s of change set %s", s.Changes[i].Table.Name(), firstOf(p.Name, p.Identifier), h.ID))
			}
		}
	}
	if len(lines) == 0 {
		return nil
	}
	return sqlerr.New("55000", "the plan is out of date, and nothing was sent: resources of its kind were made since").
		WithDetail("%s", strings.Join(lines, "\n")).WithHint("run the statement again for a new plan").Wrap(ErrDrifted)
}

func firstOf(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}
