// Command barewire is a PostgreSQL client that does the least: it reads rows
// and drops them, or opens sessions and holds them.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"

	"github.com/jackc/pgx/v5/pgconn"
)

func main() {
	url := flag.String("url", "", "where to connect")
	sessions := flag.Int("sessions", 0, "open so many sessions, one after the other, and run the statement in each")
	flag.Parse()
	if err := run(*url, *sessions, flag.Arg(0)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(url string, sessions int, sql string) error {
	rows := 0
	for range max(1, sessions) {
		c, err := pgconn.Connect(context.Background(), url)
		if err != nil {
			return err
		}
		defer c.Close(context.Background()) // all are open at the end
		n, err := read(c, sql)
		if err != nil {
			return err
		}
		rows += n
	}
	fmt.Println(rows)
	return nil
}

func read(c *pgconn.PgConn, sql string) (rows int, err error) {
	results := c.Exec(context.Background(), sql)
	for results.NextResult() {
		r := results.ResultReader()
		for r.NextRow() {
			rows++
		}
	}
	return rows, results.Close()
}
