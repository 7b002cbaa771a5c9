package shell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/skyql/skyql/internal/catalog"
	"github.com/skyql/skyql/internal/engine"
	"github.com/skyql/skyql/internal/session"
	"github.com/skyql/skyql/internal/sqlerr"
	"github.com/skyql/skyql/internal/syntax"
)

// A metaCommand is one that the shell takes, besides SQL.
type metaCommand struct {
	names []string
	args  string
	help  string
	run   func(s *Shell, ctx context.Context, c call) error
}

// A call is a meta command with what stands before it on the line.
type call struct {
	pending string // statements that no semicolon ended
	args    string
	name    string
}

// metaCommands are all of them, in the order in which \? shows them. It is a
// function because \? reads it.
func metaCommands() []metaCommand {
	return []metaCommand{
		{[]string{"?", "help", "h"}, "", "this list", (*Shell).help},
		{[]string{"q", "quit", "exit"}, "", "leave; so does Ctrl-D", func(*Shell, context.Context, call) error { return errQuit }},
		{[]string{"d", "describe", "schema"}, "[TABLE]", "the columns of a table; without one, the tables of USE", (*Shell).describe},
		{[]string{"dt", "tables"}, "[PATTERN]", "tables like *bucket*, aws.ec2.*", (*Shell).listTables},
		{[]string{"dn", "services"}, "[PATTERN]", "services", (*Shell).listServices},
		{[]string{"l", "list", "databases"}, "", "what can be queried: clouds and local data", (*Shell).listDatabases},
		{[]string{"x"}, "[on|off]", "a value a line, for wide rows", (*Shell).expand},
		{[]string{"mode"}, "[NAME]", "output mode: " + strings.Join(Modes, ", "), (*Shell).setMode},
		{[]string{"rows", "maxrows"}, "[N]", "rows that duckbox shows, 0 for all", (*Shell).setRows},
		{[]string{"pager"}, "[on|off|COMMAND]", "what shows results longer than the screen", (*Shell).setPager},
		{[]string{"timing", "timer"}, "[on|off]", "time each statement", (*Shell).setTiming},
		{[]string{"o", "output"}, "[FILE|'|COMMAND']", "results go to a file or command; alone: back to the screen", (*Shell).redirect},
		{[]string{"i", "include", "read"}, "FILE", "run a file", (*Shell).include},
		{[]string{"e", "edit"}, "[FILE]", "edit the statement in $EDITOR", (*Shell).edit},
		{[]string{"g", "go"}, "[FILE|'|COMMAND']", "run the statement, as ; does; alone: the last one again", (*Shell).again},
		{[]string{"gx"}, "", "the same, a value a line", (*Shell).againExpanded},
		{[]string{"watch"}, "[SECONDS]", "run it again and again, reading anew, until Ctrl-C", (*Shell).watch},
		{[]string{"copy"}, "T|(QUERY) TO FILE, T FROM FILE", "rows to a file (csv, parquet, json), or from one to a local table", (*Shell).copy},
		{[]string{"set"}, "[NAME [VALUE]]", "what $NAME stands for in statements", (*Shell).set},
		{[]string{"unset"}, "NAME", "forget it", (*Shell).unset},
		{[]string{"conninfo"}, "", "account, regions, endpoint, catalog", (*Shell).connInfo},
	}
}

// meta runs a meta command.
func (s *Shell) meta(ctx context.Context, pending string, c command) error {
	if !hasStatement(pending) {
		pending = ""
	}
	all := metaCommands()
	for _, m := range all {
		if slices.Contains(m.names, c.name) {
			return m.run(s, ctx, call{pending, strings.TrimRight(c.args, "; "), c.name})
		}
	}
	var names []string
	for _, m := range all {
		names = append(names, m.names...)
	}
	if c.name == "" { // \! and the like
		c.name, _ = word(c.args)
	}
	e := sqlerr.New(sqlerr.SyntaxError, `there is no command \%s`, c.name)
	if near := catalog.Nearest(c.name, names); len(near) > 0 && c.name != "" {
		return e.WithHint(`\%s`, strings.Join(near, `, \`))
	}
	return e.WithHint(`\?`)
}

// word takes the first word of arguments, in quotes or not.
func word(args string) (first, rest string) {
	args = strings.TrimSpace(args)
	if args != "" && (args[0] == '\'' || args[0] == '"') {
		if i := strings.IndexByte(args[1:], args[0]); i >= 0 {
			return args[1 : i+1], strings.TrimSpace(args[i+2:])
		}
	}
	first, rest, _ = strings.Cut(args, " ")
	return first, strings.TrimSpace(rest)
}

// onOff reads a switch: nothing turns it over.
func onOff(args string, now bool) (bool, error) {
	switch strings.ToLower(args) {
	case "":
		return !now, nil
	case "on", "true", "1":
		return true, nil
	case "off", "false", "0":
		return false, nil
	}
	return now, sqlerr.New(sqlerr.InvalidParameter, "%q is neither on nor off", args)
}

// say tells somebody who types what became of a command.
func (s *Shell) say(format string, args ...any) {
	if s.out.interactive && !s.o.Quiet {
		fmt.Fprintf(s.o.Err, format+"\n", args...)
	}
}

func (s *Shell) help(_ context.Context, _ call) error {
	var rows [][]any
	for _, m := range metaCommands() {
		rows = append(rows, []any{strings.TrimSpace(`\` + m.names[0] + " " + m.args), m.help})
	}
	wide := 0
	for _, r := range rows {
		wide = max(wide, len(r[0].(string)))
	}
	var lines []string
	for _, r := range rows {
		lines = append(lines, fmt.Sprintf(" %-*s  %s", wide, r[0], r[1]))
	}
	lines = append(lines, "", " A statement runs at its semicolon. Tab completes, Ctrl-R searches the history, Ctrl-C drops the line or stops the statement.",
		" SHOW SERVICES, SHOW TABLES IN aws.ec2, DESCRIBE t, EXPLAIN …, SET regions = 'all' are statements. A dot does for the backslash: .dt")
	return s.lines(lines)
}

// lines shows text as results are shown.
func (s *Shell) lines(lines []string) error {
	return s.out.write(engine.Lines("text", lines), nil)
}

func (s *Shell) expand(_ context.Context, c call) (err error) {
	if s.out.expanded, err = onOff(c.args, s.out.expanded); err == nil {
		s.say("expanded is %s", onWord(s.out.expanded))
	}
	return err
}

func onWord(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

func (s *Shell) setMode(_ context.Context, c call) error {
	if c.args == "" {
		s.say("mode is %s", s.out.mode)
		return nil
	}
	return s.out.setMode(c.args)
}

func (s *Shell) setRows(_ context.Context, c call) error {
	if c.args == "" {
		s.say("rows is %d", s.out.rows)
		return nil
	}
	n, err := strconv.Atoi(c.args)
	if err != nil || n < 0 {
		return sqlerr.New(sqlerr.InvalidParameter, "%q is not a number of rows", c.args).WithHint(`\rows 100, or \rows 0 for all`)
	}
	s.out.rows = n
	return nil
}

func (s *Shell) setPager(_ context.Context, c call) error {
	switch c.args {
	case "":
	case "on":
		s.out.pager = defaultPager()
	case "off":
		s.out.pager = ""
	default:
		s.out.pager = c.args
	}
	if s.out.pager == "" {
		s.say("pager is off")
		return nil
	}
	s.say("pager is %s", s.out.pager)
	return nil
}

func (s *Shell) setTiming(_ context.Context, c call) (err error) {
	if s.timing, err = onOff(c.args, s.timing); err == nil {
		s.say("timing is %s", onWord(s.timing))
	}
	return err
}

func (s *Shell) redirect(_ context.Context, c call) error {
	name := c.args
	if !strings.HasPrefix(name, "|") {
		name, _ = word(name)
	}
	return s.out.openFile(name)
}

// mostIncluded is how deep files may include files.
const mostIncluded = 16

func (s *Shell) include(ctx context.Context, c call) error {
	name, _ := word(c.args)
	if name == "" {
		return sqlerr.New(sqlerr.SyntaxError, `\i needs a file`).WithHint(`\i script.sql`)
	}
	if s.depth >= mostIncluded {
		return sqlerr.New(sqlerr.ProgramLimit, `\i %s: files include each other %d deep`, name, mostIncluded)
	}
	f, err := os.Open(home(name))
	if err != nil {
		return err
	}
	defer f.Close()
	s.depth++
	defer func() { s.depth-- }()
	err = s.script(ctx, f)
	var e *sqlerr.Error
	if errors.As(err, &e) && e.File == "" {
		e.File = name
	}
	return err
}

// again is \g: what stands before it, or the last statement, runs now.
func (s *Shell) again(ctx context.Context, c call) error {
	sql := c.pending
	if sql == "" {
		sql = s.last
	}
	if sql == "" {
		return sqlerr.New(sqlerr.SyntaxError, `\%s: there is no statement yet`, c.name)
	}
	s.last = sql
	if c.args != "" {
		kept := s.out.file
		s.out.file = nil
		if err := s.redirect(ctx, c); err != nil {
			s.out.file = kept
			return err
		}
		defer func() {
			s.out.closeFile()
			s.out.file = kept
		}()
	}
	return s.run(ctx, sql)
}

func (s *Shell) againExpanded(ctx context.Context, c call) error {
	kept := s.out.expanded
	s.out.expanded = true
	defer func() { s.out.expanded = kept }()
	return s.again(ctx, c)
}

// watch is \watch n: the statement again and again, read anew each time.
func (s *Shell) watch(ctx context.Context, c call) error {
	every := 2 * time.Second
	if c.args != "" {
		n, err := strconv.ParseFloat(c.args, 64)
		if err != nil || !(n >= 0.1 && n <= 86400) {
			return sqlerr.New(sqlerr.InvalidParameter, `\watch: %q is not a time in seconds from 0.1`, c.args).WithHint(`\watch 5`)
		}
		every = time.Duration(n * float64(time.Second))
	}
	sql := c.pending
	if sql == "" {
		sql = s.last
	}
	if sql == "" {
		return sqlerr.New(sqlerr.SyntaxError, `\watch: there is no statement yet`)
	}
	if s.session.Changing(sql) {
		return sqlerr.New(sqlerr.FeatureNotSupported, `\watch reads again and again: it changes nothing in the cloud`).WithHint("run the statement by itself, once")
	}
	s.last = sql
	kept, pager := s.session.Settings().Cache, s.out.pager
	s.out.pager = ""
	defer func() { s.out.pager = pager }()
	if err := s.session.Run(ctx, "SET cache = '0s'", nil); err != nil {
		return err
	}
	defer s.session.Run(ctx, "SET cache = "+syntax.Literal(kept.String()), nil)
	ctx, stop := s.interruptible(ctx)
	defer stop()
	for {
		if !s.o.Quiet {
			fmt.Fprintln(s.o.Err, s.out.dim(time.Now().Format("15:04:05")+", every "+every.String()+"; Ctrl-C ends it"))
		}
		if err := s.session.Run(ctx, sql, s.result); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		select {
		case <-time.After(every):
		case <-ctx.Done():
			return nil
		}
	}
}

// copy is \copy: COPY, with a file name that needs no quotes.
func (s *Shell) copy(ctx context.Context, c call) error {
	what, direction, rest := copyParts(c.args)
	file, options := word(rest)
	if what == "" || file == "" {
		return sqlerr.New(sqlerr.SyntaxError, `\copy takes a table or a query, TO or FROM, and a file`).WithHint(`\copy (SELECT * FROM aws.s3.buckets) TO buckets.csv`)
	}
	if strings.EqualFold(file, "stdout") && direction == "TO" {
		kept := s.out.mode
		s.out.mode = "csv"
		defer func() { s.out.mode = kept }()
		if !strings.HasPrefix(what, "(") {
			what = "FROM " + what
		}
		return s.run(ctx, what)
	}
	if strings.EqualFold(options, "csv header") {
		options = "(FORMAT csv, HEADER)"
	}
	return s.run(ctx, fmt.Sprintf("COPY %s %s %s %s", what, direction, syntax.Literal(home(file)), options))
}

// copyParts cuts arguments at the TO or FROM that stands outside parentheses.
func copyParts(args string) (what, direction, rest string) {
	depth := 0
	for _, t := range syntax.Lex(args) {
		switch {
		case t.IsOp("("):
			depth++
		case t.IsOp(")"):
			depth--
		case depth == 0 && t.Pos > 0 && (t.Is("TO") || t.Is("FROM")):
			return strings.TrimSpace(args[:t.Pos]), strings.ToUpper(t.Text), strings.TrimSpace(args[t.End:])
		}
	}
	return "", "", ""
}

func (s *Shell) set(_ context.Context, c call) error {
	name, value := word(c.args)
	if name == "" {
		var lines []string
		for n, v := range s.o.Params {
			if session.SecretName(n) {
				v = session.Hidden
			}
			lines = append(lines, "$"+n+" = "+v)
		}
		slices.Sort(lines)
		return s.lines(lines)
	}
	if !session.ParamName(name) {
		return sqlerr.New(sqlerr.SyntaxError, `\set: %q is no name`, name).WithHint(`\set name value, and $name in a statement`)
	}
	if v, rest := word(value); rest == "" {
		value = v // quotes around all of it
	}
	s.o.Params[name] = value
	return nil
}

func (s *Shell) unset(_ context.Context, c call) error {
	if _, ok := s.o.Params[c.args]; !ok {
		return sqlerr.New(sqlerr.UndefinedObject, `\unset: %q is not set`, c.args).WithHint(`\set`)
	}
	delete(s.o.Params, c.args)
	return nil
}

func (s *Shell) connInfo(ctx context.Context, _ call) error {
	account := "not known"
	link, err := s.session.Link(ctx)
	if err == nil {
		ctx, stop := s.interruptible(ctx)
		account, err = link.Account(ctx)
		stop()
	}
	if err != nil {
		return err
	}
	endpoint := link.Endpoint()
	switch {
	case s.o.Sandbox:
		endpoint = "the sandbox inside this program"
	case endpoint == "":
		endpoint = "AWS"
	}
	info := s.session.Catalog().Info()
	set := s.session.Settings()
	lines := []string{
		"talks to  " + endpoint, "account   " + account, "accounts  " + firstOf(strings.Join(set.Accounts, ","), "the caller's"), "regions   " + firstOf(s.regions(), "none"),
		fmt.Sprintf("catalog   %s, %d types, %s", info.Origin, info.Types, info.Date), "cache     " + set.Cache.String(),
	}
	if u := s.session.Service(); u != "" {
		lines = append(lines, "use       aws."+u)
	}
	return s.lines(lines)
}

func firstOf(names ...string) string {
	for _, n := range names {
		if n != "" {
			return n
		}
	}
	return ""
}

// edit is \e: a file, or what stands before the command, or the last statement,
// in the user's editor. What is whole then runs; the rest is to be gone on with.
func (s *Shell) edit(ctx context.Context, c call) error {
	if s.reader == nil {
		return sqlerr.New(sqlerr.FeatureNotSupported, `\e needs a terminal`)
	}
	name, _ := word(c.args)
	if name == "" {
		f, err := os.CreateTemp("", "skyql-*.sql")
		if err != nil {
			return err
		}
		name = f.Name()
		defer os.Remove(name)
		if _, err = io.WriteString(f, strings.TrimSpace(firstOf(c.pending, s.last))+"\n"); err != nil {
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	before, _ := os.ReadFile(name)
	editor := firstOf(os.Getenv("VISUAL"), os.Getenv("EDITOR"), "vi")
	cmd := shellCommand(editor + " " + quoteArg(home(name)))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = s.o.In, s.o.Out, s.o.Err
	s.out.paging.Store(true)
	err := cmd.Run()
	s.out.paging.Store(false)
	if err != nil {
		return fmt.Errorf("%s: %w", editor, err)
	}
	after, err := os.ReadFile(home(name))
	if err != nil {
		return err
	}
	text := strings.TrimSpace(string(after))
	switch {
	case text == "" || c.args == "" && string(before) == string(after) && c.pending == "":
		return nil
	case whole(text):
		fmt.Fprintln(s.o.Out, text)
		s.history.add(text)
		return s.input(ctx, text)
	}
	s.reader.Put(text)
	return nil
}

func quoteArg(name string) string { return "'" + strings.ReplaceAll(name, "'", `'\''`) + "'" }
