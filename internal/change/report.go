package change

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/skyql/skyql/internal/sqlerr"
)

// WriteText writes what became of a set as a terminal shows it.
func (r *Report) WriteText(w io.Writer) error {
	var b strings.Builder
	width := 0
	labels := r.labels()
	for _, l := range labels {
		width = max(width, len([]rune(l)))
	}
	width = min(width, 60)
	for i, x := range r.Results {
		if x.Outcome == Skipped && r.Unsent > 0 && x.Message == neverSentText {
			continue // they are counted below
		}
		fmt.Fprintf(&b, "  %-*s  %s\n", width, labels[i], x.outcome())
		for _, l := range x.details() {
			fmt.Fprintf(&b, "  %-*s  %s\n", width, "", l)
		}
	}
	b.WriteString(r.Summary() + "\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// labels name the results. Where two would be called the same, the table is said
// too, and the account and region if they are what differs.
func (r *Report) labels() []string {
	out, same := make([]string, len(r.Results)), map[string][]int{}
	for i, x := range r.Results {
		out[i] = x.label()
		same[out[i]] = append(same[out[i]], i)
	}
	for l, all := range same {
		tables, places := map[string]bool{}, map[[2]string]bool{}
		for _, i := range all {
			c := r.Results[i].Change
			tables[c.Table.Name()], places[[2]string{c.Account, c.Region}] = true, true
		}
		for _, i := range all {
			c := r.Results[i].Change
			if len(tables) > 1 && l != c.Table.Name() {
				out[i] = c.Table.Name() + " " + out[i]
			}
			if len(places) > 1 {
				out[i] += "  " + c.Account + " " + c.Region
			}
		}
	}
	return out
}

func (x Result) label() string {
	if l := x.Change.label(); l != "" {
		return l
	}
	if x.Identifier != "" {
		return printable(x.Identifier)
	}
	return x.Change.Table.Name()
}

// outcome words how a change ended, in one line.
func (x Result) outcome() string {
	took := roundTime(x.Took)
	switch x.Outcome {
	case Done:
		if took == "" {
			return "done"
		}
		return "done in " + took
	case Asked:
		return "asked for, request " + x.Request
	case Skipped:
		return "skipped: " + x.Message
	}
	out := string(x.Outcome)
	if x.Code != "" {
		out += ": " + x.Code
	}
	if x.Tries > 1 {
		out += fmt.Sprintf(", tried %d times over %s", x.Tries, took)
	}
	return out
}

func (x Result) details() []string {
	if x.Outcome != Failed && x.Outcome != Uncertain {
		return nil
	}
	var out []string
	if x.Message != "" {
		said := "AWS says: "
		if x.Code == "" || strings.HasPrefix(x.Message, noReason) || ownAdvice(x.Code) != "" || x.Code == "Journal" || x.Outcome == Uncertain {
			said = ""
		}
		for l := range strings.Lines(strings.TrimSpace(x.Message)) {
			out = append(out, said+printable(strings.TrimRight(l, "\r\n")))
			said = ""
		}
	}
	for _, h := range x.Hooks {
		out = append(out, "hook "+printable(h))
	}
	if x.HalfMade() {
		out = append(out, "it may be there half made: "+printable(x.Identifier))
	}
	if x.Half != "" && x.Outcome == Failed {
		out = append(out, x.Half)
	}
	if x.Advice != "" {
		out = append(out, x.Advice)
	}
	return out
}

// roundTime is short: 1.2 s, 3 min 5 s; "" for nothing measurable.
func roundTime(d time.Duration) string {
	switch {
	case d < 50*time.Millisecond:
		return ""
	case d < time.Minute:
		return strings.TrimSuffix(fmt.Sprintf("%.1f", d.Seconds()), ".0") + " s"
	}
	return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
}

// Summary is the last line: counts, the set's id, and what can be done now.
func (r *Report) Summary() string {
	var counts []string
	for _, o := range []Outcome{Done, Failed, Uncertain, Skipped, Asked} {
		n := r.Count(o)
		if o == Skipped {
			n -= r.Unsent
		}
		if n > 0 {
			counts = append(counts, fmt.Sprintf("%d %s", n, o))
		}
	}
	if len(counts) == 0 {
		return "nothing to do"
	}
	out := strings.Join(counts, ", ")
	if r.Set.ID == "" {
		return out
	}
	out += " · change set " + r.Set.ID
	switch {
	case r.Count(Uncertain) > 0 || r.Count(Asked) > 0:
		out += " · skyql recover finds out the rest"
	case r.Unsent > 0:
		out += fmt.Sprintf(" · %d were never sent: skyql apply %s goes on with them, skyql changes drop %s forgets them", r.Unsent, r.Set.ID, r.Set.ID)
	case r.Interrupted && r.Count(Skipped) > 0:
		out += fmt.Sprintf(" · skyql apply %s goes on, skyql changes drop %s forgets it", r.Set.ID, r.Set.ID)
	case r.Count(Done) > 0:
		out += fmt.Sprintf(" · skyql undo %s shows how to take it back", r.Set.ID)
	}
	return out
}

// Err is nil if all is done, or asked for and not waited for; otherwise it says
// what is not.
func (r *Report) Err() error {
	bad := r.Count(Failed) + r.Count(Uncertain) + r.Count(Skipped) - r.Unsent
	if bad == 0 {
		return nil
	}
	if r.Interrupted {
		return sqlerr.New(sqlerr.QueryCanceled, "interrupted: %s", r.Summary())
	}
	if bad == 1 && len(r.Results) == 1 {
		x := r.Results[0]
		e := sqlerr.New(sqlerr.ExternalRoutine, "%s: %s", x.Change, x.outcome())
		if x.Code == Drifted {
			e = e.Wrap(ErrDrifted)
		}
		return e.WithDetail("%s", strings.Join(x.details(), "\n"))
	}
	return sqlerr.New(sqlerr.ExternalRoutine, "not all of the changes are made: %s", r.Summary())
}

// Summary says how much of a set was asked for: "20261123-8, 14 of 40 changes
// asked for".
func (h *History) Summary() string {
	what := "changes"
	if len(h.Changes) > 0 {
		same := true
		for _, p := range h.Changes {
			same = same && p.Action == h.Changes[0].Action
		}
		if same {
			what = h.Changes[0].Action.Word() + "s"
		}
	}
	return fmt.Sprintf("%s, %d of %d %s asked for", h.ID, len(h.Changes)-h.Count(NotSent)-h.Count(StateSkipped), len(h.Changes), what)
}
