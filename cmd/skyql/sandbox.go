package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/skyql/skyql/internal/change"
	"github.com/skyql/skyql/internal/sandbox"
	"github.com/skyql/skyql/internal/sqlerr"
)

// sandboxFlags are those of the sandbox command.
type sandboxFlags struct {
	listen, world, faults, state string
	latency, jitter              time.Duration
	throttle                     float64
	page, populate               int
}

func newSandbox(s streams) *cobra.Command {
	var fl sandboxFlags
	cmd := &cobra.Command{
		Use:   "sandbox",
		Short: "Serve a Cloud Control API for other programs",
		Long: "Serve an emulated Cloud Control API over HTTP until interrupted. Any dummy credentials are taken:\n" +
			"AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE AWS_SECRET_ACCESS_KEY=dummy AWS_REGION=us-east-1\n" +
			"It begins with the demo world and forgets what was changed, unless --state says where to keep it.",
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := fl.options()
			if err != nil {
				return err
			}
			l, err := net.Listen("tcp", fl.listen)
			if err != nil {
				return err
			}
			box := sandbox.New(o)
			if err := box.Load(); err != nil {
				l.Close()
				return badState(err, "skyql sandbox reset --state "+fl.state)
			}
			fmt.Fprintf(s.err, "sandbox on http://%s\n", l.Addr())
			return box.Serve(cmd.Context(), l)
		},
	}
	f := cmd.Flags()
	f.StringVar(&fl.listen, "listen", "127.0.0.1:4577", "address to listen on")
	f.StringVar(&fl.world, "world", "", "JSON file of what exists (default: the demo world)")
	f.StringVar(&fl.state, "state", "", "file that keeps what was changed (default: nothing is kept)")
	f.IntVar(&fl.populate, "populate", 0, "put so many made-up resources into every type")
	f.StringVar(&fl.faults, "faults", "", "TOML or JSON file of what goes wrong: docs/sandbox.md")
	f.DurationVar(&fl.latency, "latency", 0, "time that every call takes")
	f.DurationVar(&fl.jitter, "jitter", 0, "up to this much more")
	f.IntVar(&fl.page, "page-size", 0, "rows on a page of every list (default: by type)")
	f.Float64Var(&fl.throttle, "throttle", 0, "calls a second and account and region, the rest is refused")
	cmd.AddCommand(newSandboxReset(s))
	return cmd
}

func newSandboxReset(s streams) *cobra.Command {
	var state string
	cmd := &cobra.Command{
		Use:   "reset",
		Short: "Forget what was changed in the sandbox's world",
		Long:  "Forget what commands with --sandbox changed, and their change sets: the next one sees the demo world as it began. With --state, the world of skyql sandbox --state.",
		Args:  none,
		RunE: func(*cobra.Command, []string) error {
			path := firstOf(state, sandboxState())
			if path == sandboxState() { // what its journal tells of is gone too
				if err := change.Forget(journalDir(true)); err != nil {
					return err
				}
			}
			if err := sandbox.OpenState(path, "").Reset(); err != nil {
				return err
			}
			fmt.Fprintln(s.err, "the sandbox's world is as it began")
			return nil
		},
	}
	cmd.Flags().StringVar(&state, "state", "", "file that keeps the world (default: that of --sandbox)")
	return cmd
}

// options reads what the flags name.
func (fl *sandboxFlags) options() (o sandbox.Options, err error) {
	if fl.latency < 0 || fl.jitter < 0 || fl.throttle < 0 || fl.page < 0 || fl.populate < 0 {
		return o, sqlerr.New(sqlerr.InvalidParameter, "latency, jitter, throttle, page-size and populate can't be negative")
	}
	o = sandbox.Options{Latency: fl.latency, Jitter: fl.jitter, Throttle: fl.throttle, PageSize: fl.page, Populate: fl.populate}
	if o.Catalog, err = openCatalog(); err != nil {
		return o, err
	}
	name := demoWorld
	if fl.world != "" {
		text, err := os.ReadFile(fl.world)
		if err != nil {
			return o, err
		}
		if o.World, err = sandbox.LoadWorld(strings.NewReader(string(text))); err != nil {
			return o, fmt.Errorf("%s: %w", fl.world, err)
		}
		sum := sha256.Sum256(text)
		name = hex.EncodeToString(sum[:6])
	}
	if fl.populate > 0 {
		name += fmt.Sprintf("+%d", fl.populate)
	}
	if fl.state != "" {
		o.State = sandbox.OpenState(fl.state, name)
	}
	if fl.faults != "" {
		text, err := os.ReadFile(fl.faults)
		if err != nil {
			return o, err
		}
		file, err := sandbox.ReadFaults(text)
		if err != nil {
			return o, sqlerr.New(sqlerr.InvalidParameter, "%s: %v", fl.faults, err)
		}
		o.Faults, o.Contract = &file.Faults, file.Contract
	}
	return o, nil
}
