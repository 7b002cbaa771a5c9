package session

import (
	"context"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/skyql/skyql/internal/catalog"
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
	// Accounts are those of statements that name none. Empty: the caller's.
	Accounts []string
	// Parallel bounds the calls in flight; 0 is 64.
	Parallel int
}

const defaultParallel = 64

func (s Settings) parallel() int {
	if s.Parallel == 0 {
		return defaultParallel
	}
	return s.Parallel
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
		if !isAccount(a) {
			return sqlerr.New(sqlerr.InvalidParameter, "setting accounts: %q is not an account id", a).
				WithHint("twelve digits, such as 111122223333")
		}
	}
	if s.Parallel < 0 || s.Parallel > 1000 {
		return sqlerr.New(sqlerr.InvalidParameter, "setting parallel: %d is not a number from 1 to 1000", s.Parallel)
	}
	return nil
}

func isAccount(s string) bool {
	return len(s) == 12 && strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' }) < 0
}

// checkRegion refuses a name or glob that no known region has.
func checkRegion(what, value string) error {
	name := strings.TrimPrefix(value, "!")
	if name == "all" && name == value {
		return nil
	}
	for _, r := range catalog.Regions() {
		if ok, err := path.Match(name, r.Name); ok && err == nil {
			return nil
		}
	}
	err := sqlerr.New(sqlerr.InvalidParameter, "%s: region %q does not exist", what, value)
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
		return s.db.Exec(ctx, st.Text, nil) // DuckDB's parser says what is missing
	}
	name := strings.ToLower(toks[0].Text)
	switch name {
	case "default_collation", "schema", "search_path", "temp_directory", "enable_external_access", "lock_configuration":
		return sqlerr.New(sqlerr.FeatureNotSupported, "setting %s can't be changed: skyql relies on it", name).At(st.Text, toks[0].Pos)
	case "regions", "accounts", "parallel":
	case "pushdown":
		return s.setPushdown(st, toks)
	default:
		return s.db.Exec(ctx, st.Text, nil)
	}
	var values []string
	if st.Word == "SET" {
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
		if len(values) == 0 {
			return sqlerr.New(sqlerr.SyntaxError, "setting %s needs a value", name).At(st.Text, toks[0].Pos).WithHint("SET %s = '…'", name)
		}
	}
	next, err := s.with(name, values)
	if err == nil {
		err = next.check()
	}
	if err != nil {
		return sqlerr.From(err).At(st.Text, toks[0].Pos)
	}
	s.settings = next
	return nil
}

// setPushdown is SET pushdown = 'on' or 'off': off fetches whole tables in the
// scope of a statement, and gives the same rows.
func (s *Session) setPushdown(st syntax.Statement, toks []syntax.Token) error {
	value := "on"
	for _, t := range toks[1:] {
		if t.Kind != syntax.EOF && !t.IsOp("=") && !t.Is("TO") {
			value = strings.ToLower(t.Text)
		}
	}
	switch value {
	case "on", "default", "true":
		s.narrow = plan.Keys
	case "off", "false":
		s.narrow = plan.Scope
	default:
		return sqlerr.New(sqlerr.InvalidParameter, "setting pushdown: %q is neither on nor off", value).At(st.Text, toks[0].Pos)
	}
	return nil
}

// with gives the settings with one changed; no values puts back what the
// session started with.
func (s *Session) with(name string, values []string) (Settings, error) {
	next := s.settings
	reset := len(values) == 0 || len(values) == 1 && strings.EqualFold(values[0], "default")
	switch name {
	case "regions":
		next.Regions = values
		if reset {
			next.Regions = s.options.Settings.Regions
		}
	case "accounts":
		next.Accounts = values
		if reset {
			next.Accounts = s.options.Settings.Accounts
		}
	case "parallel":
		next.Parallel = s.options.Settings.Parallel
		if !reset {
			n, err := strconv.Atoi(values[0])
			if err != nil || n < 1 {
				return next, sqlerr.New(sqlerr.InvalidParameter, "setting parallel: %q is not a number from 1 to 1000", values[0])
			}
			next.Parallel = n
		}
	}
	return next, nil
}

// value gives a setting as SHOW prints it.
func (s *Session) value(name string) (string, bool) {
	switch strings.ToLower(name) {
	case "regions":
		return strings.Join(s.settings.Regions, ","), true
	case "accounts":
		return strings.Join(s.settings.Accounts, ","), true
	case "parallel":
		return strconv.Itoa(s.settings.parallel()), true
	}
	return "", false
}

// regions resolves the setting to names; account is asked which are enabled
// only where the setting has a pattern.
func (s *Session) regions(ctx context.Context, account string) ([]string, error) {
	cloud, err := s.connect(ctx)
	if err != nil {
		return nil, err
	}
	if len(s.settings.Regions) == 0 {
		if r := cloud.Region(); r != "" {
			return []string{r}, nil
		}
		return nil, sqlerr.New(sqlerr.InvalidParameter, "no region: the statement names none, nor do the settings and the profile").
			WithHint("WHERE region = 'us-east-1', --regions us-east-1 or AWS_REGION=us-east-1")
	}
	var names []string
	var enabled []string
	for _, v := range s.settings.Regions {
		if v != "all" && !strings.ContainsAny(v, "*?[!") {
			names = append(names, v)
			continue
		}
		if enabled == nil {
			if enabled, err = cloud.EnabledRegions(ctx, account); err != nil {
				return nil, err
			}
		}
		if out, ok := strings.CutPrefix(v, "!"); ok {
			if len(names) == 0 { // only exclusions: of all
				names = slices.Clone(enabled)
			}
			names = slices.DeleteFunc(names, func(n string) bool { hit, _ := path.Match(out, n); return hit })
			continue
		}
		for _, n := range enabled {
			if hit, _ := path.Match(v, n); hit || v == "all" {
				names = append(names, n)
			}
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if len(names) == 0 {
		return nil, sqlerr.New(sqlerr.InvalidParameter, "setting regions: %s matches no enabled region", strings.Join(s.settings.Regions, ",")).
			WithHint("SET regions = 'all'")
	}
	return names, nil
}
