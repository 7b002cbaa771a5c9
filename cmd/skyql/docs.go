package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/skyql/skyql/internal/docgen"
	"github.com/skyql/skyql/internal/sqlerr"
)

func newDocs(s streams) *cobra.Command {
	return &cobra.Command{
		Use:     "docs TABLE",
		Short:   "Print the reference page of a table in Markdown",
		Example: "  skyql docs aws.connect.user",
		Args:    one,
		RunE: func(_ *cobra.Command, args []string) error {
			c, err := openCatalog()
			if err != nil {
				return err
			}
			c = c.WithCloudControl()
			parts := strings.Split(strings.ReplaceAll(args[0], `"`, ""), ".")
			if len(parts) == 3 && (parts[0] == "aws" || parts[0] == "awscc") {
				parts = parts[1:]
			}
			if service := parts[len(parts)-1]; len(parts) == 1 || len(parts) == 2 && parts[0] == "aws" {
				if len(c.Entries(service)) > 0 {
					return sqlerr.New(sqlerr.UndefinedTable, "%s is a service, not a table", args[0]).WithHint(`skyql query "SHOW TABLES IN aws.%s"`, service)
				}
			}
			if len(parts) != 2 {
				return sqlerr.New(sqlerr.UndefinedTable, "%q is not the name of a table", args[0]).WithHint("skyql docs aws.connect.user")
			}
			e, form, ok := c.Lookup(parts[0], parts[1])
			if !ok {
				err := sqlerr.New(sqlerr.UndefinedTable, "table %s does not exist", args[0])
				if near := c.NearTables(parts[0], parts[1]); len(near) > 0 {
					return err.WithHint("skyql docs %s", near[0])
				}
				return err.WithHint(`skyql query "SHOW SERVICES"`)
			}
			t, err := c.Table(e.Type)
			if err != nil {
				return err
			}
			return docgen.Page(s.out, t, form)
		},
	}
}
