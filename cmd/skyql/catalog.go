package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/skyql/skyql/internal/catalog"
	"github.com/skyql/skyql/internal/sqlerr"
)

// archiveURL is where AWS publishes the schemas of its resource types.
const archiveURL = "https://schema.cloudformation.us-east-1.amazonaws.com/CloudformationSchema.zip"

func newCatalog(s streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "catalog",
		Short: "Show which catalog of resource types is in use",
		Args:  none,
		RunE: func(*cobra.Command, []string) error {
			c, err := openCatalog()
			if err != nil {
				return err
			}
			i := c.Info()
			texts := "without descriptions"
			if i.Descriptions {
				texts = "with descriptions"
			}
			_, err = fmt.Fprintf(s.out, "catalog   %s\nfrom      %s, %s\ntypes     %d in %d services, %s\ndigest    %s\n", i.Origin, i.Archive, i.Date, i.Types, i.Services, texts, i.Digest)
			return err
		},
	}
	cmd.AddCommand(newCatalogUpdate(s))
	return cmd
}

func newCatalogUpdate(s streams) *cobra.Command {
	var from string
	cmd := &cobra.Command{
		Use:   "update",
		Short: "Read the schemas that AWS publishes today",
		Args:  none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			old, err := openCatalog()
			if err != nil { // a broken one is what an update mends
				fmt.Fprintf(s.err, "notice: %v\n", err)
				old = catalog.Embedded()
			}
			if from == "" {
				path, err := download(cmd.Context())
				if err != nil {
					return err
				}
				defer os.Remove(path)
				from = path
			}
			changes, err := catalog.Update(from, cacheDir(), old)
			if err != nil {
				return sqlerr.New("58030", "the catalog was not updated: %v", err).WithDetail("still in use: %s", old.Info().Origin)
			}
			report(s, changes)
			return nil
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "archive in the layout of AWS's CloudformationSchema.zip (default: AWS's own)")
	return cmd
}

func report(s streams, c catalog.Changes) {
	for _, part := range []struct {
		name  string
		types []string
	}{{"new", c.New}, {"changed", c.Changed}, {"gone", c.Gone}} {
		fmt.Fprintf(s.out, "%-8s %d\n", part.name, len(part.types))
		for _, t := range part.types {
			fmt.Fprintf(s.out, "         %s\n", t)
		}
	}
	fmt.Fprintf(s.out, "written  %s\n", filepath.Join(cacheDir(), catalog.FileName))
}

// maxDownload is far above the archive's size.
const maxDownload = 200 << 20

func download(ctx context.Context) (path string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, archiveURL, nil)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", sqlerr.New(sqlerr.ConnectionFailure, "AWS's schemas can't be fetched: %v", err).WithHint("skyql catalog update --from CloudformationSchema.zip")
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return "", sqlerr.New(sqlerr.ConnectionFailure, "AWS's schemas can't be fetched: %s", strings.ToLower(resp.Status)).WithHint("skyql catalog update --from CloudformationSchema.zip")
	}
	f, err := os.CreateTemp("", "CloudformationSchema-*.zip")
	if err != nil {
		return "", err
	}
	_, err = io.Copy(f, io.LimitReader(resp.Body, maxDownload))
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		os.Remove(f.Name())
		return "", err
	}
	return f.Name(), nil
}
