// Command bareduck is what any Go program pays that opens DuckDB and runs a
// statement: the yardstick for the start of skyql, for rows that are written as
// text, and for sessions.
//
//	bareduck                  SELECT 1
//	bareduck SQL              its rows as text to nowhere, their number to standard output
//	bareduck -open 100 SQL    so many instances, all open at the end
package main

import (
	"bufio"
	"database/sql"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	_ "github.com/duckdb/duckdb-go/v2"
)

func main() {
	open := flag.Int("open", 1, "instances")
	flag.Parse()
	text := "SELECT 1"
	if flag.NArg() > 0 {
		text = flag.Arg(0)
	}
	rows := 0
	for range *open {
		db, err := sql.Open("duckdb", "")
		if err == nil {
			defer db.Close()
			var n int
			n, err = run(db, text)
			rows += n
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	fmt.Println(rows)
}

// run writes rows as a person would who wants them as text.
func run(db *sql.DB, text string) (n int, err error) {
	rows, err := db.Query(text)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	cols, err := rows.Columns()
	if err != nil {
		return 0, err
	}
	values, into := make([]any, len(cols)), make([]any, len(cols))
	for i := range values {
		into[i] = &values[i]
	}
	w := bufio.NewWriter(io.Discard)
	var b []byte
	for ; rows.Next(); n++ {
		if err := rows.Scan(into...); err != nil {
			return n, err
		}
		b = b[:0]
		for _, v := range values {
			switch v := v.(type) {
			case int64:
				b = strconv.AppendInt(b, v, 10)
			case int32:
				b = strconv.AppendInt(b, int64(v), 10)
			case float64:
				b = strconv.AppendFloat(b, v, 'g', -1, 64)
			case bool:
				b = strconv.AppendBool(b, v)
			case string:
				b = append(b, v...)
			case time.Time:
				b = v.AppendFormat(b, time.DateOnly)
			default:
				b = fmt.Append(b, v)
			}
			b = append(b, '|')
		}
		w.Write(append(b, '\n'))
	}
	return n, rows.Err()
}
