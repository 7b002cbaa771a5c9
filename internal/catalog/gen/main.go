// Command gen compiles AWS's archive of resource schemas into the catalog that
// is embedded in the program. It keeps facts and no description texts.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/skyql/skyql/internal/catalog"
)

func main() {
	from := flag.String("from", "", "archive of schemas, laid out as CloudformationSchema.zip")
	to := flag.String("to", "catalog.bin", "file to write")
	flag.Parse()
	if err := run(*from, *to); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(from, to string) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	data, err := catalog.Compile(f, st.Size(), catalog.CompileOptions{Name: filepath.Base(from)})
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o644)
}
