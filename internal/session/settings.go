package session

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/skyql/skyql/internal/catalog"
	"github.com/skyql/skyql/internal/change"
	"github.com/skyql/skyql/internal/cloudcontrol"
	"github.com/skyql/skyql/internal/plan"
	"github.com/skyql/skyql/internal/sqlerr"
	"github.com/skyql/skyql/internal/syntax"
)

// Settings are what SET changes. The zero value is the default of each.
type Settings struct {
	// Regions are those of statements that name none: region names, globs
	// (eu-*), "all" for every enabled region, "!name" to leave one out.
	// Empty: the profile's region.
	Regions []string
	// Accounts are those of statements that name none: account ids, "org" or
	// "*" for all active accounts of the organisation, globs (1234*), "!id" to
	// leave one out. Empty: the caller's.
	Accounts []string
	// Parallel bounds the calls in flight; 0 is 64.
	Parallel int
	// Cache is how old what was read before may be to be used again; 0: it is
	// read anew. At most a day.
	Cache time.Duration
	// OnError is Fail (also "") or Warn: what can't be read fails the
	// statement, or is told and left out.
	OnError string
	// MaxCalls is how many calls a statement may make; 0 is 100,000.
	MaxCalls int
	// Hydrate is "missing" (also ""), "always" or "never": resources are read
	// one by one where their list doesn't tell enough, always, or never.
	Hydrate string
	// MaxChanges is how many changes a plan may have; 0 is 50.
	MaxChanges int
	// AllowAllRows lets a statement change every row of a table that was listed.
	AllowAllRows bool
	// Protect are rules for what must not be deleted or replaced: tag:env=prod,
	// type:aws.rds.*, identifier:prod-*.
	Protect []string
	// Checks is "warn" (also "") or "strict": what the schema has against a
	// value and AWS may not have is said in the plan, or an error.
	Checks string
	// Replace is "refuse" (also "") or "allow": what can't be updated is
	// deleted and made anew.
	Replace string
	// OnChangeError is "continue" (also "") or "stop": after a change that
	// failed, only what waits for it is left undone, or all that hasn't begun.
	OnChangeError string
	// Pushdown is "on" (also "") or "off": off fetches whole tables in the
	// scope of a statement, and gives the same rows.
	Pushdown string
}

// Values of Settings.OnError.
const (
	Fail = "fail"
	Warn = "warn"
)

const (
	defaultParallel = 64
	defaultMaxCalls = 100_000
	longestCache    = 24 * time.Hour
)

func (s Settings) parallel() int { return cmp.Or(s.Parallel, defaultParallel) }
func (s Settings) maxCalls() int { return cmp.Or(s.MaxCalls, defaultMaxCalls) }

// A setting is how one of Settings is written and read.
type setting struct {
	name string
	hint string
	put  func(s *Settings, values []string) error
	get  func(s Settings) string
	copy func(to *Settings, from Settings) // RESET
}

var settings = []setting{
	{"accounts", "twelve digits such as 111122223333, org, 1234*, !111122223333",
		func(s *Settings, v []string) error { s.Accounts = v; return nil },
		func(s Settings) string { return strings.Join(s.Accounts, ",") }, func(to *Settings, from Settings) { to.Accounts = from.Accounts }},
	{"allow_all_rows", "true, false",
		func(s *Settings, v []string) (err error) {
			word, err := oneOf(v[0], "true", "false", "on", "off")
			s.AllowAllRows = word == "true" || word == "on"
			return err
		},
		func(s Settings) string { return strconv.FormatBool(s.AllowAllRows) }, func(to *Settings, from Settings) { to.AllowAllRows = from.AllowAllRows }},
	{"cache", "0s, 60s, 5m",
		func(s *Settings, v []string) (err error) { s.Cache, err = duration(v[0]); return err },
		func(s Settings) string { return s.Cache.String() }, func(to *Settings, from Settings) { to.Cache = from.Cache }},
	{"checks", "warn, strict",
		func(s *Settings, v []string) (err error) { s.Checks, err = oneOf(v[0], "warn", "strict"); return err },
		func(s Settings) string { return cmp.Or(s.Checks, "warn") }, func(to *Settings, from Settings) { to.Checks = from.Checks }},
	{"hydrate", "missing, always, never",
		func(s *Settings, v []string) (err error) {
			s.Hydrate, err = oneOf(v[0], "missing", "always", "never")
			return err
		},
		func(s Settings) string { return cmp.Or(s.Hydrate, "missing") }, func(to *Settings, from Settings) { to.Hydrate = from.Hydrate }},
	{"max_calls", "a number from 1",
		func(s *Settings, v []string) (err error) { s.MaxCalls, err = number(v[0], 1<<31-1); return err },
		func(s Settings) string { return strconv.Itoa(s.maxCalls()) }, func(to *Settings, from Settings) { to.MaxCalls = from.MaxCalls }},
	{"max_changes", "a number from 1",
		func(s *Settings, v []string) (err error) { s.MaxChanges, err = number(v[0], 1<<31-1); return err },
		func(s Settings) string { return strconv.Itoa(cmp.Or(s.MaxChanges, change.DefaultMaxChanges)) }, func(to *Settings, from Settings) { to.MaxChanges = from.MaxChanges }},
	{"on_change_error", "continue, stop",
		func(s *Settings, v []string) (err error) {
			s.OnChangeError, err = oneOf(v[0], "continue", "stop")
			return err
		},
		func(s Settings) string { return cmp.Or(s.OnChangeError, "continue") }, func(to *Settings, from Settings) { to.OnChangeError = from.OnChangeError }},
	{"on_error", "fail, warn",
		func(s *Settings, v []string) (err error) { s.OnError, err = oneOf(v[0], Fail, Warn); return err },
		func(s Settings) string { return cmp.Or(s.OnError, Fail) }, func(to *Settings, from Settings) { to.OnError = from.OnError }},
	{"parallel", "a number from 1 to 1000",
		func(s *Settings, v []string) (err error) { s.Parallel, err = number(v[0], 1000); return err },
		func(s Settings) string { return strconv.Itoa(s.parallel()) }, func(to *Settings, from Settings) { to.Parallel = from.Parallel }},
	{"protect", "tag:env=prod, type:aws.rds.*, identifier:prod-*",
		func(s *Settings, v []string) error {
			for _, p := range v {
				if _, err := change.ParseProtection(p); err != nil {
					return err
				}
			}
			s.Protect = v
			return nil
		},
		func(s Settings) string { return strings.Join(s.Protect, ",") }, func(to *Settings, from Settings) { to.Protect = from.Protect }},
	{"pushdown", "on, off",
		func(s *Settings, v []string) (err error) {
			switch strings.ToLower(v[0]) {
			case "true":
				v = []string{"on"}
			case "false":
				v = []string{"off"}
			}
			s.Pushdown, err = oneOf(v[0], "on", "off")
			return err
		},
		func(s Settings) string { return cmp.Or(s.Pushdown, "on") }, func(to *Settings, from Settings) { to.Pushdown = from.Pushdown }},
	{"replace", "refuse, allow",
		func(s *Settings, v []string) (err error) { s.Replace, err = oneOf(v[0], "refuse", "allow"); return err },
		func(s Settings) string { return cmp.Or(s.Replace, "refuse") }, func(to *Settings, from Settings) { to.Replace = from.Replace }},
	{"regions", "all, us-east-1, eu-*, !eu-west-1",
		func(s *Settings, v []string) error { s.Regions = v; return nil },
		func(s Settings) string { return strings.Join(s.Regions, ",") }, func(to *Settings, from Settings) { to.Regions = from.Regions }},
}

func settingOf(name string) *setting {
	for i := range settings {
		if settings[i].name == strings.ToLower(name) {
			return &settings[i]
		}
	}
	return nil
}

// SettingNames are the names that SET, the configuration file and the
// environment know, sorted.
func SettingNames() []string {
	var out []string
	for _, s := range settings {
		out = append(out, s.name)
	}
	return out
}

// Put sets one by name, as SET does. The error names what is allowed.
func (s *Settings) Put(name, value string) error {
	st := settingOf(name)
	if st == nil {
		return NoSetting(name, SettingNames())
	}
	return s.put(st, List(value))
}

// NoSetting is the error of a name that none of the known settings has.
func NoSetting(name string, known []string) *sqlerr.Error {
	e := sqlerr.New(sqlerr.UndefinedObject, "there is no setting %q", name)
	if near := catalog.Nearest(name, known); len(near) > 0 {
		return e.WithHint("did you mean %s?", strings.Join(near, ", "))
	}
	return e.WithHint("%s", strings.Join(known, ", "))
}

func (s *Settings) put(st *setting, values []string) error {
	if len(values) == 0 {
		return sqlerr.New(sqlerr.SyntaxError, "setting %s needs a value", st.name).WithHint("%s", st.hint)
	}
	next := *s
	if err := st.put(&next, values); err != nil {
		return sqlerr.New(sqlerr.InvalidParameter, "setting %s: %v", st.name, err).WithHint("%s", st.hint)
	}
	if err := next.check(); err != nil {
		return err
	}
	*s = next
	return nil
}

func oneOf(value string, allowed ...string) (string, error) {
	if v := strings.ToLower(value); slices.Contains(allowed, v) {
		return v, nil
	}
	return "", fmt.Errorf("%q is none of %s", value, strings.Join(allowed, ", "))
}

func number(value string, most int) (int, error) {
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 || n > most {
		return 0, fmt.Errorf("%q is not a number from 1 to %d", value, most)
	}
	return n, nil
}

func duration(value string) (time.Duration, error) {
	if value == "0" || strings.EqualFold(value, "off") {
		return 0, nil
	}
	d, err := time.ParseDuration(value)
	if err != nil || d < 0 || d > longestCache {
		return 0, fmt.Errorf("%q is not a time from 0s to 24h", value)
	}
	return d, nil
}

// ParamName reports whether $name can be written for a parameter: DuckDB takes
// letters, digits and underscores, not beginning with a digit, or a number.
func ParamName(name string) bool {
	if _, err := strconv.ParseUint(name, 10, 16); err == nil {
		return true
	}
	for i, r := range name {
		if r != '_' && !unicode.IsLetter(r) && (i == 0 || !unicode.IsDigit(r)) {
			return false
		}
	}
	return name != ""
}

// List cuts a setting's value at commas and blanks.
func List(value string) []string {
	return strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\n' })
}

// check refuses values that could never mean anything, before any call.
func (s Settings) check() error {
	for _, r := range s.Regions {
		if err := checkRegion("setting regions", r); err != nil {
			return err
		}
	}
	for _, a := range s.Accounts {
		if err := checkAccount(a); err != nil {
			return err
		}
	}
	if s.Parallel < 0 || s.Parallel > 1000 {
		return sqlerr.New(sqlerr.InvalidParameter, "setting parallel: %d is not a number from 1 to 1000", s.Parallel)
	}
	return nil
}

func checkAccount(a string) error {
	name := strings.TrimPrefix(a, "!")
	if isAccount(name) || a == "org" || len(name) <= 12 && strings.ContainsAny(name, "*?") && strings.Trim(name, "0123456789*?") == "" {
		return nil
	}
	return sqlerr.New(sqlerr.InvalidParameter, "setting accounts: %q is not an account id", a).
		WithHint("twelve digits such as 111122223333, org, 1234*, !111122223333")
}

func isAccount(s string) bool {
	return len(s) == 12 && strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' }) < 0
}

// checkRegion refuses a name or glob that no known region has.
func checkRegion(what, value string) error {
	if what != "" {
		what += ": "
	}
	name := strings.TrimPrefix(value, "!")
	if name == "all" && name == value {
		return nil
	}
	for _, r := range catalog.Regions() {
		if ok, err := path.Match(name, r.Name); ok && err == nil {
			return nil
		}
	}
	err := sqlerr.New(sqlerr.InvalidParameter, "%sregion %q does not exist", what, value)
	if near := nearRegion(name); near != "" {
		return err.WithHint("did you mean %s?", near)
	}
	return err.WithHint("all, or names such as us-east-1, eu-west-1")
}

// nearRegion gives the region whose name differs least, if that is little.
func nearRegion(name string) string {
	best, least := "", 3
	for _, r := range catalog.Regions() {
		if d := catalog.Distance(strings.ToLower(name), r.Name); d < least {
			best, least = r.Name, d
		}
	}
	return best
}

// set is SET name = value and RESET name.
func (s *Session) set(ctx context.Context, st syntax.Statement) error {
	toks := st.Tokens[1:]
	if st.Word == "SET" && len(toks) > 1 && (toks[0].Is("SESSION") || toks[0].Is("GLOBAL") || toks[0].Is("LOCAL")) {
		toks = toks[1:]
	}
	if !toks[0].IsName() {
		if err := s.permitSetting(st, toks[0].Text); err != nil {
			return err
		}
		return s.db.Exec(ctx, st.Text, nil) // DuckDB's parser says what is missing
	}
	if err := mayChange(st, toks[0]); err != nil {
		return err
	}
	name := strings.ToLower(toks[0].Text)
	own := settingOf(name)
	if own == nil {
		if err := s.permitSetting(st, name); err != nil {
			return err
		}
		if err := s.db.Exec(ctx, st.Text, nil); err != nil {
			return noSetting(err, st, toks[0])
		}
		s.outside[name] = st.Text
		return nil
	}
	var values []string
	for _, t := range toks[1:] {
		switch {
		case t.Kind == syntax.EOF, t.IsOp("="), t.Is("TO"), t.IsOp(","), t.IsOp("["), t.IsOp("]"):
		case t.Kind == syntax.String, t.Kind == syntax.Number, t.IsName():
			values = append(values, List(t.Text)...)
		default:
			return sqlerr.New(sqlerr.SyntaxError, "setting %s: %s is not a value", name, t.Text).At(st.Text, t.Pos).
				WithHint("SET %s = '…'", name)
		}
	}
	if st.Word != "SET" || len(values) == 1 && strings.EqualFold(values[0], "default") {
		own.copy(&s.settings, s.options.Settings)
	} else if err := s.settings.put(own, values); err != nil {
		return sqlerr.From(err).At(st.Text, toks[0].Pos)
	}
	s.narrow = plan.Keys
	if s.settings.Pushdown == "off" {
		s.narrow = plan.Scope
	}
	return nil
}

// noSetting words the error of a name that neither skyql nor DuckDB has.
func noSetting(err error, st syntax.Statement, name syntax.Token) error {
	e, ok := asError[*sqlerr.Error](err)
	if !ok || !strings.HasPrefix(e.Message, "unrecognized configuration parameter") {
		return err
	}
	e.Code = sqlerr.UndefinedObject
	if near := catalog.Nearest(name.Text, SettingNames()); len(near) > 0 {
		e.Hint = "did you mean " + strings.Join(near, ", ") + "? SHOW SETTINGS lists them"
	}
	return e.At(st.Text, name.Pos)
}

// Setting gives a setting as SHOW prints it; ok is false if there is none of
// that name.
func (s *Session) Setting(name string) (value string, ok bool) { return s.value(name) }

// mayChange refuses to change a setting of DuckDB's that skyql relies on, with
// SET or PRAGMA.
func mayChange(st syntax.Statement, name syntax.Token) error {
	switch n := strings.ToLower(name.Text); n {
	case "default_collation", "disabled_optimizers", "schema", "search_path", "temp_directory", "enable_external_access", "lock_configuration", "preserve_insertion_order":
		return sqlerr.New(sqlerr.FeatureNotSupported, "setting %s can't be changed: skyql relies on it", n).At(st.Text, name.Pos)
	}
	return nil
}

// value gives a setting as SHOW prints it.
func (s *Session) value(name string) (string, bool) {
	if own := settingOf(name); own != nil {
		return own.get(s.settings), true
	}
	return "", false
}

// isPattern reports whether a value of the regions setting stands for what is
// enabled.
func isPattern(v string) bool { return v == "all" || strings.ContainsAny(v, "*?[!") }

// pick chooses from names by patterns: names, globs, and exclusions, which are
// of all if nothing was chosen before.
func pick(patterns, all []string, everything ...string) []string {
	var names []string
	for _, v := range patterns {
		if out, ok := strings.CutPrefix(v, "!"); ok {
			if len(names) == 0 {
				names = slices.Clone(all)
			}
			names = slices.DeleteFunc(names, func(n string) bool { hit, _ := path.Match(out, n); return hit })
			continue
		}
		if !isPattern(v) && !slices.Contains(everything, v) {
			names = append(names, v)
			continue
		}
		for _, n := range all {
			if hit, _ := path.Match(v, n); hit || slices.Contains(everything, v) {
				names = append(names, n)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// regions resolves the setting to names; an account is asked which are enabled
// only where the setting has a pattern.
func (s *Session) regions(ctx context.Context, cloud *cloudcontrol.Cloud, account string) ([]string, error) {
	if len(s.settings.Regions) == 0 {
		if r := cloud.Region(); r != "" {
			return []string{r}, nil
		}
		return nil, sqlerr.New(sqlerr.InvalidParameter, "no region: the statement names none, nor do the settings and the profile").
			WithHint("WHERE region = 'us-east-1', --regions us-east-1 or AWS_REGION=us-east-1")
	}
	var enabled []string
	if slices.ContainsFunc(s.settings.Regions, isPattern) {
		var err error
		if enabled, err = cloud.EnabledRegions(ctx, account); err != nil {
			return nil, err
		}
	}
	names := pick(s.settings.Regions, enabled, "all")
	if len(names) == 0 {
		return nil, sqlerr.New(sqlerr.InvalidParameter, "setting regions: %s matches no enabled region", strings.Join(s.settings.Regions, ",")).
			WithHint("SET regions = 'all'")
	}
	return names, nil
}

// accounts resolves the setting to ids; the organisation is asked only where
// the setting has a pattern.
func (s *Session) accounts(ctx context.Context, cloud *cloudcontrol.Cloud, me string) ([]string, error) {
	if len(s.settings.Accounts) == 0 {
		return []string{me}, nil
	}
	var all []string
	if slices.ContainsFunc(s.settings.Accounts, func(a string) bool { return a == "org" || isPattern(a) }) {
		list, err := cloud.Accounts(ctx)
		if err != nil {
			return nil, err
		}
		for _, a := range list {
			if a.Status == "ACTIVE" {
				all = append(all, a.ID)
			}
		}
	}
	ids := pick(s.settings.Accounts, all, "org")
	if len(ids) == 0 {
		return nil, sqlerr.New(sqlerr.InvalidParameter, "setting accounts: %s matches no active account", strings.Join(s.settings.Accounts, ",")).
			WithHint("SET accounts = 'org'")
	}
	return ids, nil
}
