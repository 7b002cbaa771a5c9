package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/skyql/skyql/internal/catalog"
)

// A Batch is some resources of a table, in a table of their own, to be asked
// which of them a condition is true of. It is not safe for concurrent use.
type Batch struct {
	copy   *Copy
	loader *Loader
	rows   int64
	ready  bool
}

// ordinal is the column that numbers the rows of a batch.
const ordinal = "skyql_row"

// Batch makes one with some of the table's columns.
func (c *Copy) Batch(ctx context.Context, t *catalog.Table, columns []int) (*Batch, error) {
	l := c.loader(t, columns, "temp.main.skyql_batch")
	l.columns = append(l.columns, loading{Column: &catalog.Column{Name: ordinal, Type: catalog.BigInt}, typ: catalog.BigInt})
	return &Batch{copy: c, loader: l}, c.db.Exec(ctx, "CREATE OR REPLACE TEMP TABLE skyql_batch ("+l.declared()+")", nil)
}

// Append adds one resource.
func (b *Batch) Append(ctx context.Context, account, region, identifier string, properties json.RawMessage) error {
	b.loader.ordinal = b.rows
	b.rows++
	return b.loader.Append(ctx, account, region, identifier, properties)
}

// Close drops the batch.
func (b *Batch) Close() error {
	b.loader.stop()
	b.copy.loaders = slices.DeleteFunc(b.copy.loaders, func(l *Loader) bool { return l == b.loader })
	return b.copy.db.Exec(context.Background(), "DROP TABLE IF EXISTS temp.main.skyql_batch", nil)
}

// Where gives for each resource whether a condition is true of it. sure is
// false where that can't be told: a value is not of its column's type, or the
// condition can't be computed for some row.
func (b *Batch) Where(ctx context.Context, condition string, args map[string]string) (pass []bool, sure bool, err error) {
	at, sure, err := b.ask(ctx, "SELECT "+ordinal+" FROM skyql_batch WHERE ("+condition+")", args)
	if err != nil || !sure {
		return nil, false, err
	}
	pass = make([]bool, b.rows)
	for _, i := range at {
		pass[i] = true
	}
	return pass, true, nil
}

// First gives the first n resources in an order.
func (b *Batch) First(ctx context.Context, order string, n int) ([]int, error) {
	at, sure, err := b.ask(ctx, fmt.Sprintf("SELECT "+ordinal+" FROM skyql_batch ORDER BY %s LIMIT %d", order, n), nil)
	if err == nil && !sure { // no order among them is known: all are first
		at = make([]int, b.rows)
		for i := range at {
			at[i] = i
		}
	}
	return at, err
}

func (b *Batch) ask(ctx context.Context, text string, args map[string]string) (at []int, sure bool, err error) {
	if !b.ready {
		wide, err := b.loader.Finish(ctx)
		if err != nil {
			return nil, false, err
		}
		b.ready = len(wide) == 0
		if !b.ready {
			return nil, false, nil
		}
	}
	text, values := b.copy.db.bound(text, args)
	rows, err := b.copy.db.conn.QueryContext(ctx, text, values...)
	if err != nil {
		return nil, false, ctx.Err()
	}
	defer rows.Close()
	for rows.Next() {
		var i int
		if err := rows.Scan(&i); err != nil {
			return nil, false, err
		}
		at = append(at, i)
	}
	if rows.Err() != nil {
		return nil, false, ctx.Err()
	}
	return at, true, nil
}
