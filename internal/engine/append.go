package engine

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"iter"

	"github.com/duckdb/duckdb-go/v2"
)

// Append adds rows to a table of the main schema, quicker than statements do.
// Values are of the types that the driver has for the columns; a row's slice
// may be used again.
func (e *DB) Append(table string, rows iter.Seq[[]driver.Value]) error {
	return e.conn.Raw(func(c any) error {
		a, err := duckdb.NewAppender(c.(driver.Conn), "", "", table)
		if err != nil {
			return fmt.Errorf("append to %s: %w", table, err)
		}
		for row := range rows {
			if err := a.AppendRow(row...); err != nil {
				return errors.Join(fmt.Errorf("append to %s: %w", table, err), a.Close())
			}
		}
		return a.Close()
	})
}
