package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/skyql/skyql/internal/change"
	"github.com/skyql/skyql/internal/sandbox"
)

var update = flag.Bool("update", false, "rewrite expected output")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"skyql": mortal, "confirm": confirm})
}

// cloud gives the variables with which a command reaches a sandbox as it would
// reach AWS: through the SDK's own.
func cloud(url, dir string) []string {
	return []string{
		"AWS_ENDPOINT_URL=" + url, "AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY=dummy", "AWS_REGION=us-east-1",
		"AWS_CONFIG_FILE=" + os.DevNull, "AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull, "AWS_EC2_METADATA_DISABLED=true",
		"SKYQL_CACHE_DIR=" + filepath.Join(dir, "cache"), "SKYQL_STATE_DIR=" + filepath.Join(dir, "state"), "HOME=" + dir,
	}
}

// Scripts read like a user's terminal. A file faults.toml in one says what goes
// wrong in its sandbox. Beside testscript's own verbs there is
// "calls Operation=N …", which compares the calls to Cloud Control since the
// last time.
func TestScript(t *testing.T) {
	t.Parallel()
	shared, err := filepath.Abs("../../../shared")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		UpdateScripts: *update,
		Setup: func(e *testscript.Env) error {
			var o sandbox.Options
			if text, err := os.ReadFile(filepath.Join(e.WorkDir, "faults.toml")); err == nil {
				f, err := sandbox.ReadFaults(text)
				if err != nil {
					return err
				}
				o.Faults, o.Contract = &f.Faults, f.Contract
			}
			s := sandbox.NewServer(o)
			e.Defer(s.Close)
			e.Values["sandbox"] = s
			e.Vars = append(e.Vars, cloud(s.URL, e.WorkDir)...)
			e.Setenv("SHARED", shared)
			for _, u := range s.Identifiers("111122223333", "us-east-1", "AWS::Connect::User")[:1] {
				e.Setenv("USER_ARN", u)
			}
			return nil
		},
		Condition: func(cond string) (bool, error) {
			_, err := os.Stat(filepath.Join(shared, "data"))
			return cond == "shared" && err == nil, nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			// exits 3 skyql …: the command ends with that status
			"exits": func(ts *testscript.TestScript, neg bool, args []string) {
				var exit *exec.ExitError
				if err := ts.Exec(args[1], args[2:]...); !errors.As(err, &exit) || strconv.Itoa(exit.ExitCode()) != args[0] {
					ts.Fatalf("%v, want exit status %s", err, args[0])
				}
			},
			// undo-last takes the newest change set back.
			"undo-last": func(ts *testscript.TestScript, neg bool, args []string) {
				if err := ts.Exec("skyql", "undo", "--yes", lastSet(ts)); err != nil {
					ts.Fatalf("%v", err)
				}
			},
			// resume-last apply|undo fails to go on with the newest change set.
			"resume-last": func(ts *testscript.TestScript, neg bool, args []string) {
				if err := ts.Exec("skyql", args[0], "--yes", lastSet(ts)); err == nil {
					ts.Fatalf("it went on")
				}
			},
			// plan FILE compares what was said of a plan with a file, but for times,
			// the day, and the service's address.
			"plan": func(ts *testscript.TestScript, neg bool, args []string) {
				got := ts.ReadFile("stderr")
				for _, r := range []struct{ pattern, by string }{{`http://127\.0\.0\.1:[0-9]+`, "ENDPOINT"}, {` in [0-9.]+ s\b`, ""}, {`\b20[0-9]{6}-`, "DAY-"}} {
					got = regexp.MustCompile(r.pattern).ReplaceAllString(got, r.by)
				}
				if d := cmp.Diff(ts.ReadFile(args[0]), got); d != "" {
					ts.Fatalf("%s is not what was said (-file +now)\n%s", args[0], d)
				}
			},
			"calls": func(ts *testscript.TestScript, neg bool, args []string) {
				s := ts.Value("sandbox").(*sandbox.Server)
				got, log := s.Calls(), s.Log()
				s.ResetCalls()
				for _, a := range args {
					op, n, _ := strings.Cut(a, "=")
					if want, err := strconv.Atoi(n); err != nil || got[op] != want {
						ts.Fatalf("%s: %d calls, want %s (all: %v)\n%v", op, got[op], n, got, log)
					}
				}
			},
		},
	})
}

// lastSet is the id of a script's newest change set.
func lastSet(ts *testscript.TestScript) string {
	sets, err := change.ReadJournal(filepath.Join(ts.Getenv("SKYQL_STATE_DIR"), "journal"))
	if err != nil || len(sets) == 0 {
		ts.Fatalf("%d change sets, %v", len(sets), err)
	}
	return sets[len(sets)-1].ID
}

var consoleBlock = regexp.MustCompile("(?s)```console\n(.*?)```")

// TestDocs runs every console block of the README and docs against a fresh
// sandbox and compares what it prints.
func TestDocs(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := 0
	for _, page := range append(pages, "../../README.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		next := consoleBlock.ReplaceAllFunc(text, func(block []byte) []byte {
			blocks++
			body := consoleBlock.FindSubmatch(block)[1]
			return []byte("```console\n" + console(t, string(body)) + "```")
		})
		if *update && !bytes.Equal(text, next) {
			if err := os.WriteFile(page, next, 0o644); err != nil {
				t.Fatal(err)
			}
		} else if d := cmp.Diff(string(text), string(next)); d != "" {
			t.Errorf("%s is not what the commands print (-page +now)\n%s", page, d)
		}
	}
	if blocks == 0 {
		t.Error("no page has a console block")
	}
}

// console runs the commands of a console block, which are the lines behind a
// dollar sign, and gives the block as it should be.
func console(t *testing.T, body string) string {
	t.Helper()
	s := sandbox.NewServer(sandbox.Options{})
	defer s.Close()
	var out strings.Builder
	lines := strings.Split(body, "\n")
	for i := 0; i < len(lines); i++ {
		if !strings.HasPrefix(lines[i], "$ ") {
			continue
		}
		command := strings.TrimPrefix(lines[i], "$ ")
		fmt.Fprintln(&out, lines[i])
		for strings.HasSuffix(lines[i], `\`) || strings.Count(command, `"`)%2 == 1 {
			i++
			if i == len(lines) {
				t.Fatalf("unfinished command %q", command)
			}
			command += "\n" + lines[i]
			fmt.Fprintln(&out, lines[i])
		}
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		bin := t.TempDir()
		if err := os.Symlink(self, filepath.Join(bin, "skyql")); err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), "sh", "-c", command)
		cmd.Env = append(append(os.Environ(), cloud(s.URL, t.TempDir())...), "PATH="+bin+":"+os.Getenv("PATH"))
		got, err := cmd.CombinedOutput()
		if err != nil && len(got) == 0 {
			t.Errorf("%s: %v", command, err)
		}
		out.Write(got)
	}
	return out.String()
}

// The program as a function: streams and exit status.
func TestRun(t *testing.T) {
	t.Parallel()
	check := func(want int, out, errs string, args ...string) {
		t.Helper()
		var o, e bytes.Buffer
		if got := run(t.Context(), args, streams{strings.NewReader(""), &o, &e}); got != want || !strings.Contains(o.String(), out) || !strings.Contains(e.String(), errs) {
			t.Errorf("%v: status %d, want %d\n%s%s", args, got, want, o.String(), e.String())
		}
	}
	check(0, "skyql runs SQL over AWS resources", "")
	check(0, "--format", "", "query", "--help")
	check(0, "embedded", "", "catalog")
	check(1, "", "unknown command", "nonsense")
	check(1, "", "unknown flag", "query", "--nope")
	check(1, "", `no format "xml"`, "query", "--format", "xml", "SELECT 1")
	check(1, "", "is not name=value", "query", "-p", "x", "SELECT 1")
	check(1, "", "table connect.usr does not exist", "docs", "connect.usr")
	check(1, "", "is not the name of a table", "docs", "x")
	check(1, "", "not a whole zip", "catalog", "update", "--from", os.DevNull)
	check(1, "", "can't be negative", "sandbox", "--latency", "-1s")
	check(1, "", "no such file", "sandbox", "--faults", "/nonexistent")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var e bytes.Buffer
	if got := run(ctx, []string{"query", "SELECT 1"}, streams{strings.NewReader(""), &e, &e}); got != 130 {
		t.Errorf("cancelled: status %d, %s", got, e.String())
	}
}
