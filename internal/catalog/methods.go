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
		add(t.Update, "update_resource", "UPDATE", "data__Identifier", "data__PatchDocument")
		add(t.Read, "get_resource", "SELECT", "data__Identifier")
	}
	if !singular || t.Singular == t.Plural {
		add(t.Create, "create_resource", "INSERT", t.requiredColumns()...)
		add(t.Delete, "delete_resource", "DELETE", "data__Identifier")
		add(t.List, "list_resources", "SELECT")
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
