package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/skyql/skyql/internal/change"
	"github.com/skyql/skyql/internal/render"
	"github.com/skyql/skyql/internal/session"
	"github.com/skyql/skyql/internal/sqlerr"
	"github.com/skyql/skyql/internal/syntax"
)

// A query is the flags of skyql query.
type query struct {
	connection
	agreement
	file, format, output string
	given                []string
	quiet                bool
	showProgress         string
}

func newQuery(s streams) *cobra.Command {
	q := &query{}
	cmd := &cobra.Command{
		Use:   "query [SQL]",
		Short: "Run SQL statements",
		Long:  "Run SQL statements, given as an argument, in a file, or on standard input.\nRows go to standard output, everything else to standard error.",
		Example: `  skyql query --sandbox "SELECT vpc_id, cidr_block FROM aws.ec2.vpcs"
  skyql query --regions all "SELECT region, count(*) FROM aws.s3.buckets GROUP BY ALL"
  echo 'SHOW SERVICES' | skyql query --format csv`,
		Args: sqlArgument,
		RunE: func(cmd *cobra.Command, args []string) error { return q.run(cmd.Context(), args, s) },
	}
	f := cmd.Flags()
	f.StringVarP(&q.file, "file", "f", "", "read the statements from a file, - for standard input")
	f.StringVar(&q.format, "format", "", "one of "+strings.Join(render.Formats, ", ")+" (default table)")
	f.StringVarP(&q.output, "output", "o", "", "write the rows to a file; its name may say the format: .csv, .json, .ndjson, .md, .parquet")
	f.StringArrayVarP(&q.given, "param", "p", nil, "name=value: what $name stands for")
	f.BoolVarP(&q.quiet, "quiet", "q", false, "no progress, no counts")
	f.StringVar(&q.showProgress, "progress", "auto", "auto: on a terminal; json: a line for programs to standard error; off")
	q.connection.register(f)
	q.agreement.register(f)
	return cmd
}

func (q *query) run(ctx context.Context, args []string, s streams) (err error) {
	text, err := q.text(args, s)
	if err != nil {
		return err
	}
	if err := q.check(); err != nil {
		return err
	}
	out := s.out
	if strings.EqualFold(filepath.Ext(q.output), ".parquet") && q.format == "" {
		if text, err = parquet(text, q.output); err != nil {
			return err
		}
	} else if q.output != "" {
		f, e := openRows(q.output)
		if e != nil {
			return e
		}
		defer func() {
			if e := f.close(err != nil && !told(err)); err == nil {
				err = e
			}
		}()
		out = f
	}
	bar := newProgress(q.showProgress, q.quiet, s.err)
	if bar != nil {
		q.progress = bar.note
	}
	if q.plan && q.format == "json" {
		q.planFormat = "json"
	}
	q.changes = q.terms(s, q.sandbox)
	show, done := q.changes.Show, q.changes.Done
	q.changes.Show = func(set *change.Set) { bar.clear(); show(set) }
	q.changes.Done = func(r *change.Report) { bar.clear(); done(r) }
	sess, stop, err := q.open(ctx, s)
	if err != nil {
		return err
	}
	defer stop()
	if q.format = firstOf(q.format, q.connection.format, "table"); !slices.Contains(render.Formats, q.format) {
		return noFormat(q.format)
	}
	err = sess.Run(ctx, text, func(ctx context.Context, r session.Result) error {
		bar.clear()
		if r.Rows == nil {
			return nil
		}
		start, calls := time.Now(), sess.Calls()
		n, err := render.Write(out, q.format, r.Rows, render.Options{Width: width(out)})
		if err == nil && width(s.err) > 0 && !q.quiet {
			fmt.Fprintln(s.err, render.Tally(render.Count(n, "row"), calls-q.counted, r.Took+time.Since(start)))
		}
		q.counted = calls
		return err
	})
	bar.clear()
	if err != nil {
		return metaHint(text, asWritten(err))
	}
	return q.outcome(sess)
}

// told reports whether a run came to its end, and its exit status tells what
// came of it.
func told(err error) bool { return errors.Is(err, errMissing) || errors.Is(err, errChanges) }

// metaHint tells somebody who wrote a meta command where those are taken.
func metaHint(text string, err error) error {
	var e *sqlerr.Error
	if errors.As(err, &e) && e.Code == sqlerr.SyntaxError && e.Position > 0 && e.Position <= len(e.Statement) && e.Statement[e.Position-1] == '\\' {
		return e.WithHint("skyql shell takes meta commands: echo %s | skyql shell", syntax.Literal(strings.TrimSpace(text)))
	}
	return err
}

// text is the script to run.
func (q *query) text(args []string, s streams) (string, error) {
	switch {
	case len(args) == 1 && q.file != "":
		return "", sqlerr.New(sqlerr.InvalidParameter, "SQL is given as an argument and with -f: which is it?")
	case len(args) == 1:
		return args[0], nil
	case q.file != "" && q.file != "-":
		b, err := os.ReadFile(q.file)
		return string(b), err
	}
	if f, ok := s.in.(*os.File); ok && q.file == "" && term.IsTerminal(int(f.Fd())) {
		return "", sqlerr.New(sqlerr.InvalidParameter, "no SQL given").WithHint(`skyql query --sandbox "SELECT username FROM aws.connect.users LIMIT 5"`)
	}
	b, err := io.ReadAll(s.in)
	return string(b), err
}

// check refuses flags that can't be meant, before anything is opened.
func (q *query) check() error {
	if q.format != "" && !slices.Contains(render.Formats, q.format) {
		return noFormat(q.format)
	}
	if !slices.Contains([]string{"auto", "json", "off"}, q.showProgress) {
		return sqlerr.New(sqlerr.InvalidParameter, "no progress %q", q.showProgress).WithHint("--progress auto|json|off")
	}
	if f, ok := extensions[strings.ToLower(filepath.Ext(q.output))]; ok && q.format == "" {
		q.format = f
	}
	var err error
	q.params, err = parameters(q.given)
	return err
}

// parameters reads name=value.
func parameters(given []string) (map[string]string, error) {
	out := map[string]string{}
	for _, p := range given {
		name, value, ok := strings.Cut(p, "=")
		if !ok || name == "" {
			return nil, sqlerr.New(sqlerr.InvalidParameter, "parameter %q is not name=value", p).WithHint("-p name=value, and $name in the SQL")
		}
		if !session.ParamName(name) {
			return nil, sqlerr.New(sqlerr.InvalidParameter, "%q is no name of a parameter", name).WithHint("-p name=value, and $name in the SQL")
		}
		out[name] = value
	}
	return out, nil
}

// extensions are the formats that the name of an output file asks for.
var extensions = map[string]string{".json": "json", ".ndjson": "ndjson", ".jsonl": "ndjson", ".csv": "csv", ".md": "markdown"}

// asWritten takes what parquet put before a statement out of an error's place.
func asWritten(err error) error {
	var e *sqlerr.Error
	if errors.As(err, &e) && strings.HasPrefix(e.Statement, copying) && strings.HasSuffix(e.Statement, intoParquet) {
		e.At(strings.TrimPrefix(e.Statement, copying), max(0, e.Position-1-len(copying)))
	}
	return err
}

// What parquet puts around a query.
const (
	copying     = "COPY ("
	intoParquet = " (FORMAT parquet)"
)

// parquet makes a script of one query one that writes a Parquet file.
func parquet(text, file string) (string, error) {
	list := syntax.Split(text)
	if len(list) != 1 || list[0].Verb != syntax.Read {
		return "", sqlerr.New(sqlerr.InvalidParameter, "a Parquet file takes one query").WithHint("-o rows.ndjson takes several")
	}
	return copying + list[0].Text + "\n) TO " + syntax.Literal(file) + intoParquet, nil
}

func noFormat(name string) error {
	return sqlerr.New(sqlerr.InvalidParameter, "no format %q", name).WithHint("--format %s", strings.Join(render.Formats, "|"))
}

// width is a terminal's width, 0 for anything else.
func width(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok {
		return 0
	}
	n, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return n
}
