package pgwire

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skyql/skyql/internal/sandbox"
)

// want is the program of a client; the test skips where it isn't installed.
func want(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Skipf("no %s here", program)
	}
	return path
}

// talk runs a client against a server of its own, {port} in its arguments
// replaced, and gives what it prints.
func talk(t *testing.T, env []string, command ...string) string {
	t.Helper()
	return serve(t, nil).talk(t, "", env, command...)
}

// talk runs a client with something on its standard input.
func (s *site) talk(t *testing.T, in string, env []string, command ...string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(s.addr)
	if err != nil {
		t.Fatal(err)
	}
	for i := range command {
		command[i] = strings.ReplaceAll(command[i], "{port}", port)
	}
	cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
	cmd.Stdin = strings.NewReader(in)
	cmd.Env = append(append(os.Environ(), "PGHOST=127.0.0.1", "PGPORT="+port, "PGUSER=someone", "PGDATABASE=aws", "PSQLRC="+os.DevNull, "LC_ALL=C.UTF-8"), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v\n%s", command[0], err, out)
	}
	return string(out)
}

// golden compares text with a file in testdata/clients.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", "clients", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (-want +got)\n%s", name, d)
	}
}

// What psql 18 says more exactly than those before it.
var (
	listTitle = regexp.MustCompile("(?m)^ *List of (relations|tables)$")
	noneFound = regexp.MustCompile("Did not find any (relations|views)")
)

func TestPsql(t *testing.T) {
	t.Parallel()
	psql := want(t, "psql")
	out := talk(t, nil, psql, "-X", "-e", "-P", "pager=off",
		"-c", `\dn kms`, "-c", `\dt kms.*`, "-c", `\d kms.aliases`, "-c", `\dt+ kms.alias*`, "-c", `\df`, "-c", `\dv`, "-c", `\d`,
		"-c", "SET search_path = kms", "-c", `\dt`,
		"-c", "SELECT username, phone_config.PhoneType, security_profile_arns IS NULL AS none FROM connect.users ORDER BY 1 LIMIT 2",
		"-c", "SELECT nope\nFROM connect.users", "-c", "BEGIN; SELECT 1 AS one; COMMIT", "-c", "SHOW SERVICES LIKE 'km%'", "-c", "COPY (SELECT 1, 'a') TO STDOUT", "-c", `\copy (SELECT 2, 'b') TO STDOUT`)
	out = listTitle.ReplaceAllString(out, "List of relations")
	golden(t, "psql.golden", noneFound.ReplaceAllString(out, "Did not find any relations"))
}

var (
	psqlBlock = regexp.MustCompile("(?s)```psql\n(.*?)```")
	prompt    = regexp.MustCompile(`^aws=[*!]?> `)
)

// TestPsqlDocs runs the psql sessions of the server's page, one after the other in
// one world, and compares what psql prints.
func TestPsqlDocs(t *testing.T) {
	t.Parallel()
	psql := want(t, "psql")
	w := serveChanges(t, sandbox.Options{})
	w.options.Changes.Sandbox = true
	const page = "../../docs/server.md"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	blocks := 0
	next := psqlBlock.ReplaceAllFunc(text, func(block []byte) []byte {
		blocks++
		var script, out strings.Builder
		var prompts []string
		for line := range strings.Lines(string(psqlBlock.FindSubmatch(block)[1])) {
			if p := prompt.FindString(line); p != "" {
				prompts = append(prompts, p)
				script.WriteString(strings.TrimPrefix(line, p))
			}
		}
		asked := strings.SplitAfter(script.String(), "\n")
		said := w.talk(t, script.String(), nil, psql, "-X", "-a", "-P", "pager=off")
		for line := range strings.Lines(days.ReplaceAllString(took.ReplaceAllString(said, ""), "20261123-")) {
			if len(prompts) > 0 && line == asked[0] {
				out.WriteString(prompts[0])
				prompts, asked = prompts[1:], asked[1:]
			}
			if strings.TrimSpace(line) != "" {
				out.WriteString(strings.TrimRight(line, " \n") + "\n")
			}
		}
		return []byte("```psql\n" + out.String() + "```")
	})
	if *update {
		if err := os.WriteFile(page, next, 0o644); err != nil {
			t.Fatal(err)
		}
	} else if d := cmp.Diff(string(text), string(next)); d != "" || blocks == 0 {
		t.Errorf("%s is not what psql prints (-page +now)\n%s", page, d)
	}
}

// \l and the rest print otherwise in every version of psql; they must not fail.
func TestPsqlCommands(t *testing.T) {
	t.Parallel()
	psql := want(t, "psql")
	var args []string
	for _, c := range strings.Fields(`\l \l+ \dn+ \du \dg \dT \dT+ \di \ds \dm \dE \dp \ddp \dx \db \dC \do \dD \dy \dF \dFd \des \dew \deu \det \dRp \dRs \dO \dL \dd \da \dc \dconfig \dAc \dAf \dAo \dAp \dX \dP \drds \dS \dfS`) {
		args = append(args, "-c", c)
	}
	out := talk(t, nil, append([]string{psql, "-X", "-v", "ON_ERROR_STOP=1", "-P", "pager=off"}, args...)...)
	if !strings.Contains(out, "aws") || regexp.MustCompile(`(?m)ERROR|invalid command`).MatchString(out) {
		t.Error(out)
	}
	if got := talk(t, []string{"PGOPTIONS=-c statement_timeout=50ms"}, psql, "-X", "-At", "-c", "SHOW statement_timeout"); got != "50ms\n" {
		t.Error(got)
	}
}

// python gives a Python that has a module: Debian's packages are seen by Debian's.
func python(t *testing.T, module string) string {
	t.Helper()
	for _, python := range []string{"/usr/bin/python3", "python3"} {
		if exec.Command(python, "-c", "import "+module).Run() == nil {
			return python
		}
	}
	t.Skipf("no %s here", module)
	return ""
}

func TestPsycopg2(t *testing.T) {
	t.Parallel()
	python := python(t, "psycopg2")
	golden(t, "psycopg2.golden", talk(t, nil, python, filepath.Join("testdata", "clients", "psycopg2_client.py"), "{port}"))
	golden(t, "psycopg2_changes.golden", serveChanges(t, sandbox.Options{}).talk(t, "", nil, python, filepath.Join("testdata", "clients", "psycopg2_changes.py"), "{port}"))
}

func TestPsycopg3(t *testing.T) {
	t.Parallel()
	golden(t, "psycopg3.golden", talk(t, nil, python(t, "psycopg"), filepath.Join("testdata", "clients", "psycopg3_client.py"), "{port}"))
}

func TestJDBC(t *testing.T) {
	t.Parallel()
	java := want(t, "java")
	const jar = "/usr/share/java/postgresql.jar"
	if _, err := os.Stat(jar); err != nil {
		t.Skip("no JDBC driver here")
	}
	golden(t, "jdbc.golden", talk(t, nil, java, "-cp", jar, filepath.Join("testdata", "clients", "Client.java"), "{port}"))
	golden(t, "jdbc_changes.golden", serveChanges(t, sandbox.Options{}).talk(t, "", nil, java, "-cp", jar, filepath.Join("testdata", "clients", "Changes.java"), "{port}"))
}

func TestNode(t *testing.T) {
	t.Parallel()
	node := want(t, "node")
	if exec.Command(node, "-e", "require('pg')").Run() != nil {
		t.Skip("no pg for node here")
	}
	golden(t, "node.golden", talk(t, nil, node, filepath.Join("testdata", "clients", "client.js"), "{port}"))
}
