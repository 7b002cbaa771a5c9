package main

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
	"golang.org/x/term"

	"github.com/skyql/skyql/internal/cloudcontrol"
	"github.com/skyql/skyql/internal/engine"
	"github.com/skyql/skyql/internal/fetch"
	"github.com/skyql/skyql/internal/pgcatalog"
	"github.com/skyql/skyql/internal/pgwire"
	"github.com/skyql/skyql/internal/session"
	"github.com/skyql/skyql/internal/sqlerr"
)

// A server is the flags of skyql server.
type server struct {
	connection
	listen, socket, metricsListen string
	cert, key, auditLog           string
	allowWrites                   bool
	limits                        pgwire.Limits
	memory                        int // MB a session
}

func newServer(s streams) *cobra.Command {
	v := &server{}
	cmd := &cobra.Command{
		Use:   "server",
		Short: "Serve PostgreSQL clients",
		Long: "Serve the PostgreSQL wire protocol until interrupted: psql, JDBC, psycopg, Grafana and the like query AWS.\n" +
			"Without users anybody on this machine may connect. With users everybody needs a password.\n" +
			"Another address than loopback needs users and a TLS certificate.",
		Example: `  skyql server --sandbox
  psql -h 127.0.0.1 -p 5470 aws -c 'SELECT username FROM connect.users LIMIT 5'
  skyql server user add grafana
  skyql server --listen 0.0.0.0:5470 --tls-cert server.crt --tls-key server.key`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error { return v.run(cmd.Context(), s) },
	}
	f := cmd.Flags()
	f.StringVar(&v.listen, "listen", "127.0.0.1:5470", "address to listen on; empty: none")
	f.StringVar(&v.socket, "socket", "", "Unix socket to listen on; in a folder it gets the name that clients look for")
	f.StringVar(&v.metricsListen, "metrics-listen", "", "address of /metrics and /healthz over HTTP (default: none)")
	f.StringVar(&v.cert, "tls-cert", "", "certificate file, PEM")
	f.StringVar(&v.key, "tls-key", "", "its private key file, PEM")
	f.BoolVar(&v.allowWrites, "allow-writes", false, "let sessions change resources, once they have seen the plan or SET confirm = 'apply' (default: they only read)")
	f.StringVar(&v.auditLog, "audit-log", "", "file that is told who changes what (default with --allow-writes: server-audit.log in the state folder)")
	f.IntVar(&v.limits.Sessions, "max-sessions", 100, "sessions at a time")
	f.IntVar(&v.limits.Rows, "max-rows", 10_000_000, "rows of one result at most")
	f.DurationVar(&v.limits.StatementTimeout, "statement-timeout", 5*time.Minute, "time of a statement at most, unless the client sets its own")
	f.IntVar(&v.memory, "session-memory", 512, "MB that a session's statements may use before they spill to disk")
	v.register(f)
	f.Lookup("cache").Usage = "how old what was read before may be, such as 60s (default 60s)"
	cmd.AddCommand(newUser(s))
	return cmd
}

func (v *server) run(ctx context.Context, s streams) error {
	users, err := pgwire.OpenUsers(usersFile())
	if err != nil {
		return err
	}
	secure, err := v.certificate()
	if err != nil {
		return err
	}
	local := isLoopback(v.listen)
	if !local {
		if err := mayLeave(v.listen, users, secure); err != nil {
			return err
		}
	}
	o, stop, err := v.sessions(ctx, s)
	if err != nil {
		return err
	}
	defer stop()
	audit, err := v.audit(s, users)
	if err != nil {
		return err
	}
	listeners, err := v.listeners()
	if err != nil {
		return err
	}
	names := pgcatalog.New(o.Catalog, session.Notes)
	defer names.Close()
	metrics := pgwire.NewMetrics()
	o.Link.Observe(func(c fetch.Call) { metrics.Call(c.Operation, c.Region, outcome(c.Err), c.Throttled, c.Try > 1) })
	var changes *session.Changes
	if v.allowWrites {
		changes = &session.Changes{StateDir: filepath.Join(stateFolder(v.sandbox), "journal"), Sandbox: v.sandbox, Leave: secondInterrupt}
	}
	srv := pgwire.New(pgwire.Options{
		Open: func(ctx context.Context, hooks pgwire.Hooks) (*session.Session, error) {
			own := o
			own.Notify, own.Changes = hooks.Notify, hooks.Changes
			return session.New(ctx, own)
		},
		Catalog: names, Users: users, TLS: secure, RequireTLS: !local, Limits: v.limits, Metrics: metrics, Changes: changes, Audit: audit, Logger: o.Logger,
	})
	g, gctx := errgroup.WithContext(ctx)
	if v.metricsListen != "" {
		l, err := net.Listen("tcp", v.metricsListen)
		if err != nil {
			return err
		}
		fmt.Fprintf(s.err, "metrics on http://%s/metrics\n", l.Addr())
		g.Go(func() error { return serveHTTP(gctx, l, metrics.Handler()) })
	}
	for _, l := range listeners {
		fmt.Fprintf(s.err, "server on %s\n", l.Addr())
	}
	g.Go(func() error { return srv.Serve(gctx, listeners...) })
	return g.Wait()
}

// audit opens the audit log, and says where it is.
func (v *server) audit(s streams, users *pgwire.Users) (*pgwire.Audit, error) {
	if v.allowWrites && v.auditLog == "" {
		v.auditLog = filepath.Join(stateFolder(v.sandbox), "server-audit.log")
	}
	if v.auditLog == "" {
		return nil, nil
	}
	a, err := pgwire.OpenAudit(v.auditLog)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(s.err, "audit log %s\n", v.auditLog)
	if v.allowWrites && !v.sandbox && users.Empty() {
		fmt.Fprintln(s.err, "warning: anybody on this machine may change things: skyql server user add NAME")
	}
	return a, nil
}

// sessions are the options of every session, with the link that they share.
func (v *server) sessions(ctx context.Context, s streams) (o session.Options, stop func(), err error) {
	if o, stop, err = v.options(s); err != nil {
		return o, nil, err
	}
	file, err := readConfig()
	if err == nil && firstOf(v.cache, env("SKYQL_CACHE"), file["cache"]) == "" {
		o.Settings.Cache = time.Minute
	}
	o.Confine = &engine.Confinement{Memory: int64(v.memory) << 20, Threads: 2}
	o.Cloud.Parallel = o.Settings.Parallel
	if err == nil {
		o.Link, err = session.NewLink(ctx, o.Cloud, o.Catalog, o.Logger)
	}
	if err != nil {
		stop()
	}
	return o, stop, err
}

func outcome(err error) string {
	var e *cloudcontrol.Error
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &e) && e.Code != "":
		return e.Code
	}
	return "error"
}

func serveHTTP(ctx context.Context, l net.Listener, h http.Handler) error {
	s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	end := context.AfterFunc(ctx, func() { s.Close() })
	defer end()
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if address == "" || err == nil && host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// mayLeave refuses an address that others reach without users and TLS.
func mayLeave(address string, users *pgwire.Users, secure *tls.Config) error {
	if users.Empty() {
		return sqlerr.New(sqlerr.InvalidParameter, "%s is not loopback: it needs at least one user", address).WithHint("skyql server user add NAME")
	}
	if secure == nil {
		return sqlerr.New(sqlerr.InvalidParameter, "%s is not loopback: it needs TLS", address).WithHint("--tls-cert FILE --tls-key FILE")
	}
	return nil
}

func (v *server) certificate() (*tls.Config, error) {
	if v.cert == "" && v.key == "" {
		return nil, nil
	}
	if v.cert == "" || v.key == "" {
		return nil, sqlerr.New(sqlerr.InvalidParameter, "a certificate and its key go together").WithHint("--tls-cert FILE --tls-key FILE")
	}
	pair, err := tls.LoadX509KeyPair(v.cert, v.key)
	if err != nil {
		return nil, sqlerr.New(sqlerr.InvalidParameter, "%s: %v", v.cert, err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, NextProtos: []string{"postgresql"}}, nil
}

func (v *server) listeners() (out []net.Listener, err error) {
	defer func() {
		if err != nil {
			for _, l := range out {
				l.Close()
			}
		}
	}()
	port := "5470"
	if v.listen != "" {
		l, err := net.Listen("tcp", v.listen)
		if err != nil {
			return out, err
		}
		out = append(out, l)
		_, port, _ = net.SplitHostPort(l.Addr().String())
	}
	if v.socket != "" {
		l, err := listenUnix(v.socket, port)
		if err != nil {
			return out, err
		}
		out = append(out, l)
	}
	if len(out) == 0 {
		return nil, sqlerr.New(sqlerr.InvalidParameter, "nothing to listen on").WithHint("--listen 127.0.0.1:5470 or --socket PATH")
	}
	return out, nil
}

// listenUnix listens on a socket that only this user may open. A socket that a
// dead server left is replaced.
func listenUnix(path, port string) (net.Listener, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, ".s.PGSQL."+port)
	}
	if info, err := os.Lstat(path); err == nil && info.Mode()&fs.ModeSocket != 0 {
		if c, err := net.Dial("unix", path); err == nil {
			c.Close()
			return nil, sqlerr.New(sqlerr.InvalidParameter, "%s: another server listens there", path)
		}
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	return l, os.Chmod(path, 0o600)
}

// usersFile holds the users of the server, in the configuration folder.
func usersFile() string { return filepath.Join(configDir(), "server-users") }

func newUser(s streams) *cobra.Command {
	cmd := &cobra.Command{Use: "user", Short: "Say who may connect to the server"}
	cmd.AddCommand(
		&cobra.Command{
			Use: "add NAME", Short: "Add a user, or set another password", Args: one,
			Long: "Add a user, or set another password. The password is asked for on a terminal, or is the first line of standard input.\n" +
				"A SCRAM-SHA-256 verifier of it is kept in " + usersFile() + ", the password nowhere.",
			RunE: func(_ *cobra.Command, args []string) error {
				password, err := readPassword(s)
				if err != nil {
					return err
				}
				return onUsers(func(u *pgwire.Users) error { return u.Add(args[0], password) })
			},
		},
		&cobra.Command{
			Use: "remove NAME", Short: "Remove a user", Args: one,
			RunE: func(_ *cobra.Command, args []string) error {
				return onUsers(func(u *pgwire.Users) error { return u.Remove(args[0]) })
			},
		},
		&cobra.Command{
			Use: "list", Short: "List the users", Args: none,
			RunE: func(*cobra.Command, []string) error {
				return onUsers(func(u *pgwire.Users) error {
					for _, name := range u.Names() {
						fmt.Fprintln(s.out, name)
					}
					return nil
				})
			},
		})
	return cmd
}

func onUsers(f func(*pgwire.Users) error) error {
	u, err := pgwire.OpenUsers(usersFile())
	if err != nil {
		return err
	}
	return f(u)
}

// readPassword asks twice on a terminal, and reads a line elsewhere.
func readPassword(s streams) (string, error) {
	f, ok := s.in.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		line, err := bufio.NewReader(s.in).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", err
		}
		return strings.TrimRight(line, "\r\n"), nil
	}
	var given [2]string
	for i, prompt := range []string{"password: ", "again: "} {
		fmt.Fprint(s.err, prompt)
		b, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(s.err)
		if err != nil {
			return "", err
		}
		given[i] = string(b)
	}
	if cmp.Compare(given[0], given[1]) != 0 {
		return "", sqlerr.New(sqlerr.InvalidParameter, "the passwords differ")
	}
	return given[0], nil
}
