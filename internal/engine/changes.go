package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/skyql/skyql/internal/catalog"
	"github.com/skyql/skyql/internal/sqlerr"
)

// A Changed is a row of a copy's table that a statement has made, changed or
// taken away.
type Changed struct {
	Account, Region, Identifier string // "" for NULL
	Before, After               bool   // it was there, it is there
	// Values are the columns that differ, by their place in the table, as JSON;
	// null for NULL. Of a row that was made, those that aren't NULL.
	Values map[int]json.RawMessage
}

// before is the table that remembers how another one was.
const before = "temp.main.skyql_before"

// Track makes ready for a statement that writes to a table: what is in it is
// remembered, and columns that a new row doesn't name get a value of their own:
// account_id and region those that are given ("" for none), identifier one that
// begins with ~ and a number above made: those up to it are taken.
func (c *Copy) Track(ctx context.Context, t *catalog.Table, account, region string, made int) error {
	name := tableName(t)
	text := "CREATE OR REPLACE TEMP TABLE skyql_before AS FROM " + name + "; CREATE SEQUENCE IF NOT EXISTS aws.main.skyql_new START WITH " + strconv.Itoa(made+1) + ";\n" +
		"ALTER TABLE " + name + " ALTER COLUMN identifier SET DEFAULT ('~new-' || nextval('aws.main.skyql_new'));\n"
	for _, d := range []struct{ column, value string }{{"account_id", account}, {"region", region}} {
		if d.value != "" {
			text += "ALTER TABLE " + name + " ALTER COLUMN " + d.column + " SET DEFAULT " + literal(d.value) + ";\n"
		}
	}
	return c.db.Exec(ctx, text, nil)
}

func tableName(t *catalog.Table) string { return "aws." + Quote(t.Service) + "." + Quote(t.Plural) }

// Changes gives the rows that are not as they were when Track was called, in
// the table's order, new ones last. account_id, region and identifier say which
// row is which. With all columns of the table loaded, it is everything.
func (c *Copy) Changes(ctx context.Context, t *catalog.Table) ([]Changed, error) {
	if err := c.doubled(ctx, t); err != nil {
		return nil, err
	}
	items := []string{"coalesce(b.account_id, a.account_id)", "coalesce(b.region, a.region)", "coalesce(b.identifier, a.identifier)", "b.identifier IS NOT NULL", "a.account_id IS NOT NULL OR a.identifier IS NOT NULL"}
	differ := []string{"b.identifier IS NULL", "a.identifier IS NULL"}
	for i := 3; i < len(t.Columns); i++ {
		n := Quote(t.Columns[i].Name)
		d := "a." + n + " IS DISTINCT FROM b." + n
		differ = append(differ, d)
		items = append(items, "CASE WHEN "+d+" THEN coalesce(CAST(to_json(a."+n+") AS VARCHAR), 'null') END")
	}
	text := "SELECT " + strings.Join(items, ", ") + " FROM " + tableName(t) + " a FULL JOIN " + before + " b ON a.account_id = b.account_id AND a.region = b.region AND a.identifier = b.identifier WHERE " +
		strings.Join(differ, " OR ") + " ORDER BY b.identifier IS NULL, 1, 2, try_cast(regexp_extract(a.identifier, '^~new-([0-9]+)$', 1) AS BIGINT), 3"
	rows, err := c.db.conn.QueryContext(ctx, text)
	if err != nil {
		return nil, wrap(err, text, 0)
	}
	defer rows.Close()
	var out []Changed
	for rows.Next() {
		ch, err := changed(rows.Scan, len(items))
		if err != nil {
			return nil, fmt.Errorf("changes of %s: %w", t.Name(), err)
		}
		out = append(out, ch)
	}
	return out, wrap(rows.Err(), text, 0)
}

// doubled refuses a row that was made though its like is there.
func (c *Copy) doubled(ctx context.Context, t *catalog.Table) error {
	rows, _, err := c.db.Texts(ctx, "SELECT account_id, region, identifier FROM "+tableName(t)+" WHERE identifier IS NOT NULL GROUP BY ALL HAVING count(*) > 1 ORDER BY ALL LIMIT 1", nil, 1)
	if err != nil || len(rows) == 0 {
		return err
	}
	return sqlerr.New(sqlerr.UniqueViolation, "%s %s exists already, or would be made twice", t.Name(), rows[0][2]).
		WithDetail("account %s, region %s", rows[0][0], rows[0][1]).WithHint("UPDATE %s changes what exists; a new row's identifier is left out", t.Name())
}

// changed reads a row of the query that Changes makes.
func changed(scan func(...any) error, n int) (Changed, error) {
	ch := Changed{Values: map[int]json.RawMessage{}}
	keys, values := make([]*string, 3), make([]*string, n-5)
	into := []any{&keys[0], &keys[1], &keys[2], &ch.Before, &ch.After}
	for i := range values {
		into = append(into, &values[i])
	}
	if err := scan(into...); err != nil {
		return ch, err
	}
	for i, to := range []*string{&ch.Account, &ch.Region, &ch.Identifier} {
		if keys[i] != nil {
			*to = *keys[i]
		}
	}
	for i, v := range values {
		if v != nil && ch.After {
			ch.Values[i+3] = json.RawMessage(*v)
		}
	}
	return ch, nil
}

// Bind says what is wrong with a statement, without running it.
func (e *DB) Bind(ctx context.Context, text string) error {
	st, err := e.conn.PrepareContext(ctx, text)
	if err != nil {
		return wrap(err, text, 0)
	}
	return st.Close()
}

// Mark adds a column to a table that says something of each row, by account,
// region and identifier.
func (c *Copy) Mark(ctx context.Context, t *catalog.Table, column string, marks map[[3]string]string) error {
	if err := c.db.Exec(ctx, "ALTER TABLE "+tableName(t)+" ADD COLUMN "+Quote(column)+" VARCHAR", nil); err != nil {
		return err
	}
	for k, v := range marks {
		text := "UPDATE " + tableName(t) + " SET " + Quote(column) + " = $v WHERE account_id = $a AND region = $r AND identifier = $i"
		if err := c.db.Exec(ctx, text, map[string]string{"v": v, "a": k[0], "r": k[1], "i": k[2]}); err != nil {
			return err
		}
	}
	return nil
}
