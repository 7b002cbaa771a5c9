package main

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/pflag"

	"github.com/skyql/skyql/internal/catalog"
	"github.com/skyql/skyql/internal/cloudcontrol"
	"github.com/skyql/skyql/internal/sandbox"
	"github.com/skyql/skyql/internal/session"
	"github.com/skyql/skyql/internal/sqlerr"
)

// A connection is the flags that say what to talk to.
type connection struct {
	sandbox           bool
	endpoint, profile string
	regions, accounts string
	role, externalID  string
	parallel          int
	debug             bool
	params            map[string]string
	counted           int // calls of statements that are done
}

func (c *connection) register(f *pflag.FlagSet) {
	f.BoolVar(&c.sandbox, "sandbox", false, "run against a sandbox inside this program: no account, nothing real")
	f.StringVar(&c.endpoint, "endpoint-url", "", "endpoint to use for every service instead of AWS's")
	f.StringVar(&c.profile, "profile", "", "profile of the AWS configuration")
	f.StringVar(&c.regions, "regions", env("SKYQL_REGIONS"), "regions of statements that name none: names, eu-*, all, !name (default: the profile's)")
	f.StringVar(&c.accounts, "accounts", env("SKYQL_ACCOUNTS"), "accounts of statements that name none (default: the caller's)")
	f.StringVar(&c.role, "assume-role", env("SKYQL_ASSUME_ROLE"), "name of the role to assume in other accounts")
	f.StringVar(&c.externalID, "external-id", env("SKYQL_EXTERNAL_ID"), "external id to assume it with")
	f.IntVar(&c.parallel, "parallel", 0, "calls in flight at most (default 64)")
	f.BoolVar(&c.debug, "debug", false, "log every call to standard error")
}

func env(name string) string { return os.Getenv(name) }

// sandboxKeys are what the AWS documentation uses as an example.
var sandboxKeys = &cloudcontrol.Credentials{AccessKey: "AKIAIOSFODNN7EXAMPLE", SecretKey: "sandbox"}

// open starts a session, and the sandbox if one was asked for. close ends both.
func (c *connection) open(ctx context.Context, s streams) (sess *session.Session, close func(), err error) {
	o := session.Options{
		Settings: session.Settings{Regions: session.List(c.regions), Accounts: session.List(c.accounts), Parallel: c.parallel},
		Cloud:    cloudcontrol.Options{Endpoint: c.endpoint, Profile: c.profile, RoleName: c.role, ExternalID: c.externalID},
		Params:   c.params,
		TempDir:  filepath.Join(cacheDir(), "tmp"),
		Notify:   func(text string) { writeNotice(s, text) },
	}
	if c.debug {
		o.Logger = slog.New(slog.NewTextHandler(s.err, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	if c.sandbox && c.endpoint != "" {
		return nil, nil, sqlerr.New(sqlerr.InvalidParameter, "--sandbox and --endpoint-url exclude each other")
	}
	if o.Catalog, err = openCatalog(); err != nil {
		return nil, nil, err
	}
	stop := func() {}
	if c.sandbox {
		box := sandbox.NewServer(sandbox.Options{})
		stop = box.Close
		o.Cloud = cloudcontrol.Options{Endpoint: box.URL, Static: sandboxKeys, Region: sandboxRegion(), RoleName: firstOf(c.role, "sandbox")}
	}
	sess, err = session.New(ctx, o)
	if err != nil {
		stop()
		return nil, nil, err
	}
	return sess, func() { sess.Close(); stop() }, nil
}

func writeNotice(s streams, text string) {
	for l := range strings.Lines(text) {
		s.err.Write([]byte("notice: " + strings.TrimRight(l, "\n") + "\n"))
	}
}

// sandboxRegion is the environment's region if it is one of the sandbox's.
func sandboxRegion() string {
	for _, r := range sandbox.DemoWorld().Regions {
		if r == firstOf(env("AWS_REGION"), env("AWS_DEFAULT_REGION")) {
			return r
		}
	}
	return "us-east-1"
}

func firstOf(names ...string) string {
	for _, n := range names {
		if n != "" {
			return n
		}
	}
	return ""
}

// cacheDir is skyql's folder for what can be made again.
func cacheDir() string { return folder("SKYQL_CACHE_DIR", "XDG_CACHE_HOME", os.UserCacheDir) }

func folder(own, xdg string, platform func() (string, error)) string {
	if d := env(own); d != "" {
		return d
	}
	if d := env(xdg); d != "" && filepath.IsAbs(d) && runtime.GOOS != "windows" {
		return filepath.Join(d, "skyql")
	}
	if d, err := platform(); err == nil {
		return filepath.Join(d, "skyql")
	}
	return filepath.Join(os.TempDir(), "skyql")
}

// openCatalog gives the catalog in use: an updated one in the cache folder
// beats the embedded one.
func openCatalog() (*catalog.Catalog, error) {
	path := filepath.Join(cacheDir(), catalog.FileName)
	if _, err := os.Stat(path); err != nil {
		return catalog.Embedded(), nil
	}
	c, err := catalog.OpenFile(path)
	if err != nil {
		return nil, sqlerr.New("58030", "%v", err).WithHint("skyql catalog update, or remove %s", path)
	}
	return c, nil
}
