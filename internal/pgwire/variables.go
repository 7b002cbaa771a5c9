package pgwire

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/skyql/skyql/internal/engine"
	"github.com/skyql/skyql/internal/session"
	"github.com/skyql/skyql/internal/sqlerr"
	"github.com/skyql/skyql/internal/syntax"
)

// A variable is a setting of PostgreSQL's that clients read or set.
type variable struct {
	name  string
	value string                       // at first
	check func(string) (string, error) // gives the value as it is kept; nil: it can't be set
}

// variables are the settings of a connection.
type variables struct {
	conn   *conn
	values map[string]string // in lower case
	start  map[string]string // what RESET goes back to
	before map[string]string // at the begin of the transaction block; nil: none
	local  map[string]string // what SET LOCAL hides
	// ownBefore and ownLocal are the same of the session's own settings.
	ownBefore, ownLocal map[string]string
	quiet               int               // rank of client_min_messages
	given               map[string]string // what the startup message sets
}

// reported are the settings that clients are told of, at the start and whenever
// they change.
var reported = []string{"application_name", "client_encoding", "datestyle", "default_transaction_read_only", "in_hot_standby", "integer_datetimes", "intervalstyle",
	"is_superuser", "search_path", "server_encoding", "server_version", "session_authorization", "standard_conforming_strings", "timezone"}

func anything(v string) (string, error) { return v, nil }

// only allows one value: what clients set to be sure of it.
func only(value string, also ...string) func(string) (string, error) {
	return func(v string) (string, error) {
		if strings.EqualFold(v, value) || slices.ContainsFunc(also, func(a string) bool { return strings.EqualFold(a, v) }) {
			return value, nil
		}
		return "", fmt.Errorf("only %s is supported", value)
	}
}

func oneOf(values ...string) func(string) (string, error) {
	return func(v string) (string, error) {
		if l := strings.ToLower(v); slices.Contains(values, l) {
			return l, nil
		}
		return "", fmt.Errorf("it is one of %s", strings.Join(values, ", "))
	}
}

func onOff(v string) (string, error) {
	switch strings.ToLower(v) {
	case "on", "true", "yes", "1", "t":
		return "on", nil
	case "off", "false", "no", "0", "f":
		return "off", nil
	}
	return "", fmt.Errorf("it is on or off")
}

// dateStyle takes any order of fields: dates are always written as ISO 8601.
func dateStyle(v string) (string, error) {
	if !strings.HasPrefix(strings.ToLower(v), "iso") && !slices.Contains([]string{"mdy", "dmy", "ymd"}, strings.ToLower(v)) {
		return "", fmt.Errorf("only ISO is supported")
	}
	return "ISO, MDY", nil
}

func wholeNumber(v string) (string, error) {
	_, err := strconv.Atoi(v)
	return v, err
}

func timespan(v string) (string, error) {
	d, err := parseSpan(v)
	if err != nil {
		return "", err
	}
	return writeSpan(d), nil
}

// parseSpan reads a time as PostgreSQL does: milliseconds, or a number and a
// unit.
func parseSpan(v string) (time.Duration, error) {
	v = strings.TrimSpace(v)
	i := strings.IndexFunc(v, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
	number, unit := v, "ms"
	if i >= 0 {
		number, unit = v[:i], strings.TrimSpace(v[i:])
	}
	units := map[string]time.Duration{"us": time.Microsecond, "ms": time.Millisecond, "s": time.Second, "min": time.Minute, "h": time.Hour, "d": 24 * time.Hour}
	f, err := strconv.ParseFloat(number, 64)
	if err != nil || units[unit] == 0 || f > 1e9 {
		return 0, fmt.Errorf("%q is no time such as 500ms, 30s, 5min", v)
	}
	return time.Duration(f * float64(units[unit])), nil
}

func writeSpan(d time.Duration) string {
	switch {
	case d == 0:
		return "0"
	case d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d%time.Minute == 0:
		return fmt.Sprintf("%dmin", d/time.Minute)
	case d%time.Second == 0:
		return fmt.Sprintf("%ds", d/time.Second)
	}
	return fmt.Sprintf("%dms", d/time.Millisecond)
}

var levels = []string{"debug5", "debug4", "debug3", "debug2", "debug1", "log", "notice", "warning", "error"}

var knownVariables = []variable{
	{"application_name", "", anything}, {"bytea_output", "hex", only("hex")}, {"client_encoding", "UTF8", only("UTF8", "utf-8", "unicode")},
	{"client_min_messages", "notice", oneOf(levels...)}, {"confirm", "plan", oneOf("plan", "apply")}, {"DateStyle", "ISO, MDY", dateStyle}, {"default_transaction_deferrable", "off", onOff},
	{"default_transaction_isolation", "read committed", oneOf("serializable", "repeatable read", "read committed", "read uncommitted")},
	{"default_transaction_read_only", "on", onOff}, {"extra_float_digits", "1", wholeNumber}, {"geqo", "on", onOff}, {"jit", "off", onOff},
	{"idle_in_transaction_session_timeout", "0", timespan}, {"idle_session_timeout", "0", timespan}, {"in_hot_standby", "off", nil}, {"integer_datetimes", "on", nil},
	{"IntervalStyle", "postgres", only("postgres")}, {"is_superuser", "off", nil}, {"lc_collate", "C", nil}, {"lc_ctype", "C.UTF-8", nil}, {"lc_messages", "C", anything},
	{"lc_monetary", "C", anything}, {"lc_numeric", "C", anything}, {"lc_time", "C", anything}, {"lock_timeout", "0", timespan}, {"max_identifier_length", "63", nil},
	{"max_index_keys", "32", nil}, {"row_security", "on", onOff}, {"search_path", `"$user", public`, anything}, {"server_encoding", "UTF8", nil},
	{"server_version", version, nil}, {"server_version_num", "150000", nil}, {"session_authorization", "", nil}, {"standard_conforming_strings", "on", only("on")},
	{"statement_timeout", "0", timespan}, {"synchronize_seqscans", "on", onOff}, {"synchronous_commit", "on", anything}, {"TimeZone", "UTC", zone},
	{"transaction_deferrable", "off", onOff}, {"transaction_isolation", "read committed", oneOf("serializable", "repeatable read", "read committed", "read uncommitted")},
	{"transaction_read_only", "on", onOff}, {"work_mem", "4MB", anything}, {"block_size", "8192", nil}, {"ssl", "off", nil}, {"max_connections", "100", nil},
	{"array_nulls", "on", onOff}, {"backslash_quote", "safe_encoding", anything}, {"escape_string_warning", "on", onOff}, {"xmloption", "content", anything},
}

func variableOf(name string) *variable {
	for i := range knownVariables {
		if strings.EqualFold(knownVariables[i].name, name) {
			return &knownVariables[i]
		}
	}
	return nil
}

// zone takes the names that Go's and DuckDB's lists of time zones share.
func zone(v string) (string, error) {
	if strings.EqualFold(v, "utc") || strings.EqualFold(v, "gmt") || strings.EqualFold(v, "z") {
		return "UTC", nil
	}
	l, err := time.LoadLocation(v)
	if err != nil || v == "" || strings.EqualFold(v, "local") {
		return "", fmt.Errorf("time zone %q is not known", v)
	}
	return l.String(), nil
}

// newVariables makes a connection's settings, those of the startup message
// among them. What isn't known there is ignored, as PostgreSQL's poolers do.
func newVariables(c *conn, params map[string]string) (*variables, error) {
	v := &variables{conn: c, values: map[string]string{}}
	for _, k := range knownVariables {
		v.values[strings.ToLower(k.name)] = k.value
	}
	v.values["session_authorization"] = c.user
	v.values["statement_timeout"] = writeSpan(c.server.limits.StatementTimeout)
	v.values["max_connections"] = strconv.Itoa(c.server.limits.Sessions)
	if c.writable() {
		v.values[readOnlyByDefault] = "off"
	}
	given := map[string]string{}
	v.given = given
	for name, value := range params {
		if name != "user" && name != "database" && name != "options" && name != "replication" && !strings.HasPrefix(name, "_pq_.") {
			given[name] = value
		}
	}
	if err := readOptions(params["options"], given); err != nil {
		return nil, err
	}
	if r := strings.ToLower(params["replication"]); r != "" && r != "off" && r != "false" && r != "0" && r != "no" {
		return nil, fatal{sqlerr.New(sqlerr.FeatureNotSupported, "this server has no replication")}
	}
	for name, value := range given {
		if k := variableOf(name); k != nil && k.check != nil && (c.writable() || !isAccess(name)) {
			kept, err := k.check(value)
			if err != nil {
				return nil, fatal{sqlerr.New(sqlerr.InvalidParameter, "invalid value for parameter %q: %q", name, value).WithDetail("%v", err)}
			}
			v.values[strings.ToLower(name)] = kept
		}
	}
	v.values[readOnlyNow] = v.values[readOnlyByDefault]
	v.start = maps.Clone(v.values)
	v.rank()
	return v, nil
}

// readOptions reads -c name=value and --name=value of the options parameter.
func readOptions(text string, into map[string]string) error {
	words := strings.Fields(strings.ReplaceAll(text, `\ `, "\x00"))
	for i := 0; i < len(words); i++ {
		word := words[i]
		if word == "-c" && i+1 < len(words) {
			i++
			word = "-c" + words[i]
		}
		rest, ok := strings.CutPrefix(word, "-c")
		if !ok {
			rest, ok = strings.CutPrefix(word, "--")
		}
		name, value, eq := strings.Cut(rest, "=")
		if !ok || !eq {
			return fatal{sqlerr.New(sqlerr.InvalidParameter, "startup option %q is not -c name=value", word)}
		}
		into[strings.ReplaceAll(name, "-", "_")] = strings.ReplaceAll(value, "\x00", " ")
	}
	return nil
}

// apply brings what the session has to do with into it.
func (v *variables) apply(ctx context.Context) error {
	for _, name := range []string{"timezone", "search_path"} {
		if v.values[name] != variableOf(name).value {
			if err := v.effect(ctx, name); err != nil {
				return err
			}
		}
	}
	for _, name := range session.SettingNames() {
		value, ok := v.given[name]
		if !ok {
			continue
		}
		if err := v.tell(ctx, "SET "+name+" = "+syntax.Literal(value)); err != nil {
			return fatal{sqlerr.From(err)}
		}
	}
	return nil
}

// effect makes the session follow a setting.
func (v *variables) effect(ctx context.Context, name string) error {
	switch name {
	case "timezone":
		return v.tell(ctx, "SET TimeZone = "+syntax.Literal(v.values[name]))
	case "search_path":
		for _, s := range pathNames(v.values[name]) {
			if err := v.tell(ctx, "USE aws."+syntax.Quote(s)); err == nil {
				return nil
			}
		}
		return v.tell(ctx, "USE aws")
	case "client_min_messages":
		v.rank()
	}
	return nil
}

func (v *variables) tell(ctx context.Context, text string) error {
	v.conn.park(nil)
	_, err := v.conn.session.Query(ctx, syntax.Split(text)[0], nil)
	return err
}

// pathNames are the schemas of a search path that may be services.
func pathNames(path string) []string {
	var out []string
	for _, t := range syntax.Lex(path) {
		if t.IsName() && t.Text != "$user" && t.Text != "public" && t.Text != "pg_catalog" && t.Text != "" {
			out = append(out, t.Text)
		}
	}
	return out
}

func (v *variables) rank() { v.quiet = slices.Index(levels, v.values["client_min_messages"]) }

// wants reports whether messages of a level are to be sent.
func (v *variables) wants(level string) bool { return slices.Index(levels, level) >= v.quiet }

func (v *variables) get(name string) string { return v.values[strings.ToLower(name)] }

// all are the settings by the names that PostgreSQL writes, the session's own
// among them.
func (v *variables) all() map[string]string {
	out := map[string]string{}
	maps.Copy(out, v.own())
	for name, value := range v.values {
		if k := variableOf(name); k != nil {
			name = k.name
		}
		out[name] = value
	}
	return out
}

func (v *variables) timeout() time.Duration {
	d, err := parseSpan(v.values["statement_timeout"])
	if err != nil {
		return 0
	}
	return d
}

// put sets a variable that is checked already, and tells the client.
func (v *variables) put(ctx context.Context, name, value string) error {
	name = strings.ToLower(name)
	if isAccess(name) {
		return v.setAccess(name, value)
	}
	if v.values[name] == value {
		return nil
	}
	v.follow(name, value)
	return v.effect(ctx, name)
}

// follow notes what is so already, and tells the client.
func (v *variables) follow(name, value string) {
	v.values[name] = value
	if slices.Contains(reported, name) {
		v.conn.send(&pgproto3.ParameterStatus{Name: variableOf(name).name, Value: value})
	}
}

// begin, commit and rollback are the life of a transaction block: SET ends with
// one that is rolled back, SET LOCAL with any.
func (v *variables) begin() {
	v.before, v.local = maps.Clone(v.values), map[string]string{}
	v.ownBefore, v.ownLocal = v.own(), map[string]string{}
}

func (v *variables) end(ctx context.Context, commit bool) error {
	to, own := v.local, v.ownLocal
	if !commit {
		to, own = v.before, v.ownBefore
	}
	v.before, v.local, v.ownBefore, v.ownLocal = nil, nil, nil, nil
	if err := v.restore(ctx, own); err != nil {
		return err
	}
	defer func() { v.values[readOnlyNow] = v.values[readOnlyByDefault] }()
	for name, value := range to {
		if err := v.put(ctx, name, value); err != nil {
			return err
		}
	}
	return nil
}

// set is SET, RESET and their forms; own settings of the session go there.
func (c *conn) set(ctx context.Context, st syntax.Statement) error {
	toks := st.Tokens[1:]
	local := false
	if st.Word == "SET" && (toks[0].Is("SESSION") || toks[0].Is("LOCAL")) && !toks[1].IsOp("=") {
		local = toks[0].Is("LOCAL")
		toks = toks[1:]
	}
	first := toks[0]
	switch {
	case first.Is("TRANSACTION"), first.Is("CHARACTERISTICS"):
		return c.vars.setMode(st, first.Is("CHARACTERISTICS")) // there is one isolation
	case first.Is("CONSTRAINTS"), first.Is("ROLE"), first.Is("AUTHORIZATION"):
		return nil // there is one role
	case first.Is("TIME") && toks[1].Is("ZONE"):
		return c.setTo(ctx, st, local, "timezone", toks[2:])
	case first.Is("NAMES"):
		return c.setTo(ctx, st, local, "client_encoding", toks[1:])
	case first.Is("SCHEMA"):
		return c.setTo(ctx, st, local, "search_path", toks[1:])
	case first.Is("ALL") && st.Word == "RESET":
		for name, value := range c.vars.start {
			if err := c.vars.put(ctx, name, value); err != nil {
				return err
			}
		}
		for _, name := range session.SettingNames() {
			if err := c.vars.tell(ctx, "RESET "+name); err != nil {
				return err
			}
		}
		return nil
	case slices.Contains(session.SettingNames(), strings.ToLower(first.Text)):
		if local && !c.vars.hides(strings.ToLower(first.Text)) {
			return nil
		}
		c.park(nil)
		_, err := c.session.Query(ctx, st, nil)
		return err
	case !first.IsName():
		return sqlerr.New(sqlerr.SyntaxError, "%s needs a setting", st.Word).At(st.Text, first.Pos).WithHint("SET regions = 'all'")
	}
	name, rest := strings.ToLower(first.Text), toks[1:]
	for len(rest) > 2 && rest[0].IsOp(".") { // a name of an application's own
		name += "." + strings.ToLower(rest[1].Text)
		rest = rest[2:]
	}
	if st.Word == "SET" && !rest[0].IsOp("=") && !rest[0].Is("TO") {
		return sqlerr.New(sqlerr.SyntaxError, "SET %s needs a value", name).At(st.Text, rest[0].Pos).WithHint("SET %s = '…'", name)
	}
	if st.Word == "SET" {
		rest = rest[1:]
	}
	return c.setTo(ctx, st, local, name, rest)
}

// setTo gives a variable the value that the rest of a statement holds.
func (c *conn) setTo(ctx context.Context, st syntax.Statement, local bool, name string, rest []syntax.Token) error {
	k := variableOf(name)
	custom := strings.Contains(name, ".")
	if k == nil && !custom {
		return sqlerr.New(sqlerr.UndefinedObject, "unrecognized configuration parameter %q", name).At(st.Text, st.Tokens[1].Pos).
			WithHint("%s", strings.Join(session.SettingNames(), ", "))
	}
	var words []string
	for _, t := range rest {
		switch t.Kind {
		case syntax.EOF:
		case syntax.Op:
			if t.Text == "-" {
				words = append(words, "-")
			}
		case syntax.Quoted:
			words = append(words, syntax.Quote(t.Text))
		default:
			words = append(words, t.Text)
		}
	}
	value := strings.ReplaceAll(strings.Join(words, ", "), "-, ", "-")
	isDefault := st.Word == "RESET" || len(rest) > 0 && (rest[0].Is("DEFAULT") || rest[0].Is("LOCAL"))
	switch {
	case isDefault:
		value = c.vars.start[name]
	case custom:
	case k.check == nil:
		return sqlerr.New("55P02", "parameter %q cannot be changed", k.name).At(st.Text, st.Tokens[1].Pos)
	default:
		kept, err := k.check(value)
		if err != nil {
			return sqlerr.New(sqlerr.InvalidParameter, "invalid value for parameter %q: %q", k.name, value).WithDetail("%v", err)
		}
		value = kept
	}
	if local && !c.vars.hides(name) {
		return nil
	}
	return c.vars.put(ctx, name, value)
}

// show is SHOW of a variable; ok is false for what the session shows.
func (c *conn) show(st syntax.Statement) (rows *engine.Rows, ok bool) {
	toks := st.Tokens[1:]
	name := strings.ToLower(toks[0].Text)
	switch {
	case toks[0].Is("TIME") && toks[1].Is("ZONE"):
		name = "timezone"
	case toks[0].Is("TRANSACTION") && toks[1].Is("ISOLATION"):
		name = "transaction_isolation"
	case toks[0].Is("SESSION") && toks[1].Is("AUTHORIZATION"):
		name = "session_authorization"
	case toks[0].Is("ALL") && len(toks) == 2:
		var values [][]any
		all := c.vars.all()
		for _, n := range sorted(all) {
			values = append(values, []any{n, all[n], ""})
		}
		return engine.Static([]engine.Column{textColumn("name"), textColumn("setting"), textColumn("description")}, values), true
	default:
		for i := 1; i+1 < len(toks) && toks[i].IsOp("."); i += 2 {
			name += "." + strings.ToLower(toks[i+1].Text)
		}
	}
	value, ok := c.vars.values[name]
	if !ok {
		return nil, false
	}
	if k := variableOf(name); k != nil {
		name = k.name
	}
	return engine.Static([]engine.Column{textColumn(name)}, [][]any{{value}}), true
}

func textColumn(name string) engine.Column {
	return engine.Column{Name: name, Type: "VARCHAR", Kind: engine.Text}
}
