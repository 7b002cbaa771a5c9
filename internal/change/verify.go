package change

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/skyql/skyql/internal/cloudcontrol"
	"github.com/skyql/skyql/internal/sqlerr"
)

// Verify reads again all that a saved set was made from, and refuses the set if
// anything of it has changed since, or if it belongs elsewhere. What a creation
// would make must not be there yet. The cause of a refusal is ErrDrifted.
func (s *Set) Verify(ctx context.Context, at Place, clouds Clouds, parallel int) error {
	if why := s.Place.Differs(at); why != "" {
		return refuse("the plan can't be applied here: %s", why)
	}
	if parallel <= 0 {
		parallel = 16
	}
	var mu sync.Mutex
	found := make([]string, len(s.Changes))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(parallel)
	for i, c := range s.Changes {
		g.Go(func() error {
			why, err := c.verify(ctx, clouds)
			if err != nil {
				return fmt.Errorf("%s: %w", c, err)
			}
			mu.Lock()
			defer mu.Unlock()
			found[i] = why
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	var lines []string
	for i, why := range found {
		if why != "" {
			lines = append(lines, fmt.Sprintf("%s: %s", s.Changes[i], why))
		}
	}
	if len(lines) == 0 {
		return nil
	}
	return sqlerr.New("55000", "the plan is out of date, and nothing was sent").WithDetail("%s", strings.Join(lines, "\n")).
		WithHint("run the statement again for a new plan").Wrap(ErrDrifted)
}

func (c *Change) verify(ctx context.Context, clouds Clouds) (string, error) {
	id := c.Identifier
	if c.Action == Create {
		var chosen bool
		if id, chosen = c.rules.compose(c.after); !chosen {
			return "", nil
		}
	}
	cloud, err := clouds(ctx, c.Account, c.Region)
	if err != nil {
		return "", err
	}
	d, err := cloud.Get(ctx, c.Table.Type, id)
	gone := errors.Is(err, cloudcontrol.ErrNotFound)
	switch {
	case gone && c.Action == Create:
		return "", nil
	case gone:
		return "is gone", nil
	case err != nil:
		return "", err
	case c.Action == Create:
		return "is there already", nil
	}
	now, err := parseModel(d.Properties)
	if err != nil {
		return "", err
	}
	return c.wholeDrift(now), nil
}
