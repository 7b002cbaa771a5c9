package catalog

// A Method is one of Cloud Control's operations as a table offers it, in the
// names that reference pages use.
type Method struct {
	Name     string   // get_resource
	Verb     string   // SELECT, INSERT, UPDATE, DELETE
	Required []string // parameters that must be given
}

// Methods are what a table can do: the singular one reads and updates single
// resources, the plural one lists, creates and deletes.
func (t *Table) Methods(singular bool) []Method {
	var out []Method
	add := func(h *Handler, name, verb string, required ...string) {
		if h != nil {
			out = append(out, Method{name, verb, append(required, "region")})
		}
	}
	if singular || t.Singular == t.Plural {
		add(t.Update, "update_resource", "UPDATE", append(t.Naming(), "data__PatchDocument")...)
		add(t.Read, "get_resource", "SELECT", t.Naming()...)
	}
	if !singular || t.Singular == t.Plural {
		add(t.Create, "create_resource", "INSERT", t.requiredColumns()...)
		add(t.Delete, "delete_resource", "DELETE", t.Naming()...)
		add(t.List, "list_resources", "SELECT", t.listColumns()...)
	}
	return out
}

// Naming are the columns by which a single resource is asked for.
func (t *Table) Naming() []string {
	if i, _ := t.Column("data__Identifier"); i == 2 {
		return []string{"data__Identifier"}
	}
	var out []string
	for _, c := range t.IdentifierColumns() {
		out = append(out, t.Columns[c].Name)
	}
	return out
}

// listColumns are those that a list must be given, since nothing else tells.
func (t *Table) listColumns() []string {
	var out []string
	if t.ListInput.Unknown == "" {
		return out
	}
	for _, p := range t.ListInput.Required {
		if i, ok := t.Column(p[1:]); ok {
			out = append(out, t.Columns[i].Name)
		}
	}
	return out
}

// requiredColumns are those that an INSERT must give.
func (t *Table) requiredColumns() []string {
	var out []string
	for _, c := range t.Columns {
		if c.Required {
			out = append(out, c.Name)
		}
	}
	return out
}
