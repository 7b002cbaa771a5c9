// Package session is the one door: Run takes SQL text and yields results.
//
// It puts the steps in order (syntax, plan, fetch, engine), resolves names and
// settings, and words every error. Shell, scripts and servers all call it;
// there is no second way to run a statement.
package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/skyql/skyql/internal/anytype"
	"github.com/skyql/skyql/internal/catalog"
	"github.com/skyql/skyql/internal/cloudcontrol"
	"github.com/skyql/skyql/internal/engine"
	"github.com/skyql/skyql/internal/fetch"
	"github.com/skyql/skyql/internal/plan"
	"github.com/skyql/skyql/internal/sqlerr"
	"github.com/skyql/skyql/internal/syntax"
)

// Options are what a session starts with. The zero value talks to AWS with the
// SDK's default chain.
type Options struct {
	Settings Settings
	// Catalog is the types to work with; nil is the embedded one.
	Catalog *catalog.Catalog
	// Cloud says how to reach AWS. Its Region and roles come from Settings.
	Cloud cloudcontrol.Options
	// Params are the values of $name in statements.
	Params map[string]string
	// TempDir is where DuckDB may spill; made when first needed.
	TempDir string
	// Notify takes what a user should know beside the rows, one line each;
	// may be nil.
	Notify func(notice string)
	Logger *slog.Logger // nil: nothing
	// Progress is told of every call and batch of rows; may be nil. It is
	// called from several goroutines.
	Progress func(fetch.Stats)
	// Changes says what the session may do to the cloud.
	Changes Changes
	// Link is shared by sessions of one process; nil: one of the session's own.
	Link *Link
	// Confine is for a session that runs statements of others: it reads, and
	// reaches nothing but AWS and its own memory. nil: it may do everything.
	Confine *engine.Confinement
}

// A Link is one set of credentials, what is known of the limits of each
// service, and what has been read. Sessions may share it.
type Link struct {
	cloud   *cloudcontrol.Cloud
	fetcher *fetch.Fetcher
	catalog *catalog.Catalog
	journal shared
}

// NewLink loads credentials and endpoints. It makes no call to AWS.
func NewLink(ctx context.Context, o cloudcontrol.Options, c *catalog.Catalog, log *slog.Logger) (*Link, error) {
	cloud, err := cloudcontrol.Open(ctx, o)
	if err != nil {
		return nil, err
	}
	c = withCloudControl(c)
	return &Link{catalog: c, cloud: cloud, fetcher: fetch.New(fetch.Options{Catalog: c, Parallel: o.Parallel, Logger: log,
		Client: func(ctx context.Context, account, region string) (fetch.Client, error) {
			return client(ctx, cloud, c, account, region)
		}})}, nil
}

// withCloudControl gives the catalog of sessions: the embedded one for nil,
// with the tables about Cloud Control itself.
func withCloudControl(c *catalog.Catalog) *catalog.Catalog {
	if c == nil {
		c = catalog.Embedded()
	}
	return c.WithCloudControl()
}

// client gives what serves those tables, too.
func client(ctx context.Context, cloud *cloudcontrol.Cloud, cat *catalog.Catalog, account, region string) (*anytype.Client, error) {
	c, err := cloud.Client(ctx, account, region)
	if err != nil {
		return nil, err
	}
	return anytype.Wrap(c, cat), nil
}

// Observe has f told of every call, from several goroutines. It is for before
// the first session.
func (l *Link) Observe(f func(fetch.Call)) { l.fetcher.Observe(f) }

// A Session runs statements, one after the other. It is not safe for
// concurrent use.
type Session struct {
	options  Options
	settings Settings
	catalog  *catalog.Catalog
	db       *engine.DB
	log      *slog.Logger
	service  string // of USE
	macros   map[string]bool
	local    bool // DuckDB may hold tables of the user's
	collated bool // and some of their columns may have a collation

	// outside are the statements that set DuckDB's own settings, by name.
	outside map[string]string

	link *Link
	tx   *pending // of the open transaction; nil for none

	planned      int // changes that plans had
	changed      int // rows, by the last statement that changes a table
	shown        bool
	calls        int
	missing      int          // parts of scopes that could not be read
	missingTable bool         // skyql.missing is there
	report       fetch.Report // of the last statement that fetched
	// narrow is what planning may drop; tests compare.
	narrow     plan.Narrow
	explaining bool
	preparing  bool        // positional parameters have no values yet
	probe      *plan.Probe // of tests
	// values are those of $1, $2 … of the statement that runs.
	values []any
}

// New opens a session. It makes no call to AWS.
func New(ctx context.Context, o Options) (*Session, error) {
	if err := o.Settings.check(); err != nil {
		return nil, err
	}
	s := &Session{options: o, settings: o.Settings, catalog: withCloudControl(o.Catalog), log: o.Logger, macros: map[string]bool{}, outside: map[string]string{}}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.link = o.Link
	if err := s.openEngine(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// Close frees the engine and what it spilled.
func (s *Session) Close() error { return s.db.Close() }

// Calls is how many calls to Cloud Control the session has made.
func (s *Session) Calls() int { return s.calls }

// Missing is how many parts of the statements' scopes could not be read, with
// on_error = 'warn'.
func (s *Session) Missing() int { return s.missing }

// A Result is what one statement came to.
type Result struct {
	Statement syntax.Statement
	// Rows is nil for a statement that gives none. It is valid until the
	// function that was handed the Result returns.
	Rows *engine.Rows
	// Took is the time up to the first row.
	Took time.Duration
}

// Run runs the statements of a script in order and hands each result to out.
// The first that fails ends the run. The error is a *sqlerr.Error; one that
// comes from cancelling ctx wraps its cause.
func (s *Session) Run(ctx context.Context, script string, out func(context.Context, Result) error) error {
	if err := checkText(script); err != nil {
		return err
	}
	for _, st := range syntax.Split(script) {
		if err := s.statement(ctx, st, out); err != nil {
			return lined(err, script, st)
		}
	}
	return nil
}

// lined says in which line of a script a statement failed.
func lined(err error, script string, st syntax.Statement) error {
	e, ok := asError[*sqlerr.Error](err)
	if !ok {
		return err
	}
	at := st.Offset
	if e.Position > 0 && e.Statement == st.Text {
		at += e.Position - 1
	}
	e.Line = 1 + strings.Count(script[:at], "\n")
	return err
}

// checkText refuses what no SQL text holds. DuckDB would end a text at a NUL
// byte and run what stands before it.
func checkText(script string) error {
	if at := syntax.OpenComment(script); at >= 0 {
		e := sqlerr.New(sqlerr.SyntaxError, "a comment that /* opens is never closed").At(script, at)
		e.Line = 1 + strings.Count(script[:at], "\n")
		return e
	}
	for i, r := range script {
		if r == 0 {
			return sqlerr.New(sqlerr.BadCharacters, "byte %d of the SQL is NUL", i+1)
		}
		if r == utf8.RuneError && !strings.HasPrefix(script[i:], string(utf8.RuneError)) {
			return sqlerr.New(sqlerr.BadCharacters, "byte %d of the SQL, 0x%02x, is not UTF-8", i+1, script[i])
		}
	}
	return nil
}

func (s *Session) statement(ctx context.Context, st syntax.Statement, out func(context.Context, Result) error) (err error) {
	defer s.recovered(&err)
	defer func() { s.db.Note(err); err = s.heal(err) }()
	if err := ctx.Err(); err != nil {
		return s.canceled(ctx)
	}
	start := time.Now()
	rows, err := s.run(ctx, st)
	if err != nil {
		return advised(st, s.word(ctx, err))
	}
	var outErr error
	if out != nil {
		outErr = out(ctx, Result{Statement: st, Rows: rows, Took: time.Since(start)})
	}
	if rows != nil {
		if err := rows.Close(); err != nil && outErr == nil {
			outErr = err
		}
	}
	if outErr != nil {
		return s.word(ctx, outErr)
	}
	return nil
}

func (s *Session) canceled(ctx context.Context) error {
	return sqlerr.New(sqlerr.QueryCanceled, "canceled").Wrap(context.Cause(ctx))
}

func (s *Session) notify(format string, args ...any) {
	if s.options.Notify != nil {
		s.options.Notify(fmt.Sprintf(format, args...))
	}
}

// run takes a statement to its rows.
func (s *Session) run(ctx context.Context, st syntax.Statement) (*engine.Rows, error) {
	if err := misspelt(st); err != nil {
		return nil, err
	}
	if err := s.permit(nil, st); err != nil {
		return nil, err
	}
	if st.Verb != syntax.Read {
		up := strings.ToUpper(st.Text)
		s.collated = s.collated || strings.Contains(up, "COLLAT") || st.Word == "ATTACH" || st.Word == "IMPORT" || st.Word == "EXECUTE"
	}
	switch st.Verb {
	case syntax.Read:
		if mentionsOwn(st) {
			if err := s.makeOwn(ctx); err != nil {
				return nil, err
			}
		}
		return s.read(ctx, st)
	case syntax.Show:
		return s.show(ctx, st)
	case syntax.Describe:
		return s.describe(ctx, st)
	case syntax.Use:
		return nil, s.use(ctx, st)
	case syntax.Set:
		return nil, s.set(ctx, st)
	case syntax.Explain:
		return s.explain(ctx, st)
	case syntax.Make, syntax.Write, syntax.Export:
		return s.change(ctx, st)
	}
	return s.other(ctx, st)
}

// other runs what is DuckDB's own business.
func (s *Session) other(ctx context.Context, st syntax.Statement) (*engine.Rows, error) {
	if isTransaction(st) {
		return nil, s.transaction(ctx, st)
	}
	if at, name := s.mentions(st); at >= 0 {
		return nil, readOnly(st, st.Word, name).At(st.Text, at)
	}
	s.local = true
	if st.Word == "PRAGMA" || st.Word == "CALL" {
		if err := mayChange(st, st.Tokens[1]); err != nil {
			return nil, err
		}
		rows, err := s.db.Plain(ctx, st.Text, nil)
		if err == nil && slices.ContainsFunc(st.Tokens, func(t syntax.Token) bool { return t.IsOp("=") }) {
			return nil, rows.Close() // a setting: its one column, Success, says nothing
		}
		return rows, err
	}
	return nil, s.db.Exec(ctx, st.Text, nil)
}

// mentions finds the first name of a cloud table in a statement that must not
// touch one.
func (s *Session) mentions(st syntax.Statement) (at int, name string) {
	for i, t := range st.Tokens {
		if !t.IsName() || i > 0 && st.Tokens[i-1].IsOp(".") {
			continue
		}
		if e, _, ok := s.cloudTable(syntax.NameAt(st.Text, t.Pos)); ok {
			return t.Pos, e.Name()
		}
	}
	return -1, ""
}

// cloudTable finds a dotted name among the cloud tables; a local schema of
// the same name as a service wins.
func (s *Session) cloudTable(parts []syntax.Part) (catalog.Entry, catalog.Form, bool) {
	switch n := len(parts); {
	case n >= 3 && isProvider(parts[0].Text):
		return s.catalog.Lookup(parts[1].Text, parts[2].Text)
	case n == 2 && !s.localSchema(parts[0].Text):
		return s.catalog.Lookup(parts[0].Text, parts[1].Text)
	case n == 1 && s.service != "":
		if _, local := s.localTable("", "", parts[0].Text); !local {
			return s.catalog.Lookup(s.service, parts[0].Text)
		}
	}
	return catalog.Entry{}, 0, false
}

func isProvider(name string) bool {
	return strings.EqualFold(name, "aws") || strings.EqualFold(name, "awscc")
}

func readOnly(st syntax.Statement, word, name string) *sqlerr.Error {
	return sqlerr.New(sqlerr.FeatureNotSupported, "%s is nothing that can be done to %s", word, name).WithHint("INSERT, UPDATE, DELETE or MERGE")
}

// connect loads credentials and endpoints, once.
func (s *Session) connect(ctx context.Context) (*Link, error) {
	if s.link != nil {
		return s.link, nil
	}
	o := s.options.Cloud
	o.Parallel = s.settings.parallel()
	o.Logger = s.log
	link, err := NewLink(ctx, o, s.catalog, s.log)
	s.link = link
	return link, err
}

// use is USE aws.service, USE service, or USE aws, which takes the service back.
func (s *Session) use(ctx context.Context, st syntax.Statement) error {
	var parts []syntax.Part
	if len(st.Tokens) > 1 {
		parts = syntax.NameAt(st.Text, st.Tokens[1].Pos)
	}
	if len(parts) == 0 || st.Tokens[len(st.Tokens)-2].End != parts[len(parts)-1].End {
		return sqlerr.New(sqlerr.SyntaxError, "USE takes a service").At(st.Text, 0).WithHint("USE aws.ec2")
	}
	if isProvider(parts[0].Text) || strings.EqualFold(parts[0].Text, "memory") {
		if len(parts) == 1 {
			s.service = ""
			return nil
		}
		parts = parts[1:]
	}
	name := strings.ToLower(parts[0].Text)
	if len(s.catalog.Entries(name)) > 0 && len(parts) == 1 && !s.localSchema(name) {
		s.service = name
		return nil
	}
	err := sqlerr.New(sqlerr.UndefinedObject, "service aws.%s does not exist", name).At(st.Text, parts[0].Pos)
	if near := s.catalog.NearServices(name); len(near) > 0 {
		return err.WithHint("did you mean USE aws.%s?", near[0])
	}
	return err.WithHint("SHOW SERVICES")
}

// asError finds an error of a type in a chain.
func asError[T error](err error) (T, bool) {
	var t T
	ok := errors.As(err, &t)
	return t, ok
}
