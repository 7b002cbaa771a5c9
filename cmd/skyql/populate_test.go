package main

import (
	"context"
	"flag"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/skyql/skyql/internal/catalog"
	"github.com/skyql/skyql/internal/sandbox"
	"github.com/skyql/skyql/internal/session"
)

var everyTable = flag.Bool("every-table", false, "read every table of a populated sandbox, not some of them")

// In a world with three resources of every type every table gives its rows:
// listed, under their parents where that takes some, or read by identifier.
func TestPopulatedTables(t *testing.T) {
	t.Parallel()
	box := sandbox.NewServer(sandbox.Options{World: &sandbox.World{Accounts: []sandbox.Account{{ID: "111122223333"}}, Regions: []string{"us-east-1"}}, Populate: 3})
	t.Cleanup(box.Close)
	step := 8
	if *everyTable {
		step = 1
	}
	entries := catalog.Embedded().Entries("")
	const parts = 4
	g, ctx := errgroup.WithContext(t.Context())
	for part := range parts {
		s := connected(t, box.URL)
		g.Go(func() error {
			for i := part * step; i < len(entries); i += parts * step {
				if entries[i].Creatable {
					if err := readTable(ctx, s, box, entries[i]); err != nil {
						t.Error(err)
					}
				}
			}
			return ctx.Err()
		})
	}
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
}

// readTable compares a table's rows with what is in the sandbox.
func readTable(ctx context.Context, s *session.Session, box *sandbox.Server, e catalog.Entry) error {
	t, err := catalog.Embedded().Table(e.Type)
	if err != nil {
		return err
	}
	ids := box.Identifiers("111122223333", "us-east-1", e.Type)
	queries := []string{fmt.Sprintf("SELECT * FROM aws.%s.%q", e.Service, e.Plural)}
	if in := t.ListInput; t.List == nil || in.Unknown != "" { // it has to be said which
		queries = nil
		for _, id := range ids {
			queries = append(queries, fmt.Sprintf("SELECT * FROM aws.%s.%q WHERE identifier = '%s'", e.Service, e.Singular, strings.ReplaceAll(id, "'", "''")))
		}
	}
	n := 0
	for _, q := range queries {
		err := s.Run(ctx, q, func(_ context.Context, r session.Result) error {
			for r.Rows.Next() {
				n++
			}
			return r.Rows.Err()
		})
		if err != nil {
			return fmt.Errorf("%s: %w", q, err)
		}
	}
	if n != len(ids) {
		return fmt.Errorf("%s: %d rows, there are %d: %v", strings.Join(queries, "; "), n, len(ids), ids)
	}
	return nil
}
