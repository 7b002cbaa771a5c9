// Package docgen writes the reference page of a table in Markdown, from the
// catalog alone.
//
// A page says what the table is for, its fields, its methods with what they
// must be given, a SELECT that runs as it is printed, and the permissions of
// each verb. Descriptions are there if the catalog has them.
package docgen

import (
	"fmt"
	"io"
	"strings"

	"github.com/skyql/skyql/internal/catalog"
)

// Page writes the page of a table under one of its names. Singular and plural
// tables have the same fields, and different methods.
func Page(w io.Writer, t *catalog.Table, form catalog.Form) error {
	singular := form == catalog.Singular || t.Singular == t.Plural
	name := t.Plural
	if form == catalog.Singular {
		name = t.Singular
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n%s\n\n", name, purpose(t, form))
	overview(&b, t, name)
	fields(&b, t)
	methods(&b, t, form)
	example(&b, t, name, singular && form == catalog.Singular)
	permissions(&b, t, form)
	_, err := io.WriteString(w, b.String())
	return err
}

func purpose(t *catalog.Table, form catalog.Form) string {
	switch {
	case t.Read == nil && t.List == nil:
		return fmt.Sprintf("`%s` is listed for completeness: AWS publishes a schema for it, but Cloud Control has no handlers, so it can't be used.", t.Name())
	case t.Singular == t.Plural:
		return fmt.Sprintf("Reads `%s` resources, one by its identifier or all of them.", t.Singular)
	case form == catalog.Singular:
		return fmt.Sprintf("Reads or updates a single `%s` by its identifier. To list, create or delete, use `%s`.", t.Singular, t.Plural)
	}
	return fmt.Sprintf("Lists, creates and deletes `%s`. For a single one by its identifier there is also `%s`.", t.Plural, t.Singular)
}

func overview(b *strings.Builder, t *catalog.Table, name string) {
	b.WriteString("## Overview\n\n| | |\n| --- | --- |\n")
	row := func(k, v string) {
		if v != "" {
			fmt.Fprintf(b, "| **%s** | %s |\n", k, v)
		}
	}
	row("Name", "`"+name+"`")
	row("Type", "Resource, `"+t.Type+"`")
	row("Description", cell(t.Description))
	row("Id", "`aws."+t.Service+"."+name+"`")
	if t.Global {
		row("Scope", "global: one set of rows an account, in its partition's home region")
	}
	b.WriteString("\n")
}

func cell(s string) string {
	return strings.NewReplacer("\r", "", "\n", "<br>", "|", `\|`, "<", "&lt;").Replace(strings.TrimSpace(s))
}

func fields(b *strings.Builder, t *catalog.Table) {
	b.WriteString("## Fields\n\n| Name | Datatype | Marks | Description |\n| --- | --- | --- | --- |\n")
	for _, c := range t.Columns[3:] {
		fmt.Fprintf(b, "| `%s` | `%s` | %s | %s |\n", c.Name, c.Datatype, marks(c), cell(c.Description))
	}
	b.WriteString("| `region` | `string` | key | Region that the resource is in. |\n")
	b.WriteString("| `account_id` | `string` | key | Account that the resource is in. |\n")
	same := "Cloud Control's identifier; `data__Identifier` is the same."
	if names := t.Naming(); len(names) > 1 {
		same = "`" + strings.Join(names, "` and `") + "`, joined by a bar."
	}
	b.WriteString("| `identifier` | `string` | key | " + same + " |\n\n")
}

func marks(c catalog.Column) string {
	var out []string
	for _, m := range []struct {
		on   bool
		text string
	}{{c.Required, "required"}, {c.IdentifierPart, "identifier"}, {c.ReadOnly, "read-only"}, {c.WriteOnly, "write-only"}, {c.CreateOnly, "create-only"}, {c.Deprecated, "deprecated"}} {
		if m.on {
			out = append(out, m.text)
		}
	}
	return strings.Join(out, ", ")
}

func methods(b *strings.Builder, t *catalog.Table, form catalog.Form) {
	b.WriteString("## Methods\n\n| Name | Accessible by | Required Params |\n| --- | --- | --- |\n")
	for _, m := range t.Methods(form == catalog.Singular) {
		fmt.Fprintf(b, "| `%s` | `%s` | `%s` |\n", m.Name, m.Verb, strings.Join(m.Required, ", "))
	}
	b.WriteString("\n")
}

// Example is the SELECT of a page: every property of a table, in one region.
// A singular table's is of one resource, with a placeholder for its identifier.
func Example(t *catalog.Table, form catalog.Form) string {
	var cols []string
	for _, c := range t.Columns[3:] {
		cols = append(cols, word(c.Name))
	}
	name := t.Plural
	where := "WHERE region = 'us-east-1'"
	if form == catalog.Singular || t.List == nil {
		var parts []string
		for _, p := range t.Identifier {
			parts = append(parts, "<"+p[strings.LastIndexByte(p, '/')+1:]+">")
		}
		if names := t.Naming(); len(names) > 1 {
			for i, n := range names {
				where += "\n  AND " + n + " = '" + parts[i] + "'"
			}
		} else {
			where += " AND data__Identifier = '" + strings.Join(parts, "|") + "'"
		}
	}
	if form == catalog.Singular {
		name = t.Singular
	}
	if form != catalog.Singular && t.List != nil {
		for _, p := range needed(t) {
			c, ok := t.Column(p[1:])
			if ok {
				where += fmt.Sprintf("\n  AND %s = '<%s>'", word(t.Columns[c].Name), t.Columns[c].Property)
			}
		}
	}
	return "SELECT\n  region,\n  " + strings.Join(cols, ",\n  ") + "\nFROM aws." + t.Service + "." + word(name) + "\n" + where + ";\n"
}

// needed are the list keys that a statement must give, since nothing else tells.
func needed(t *catalog.Table) []string {
	in := t.ListInput
	if in.Unknown == "" {
		return nil
	}
	return in.Required
}

func example(b *strings.Builder, t *catalog.Table, name string, single bool) {
	if t.Read == nil && t.List == nil {
		return
	}
	form := catalog.PluralForm
	if single {
		form = catalog.Singular
	}
	b.WriteString("## `SELECT` Example\n\n```sql\n" + Example(t, form) + "```\n\n")
}

func permissions(b *strings.Builder, t *catalog.Table, form catalog.Form) {
	b.WriteString("## Permissions\n\nBeside Cloud Control's own actions (`cloudformation:GetResource`, `cloudformation:ListResources` and so on), these are needed:\n\n")
	block := func(name string, h *catalog.Handler) {
		if h != nil && len(h.Permissions) > 0 {
			fmt.Fprintf(b, "### %s\n\n```json\n%s\n```\n\n", name, strings.Join(h.Permissions, ",\n"))
		}
	}
	block("Read", t.Read)
	if form == catalog.Singular {
		block("Update", t.Update)
		return
	}
	block("List", t.List)
	block("Create", t.Create)
	block("Delete", t.Delete)
}
