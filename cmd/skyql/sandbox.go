package main

import (
	"fmt"
	"net"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/skyql/skyql/internal/sandbox"
	"github.com/skyql/skyql/internal/sqlerr"
)

func newSandbox(s streams) *cobra.Command {
	var listen, world string
	var latency, jitter time.Duration
	var throttle float64
	var page int
	cmd := &cobra.Command{
		Use:   "sandbox",
		Short: "Serve a Cloud Control API for other programs",
		Long: "Serve an emulated Cloud Control API over HTTP until interrupted. Any dummy credentials are taken:\n" +
			"AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE AWS_SECRET_ACCESS_KEY=dummy AWS_REGION=us-east-1",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if latency < 0 || jitter < 0 || throttle < 0 || page < 0 {
				return sqlerr.New(sqlerr.InvalidParameter, "latency, jitter, throttle and page-size can't be negative")
			}
			o := sandbox.Options{Latency: latency, Jitter: jitter, Throttle: throttle, PageSize: page}
			if world != "" {
				f, err := os.Open(world)
				if err != nil {
					return err
				}
				o.World, err = sandbox.LoadWorld(f)
				f.Close()
				if err != nil {
					return fmt.Errorf("%s: %w", world, err)
				}
			}
			l, err := net.Listen("tcp", listen)
			if err != nil {
				return err
			}
			fmt.Fprintf(s.err, "sandbox on http://%s\n", l.Addr())
			return sandbox.New(o).Serve(cmd.Context(), l)
		},
	}
	f := cmd.Flags()
	f.StringVar(&listen, "listen", "127.0.0.1:4577", "address to listen on")
	f.StringVar(&world, "world", "", "JSON file of what exists (default: the demo world)")
	f.DurationVar(&latency, "latency", 0, "time that every call takes")
	f.DurationVar(&jitter, "jitter", 0, "up to this much more")
	f.IntVar(&page, "page-size", 0, "rows on a page of every list (default: by type)")
	f.Float64Var(&throttle, "throttle", 0, "calls a second and account and region, the rest is refused")
	return cmd
}
