package main

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/skyql/skyql/internal/catalog"
	"github.com/skyql/skyql/internal/cloudcontrol"
	"github.com/skyql/skyql/internal/fetch"
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
	sessionName       string
	parallel          int
	onError, cache    string
	maxCalls          int
	maxChanges        int
	debug             bool
	progress          func(fetch.Stats)
	changes           session.Changes
	params            map[string]string
	format            string // of the environment or the configuration file
	fresh             string // cache where nobody says, "" for none
	notify            func(string)
	counted           int // calls of statements that are done
}

func (c *connection) register(f *pflag.FlagSet) {
	f.BoolVar(&c.sandbox, "sandbox", false, "run against a sandbox inside this program: no account, nothing real")
	f.StringVar(&c.endpoint, "endpoint-url", "", "endpoint to use for every service instead of AWS's")
	f.StringVar(&c.profile, "profile", "", "profile of the AWS configuration")
	f.StringVar(&c.regions, "regions", "", "regions of statements that name none: names, eu-*, all, !name (default: the profile's)")
	f.StringVar(&c.accounts, "accounts", "", "accounts of statements that name none: ids, org, 1234*, !id (default: the caller's)")
	f.StringVar(&c.role, "assume-role", "", "name of the role to assume in other accounts")
	f.StringVar(&c.externalID, "external-id", "", "external id to assume it with")
	f.StringVar(&c.sessionName, "role-session-name", "", "session name to assume it with (default: skyql)")
	f.IntVar(&c.parallel, "parallel", 0, "calls in flight at most (default 64)")
	f.StringVar(&c.onError, "on-error", "", "fail, or warn: go on without what can't be read, exit status 3 (default fail)")
	f.StringVar(&c.cache, "cache", "", "how old what was read before may be, such as 60s (default 0s)")
	f.IntVar(&c.maxCalls, "max-calls", 0, "calls that a statement may make (default 100000)")
	f.IntVar(&c.maxChanges, "max-changes", 0, "changes that a plan may have (default 50)")
	f.BoolVar(&c.debug, "debug", false, "log every call to standard error")
}

// settings unites what the configuration file, the environment and the flags
// say, each beating the one before.
func (c *connection) settings() (session.Settings, error) {
	var out session.Settings
	file, err := readConfig()
	if err != nil {
		return out, err
	}
	flags := map[string]string{"regions": c.regions, "accounts": c.accounts, "on_error": c.onError, "cache": c.cache}
	if c.maxChanges != 0 {
		flags["max_changes"] = strconv.Itoa(c.maxChanges)
	}
	if c.parallel != 0 {
		flags["parallel"] = strconv.Itoa(c.parallel)
	}
	if c.maxCalls != 0 {
		flags["max_calls"] = strconv.Itoa(c.maxCalls)
	}
	defaults := map[string]string{"cache": c.fresh}
	for _, name := range session.SettingNames() {
		for _, from := range []struct{ what, value string }{{"", defaults[name]}, {configName, file[name]}, {"SKYQL_" + strings.ToUpper(name), env("SKYQL_" + strings.ToUpper(name))}, {"", flags[name]}} {
			if from.value == "" {
				continue
			}
			if err := out.Put(name, from.value); err != nil {
				var e *sqlerr.Error
				if errors.As(err, &e) && from.what != "" {
					e.Detail = strings.TrimPrefix(e.Detail+"\nset by "+from.what, "\n")
				}
				return out, err
			}
		}
	}
	for _, x := range []struct {
		to   *string
		name string
	}{{&c.role, "assume_role"}, {&c.externalID, "external_id"}, {&c.sessionName, "role_session_name"}, {&c.profile, "profile"}} {
		*x.to = firstOf(*x.to, env("SKYQL_"+strings.ToUpper(x.name)), file[x.name])
	}
	c.format = firstOf(c.format, env("SKYQL_FORMAT"), file["format"])
	return out, nil
}

func env(name string) string { return os.Getenv(name) }

// sandboxKeys are what the AWS documentation uses as an example.
var sandboxKeys = &cloudcontrol.Credentials{AccessKey: "AKIAIOSFODNN7EXAMPLE", SecretKey: "sandbox"}

// open starts a session, and the sandbox if one was asked for. close ends both.
func (c *connection) open(ctx context.Context, s streams) (sess *session.Session, close func(), err error) {
	o, stop, err := c.options(s)
	if err != nil {
		return nil, nil, err
	}
	sess, err = session.New(ctx, o)
	if err != nil {
		stop()
		return nil, nil, err
	}
	return sess, func() { sess.Close(); stop() }, nil
}

// options are what sessions start with. stop ends the sandbox, if there is one.
func (c *connection) options(s streams) (o session.Options, stop func(), err error) {
	settings, err := c.settings()
	if err != nil {
		return o, nil, err
	}
	o = session.Options{
		Settings: settings,
		Cloud:    cloudcontrol.Options{Endpoint: c.endpoint, Profile: c.profile, RoleName: c.role, ExternalID: c.externalID, SessionName: c.sessionName},
		Progress: c.progress,
		Params:   c.params,
		Changes:  c.changes,
		TempDir:  filepath.Join(cacheDir(), "tmp"),
		Notify:   func(text string) { writeNotice(s, text) },
	}
	if c.notify != nil {
		o.Notify = c.notify
	}
	if c.debug {
		o.Logger = slog.New(slog.NewTextHandler(s.err, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	if u, err := url.Parse(c.endpoint); c.endpoint != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		return o, nil, sqlerr.New(sqlerr.InvalidParameter, "%q is no URL of an endpoint", c.endpoint).WithHint("--endpoint-url http://127.0.0.1:4577")
	}
	if c.sandbox && c.endpoint != "" {
		return o, nil, sqlerr.New(sqlerr.InvalidParameter, "--sandbox and --endpoint-url exclude each other")
	}
	if o.Catalog, err = openCatalog(); err != nil {
		return o, nil, err
	}
	stop = func() {}
	if c.sandbox {
		box := sandbox.NewServer(sandbox.Options{Catalog: o.Catalog, State: sandbox.OpenState(sandboxState(), demoWorld)})
		stop = box.Close
		if err := box.Load(); err != nil {
			stop()
			return o, nil, badState(err, "skyql sandbox reset")
		}
		o.Cloud = cloudcontrol.Options{Endpoint: box.URL, Static: sandboxKeys, Region: sandboxRegion(), RoleName: firstOf(c.role, "sandbox")}
	}
	return o, stop, nil
}

func writeNotice(s streams, text string) {
	for l := range strings.Lines(text) {
		s.err.Write([]byte("notice: " + strings.TrimRight(l, "\n") + "\n"))
	}
}

// sandboxRegion is the environment's region if it is one of the sandbox's.
func sandboxRegion() string {
	for _, r := range sandbox.DemoRegions() {
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

// demoWorld is what the states of sandboxes call the demo world.
const demoWorld = "demo"

// sandboxState is the file in which --sandbox keeps its world.
func sandboxState() string { return filepath.Join(stateDir(), "sandbox", "world.log") }

func badState(err error, reset string) error {
	return sqlerr.New("58030", "the sandbox's world can't be read").WithDetail("%v", err).WithHint("%s", reset)
}

// stateDir is skyql's folder for what is to last.
func stateDir() string {
	return folder("SKYQL_STATE_DIR", "XDG_STATE_HOME", func() (string, error) {
		if home, err := os.UserHomeDir(); err == nil && runtime.GOOS == "linux" {
			return filepath.Join(home, ".local", "state"), nil
		}
		return os.UserConfigDir()
	})
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
	return filepath.Join(os.TempDir(), "skyql-"+strconv.Itoa(os.Getuid())) // of the user's own, where others may write too
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
