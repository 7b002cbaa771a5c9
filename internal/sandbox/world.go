package sandbox

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
)

// A World is what exists. As a file it is one JSON object with these members.
type World struct {
	// Accounts are those of the organisation; the first is the management
	// account, and the one that any key belongs to.
	Accounts []Account `json:"accounts"`
	// Regions are the enabled ones.
	Regions []string `json:"regions"`
	// NotOffered are types that a region lacks.
	NotOffered map[string][]string `json:"not_offered,omitempty"`
	Resources  []Resource          `json:"resources"`
}

// An Account is one account of a World.
type Account struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Email string `json:"email"`
}

// A Resource is one thing in a World. Properties are those of its type's
// schema, write-only ones included.
type Resource struct {
	Type       string         `json:"type"`
	Account    string         `json:"account"`
	Region     string         `json:"region"`
	Properties map[string]any `json:"properties"`
}

// LoadWorld reads a world from JSON.
func LoadWorld(r io.Reader) (*World, error) {
	d := json.NewDecoder(r)
	d.DisallowUnknownFields()
	d.UseNumber()
	w := &World{}
	if err := d.Decode(w); err != nil {
		return nil, fmt.Errorf("world: %w", err)
	}
	if len(w.Accounts) == 0 || len(w.Regions) == 0 {
		return nil, fmt.Errorf("world: it needs at least one of accounts and of regions")
	}
	for i, r := range w.Resources {
		if w.account(r.Account) == nil || !w.enabled(r.Region) {
			return nil, fmt.Errorf("world: resource %d, a %s: account %q or region %q is not one of the world's", i, r.Type, r.Account, r.Region)
		}
	}
	return w, nil
}

// Write writes a world as JSON, in the form that LoadWorld reads.
func (w *World) Write(out io.Writer) error {
	e := json.NewEncoder(out)
	e.SetIndent("", " ")
	e.SetEscapeHTML(false)
	return e.Encode(w)
}

// Add puts a resource into the world.
func (w *World) Add(account, region, typ string, properties map[string]any) {
	w.Resources = append(w.Resources, Resource{typ, account, region, properties})
}

func (w *World) account(id string) *Account {
	i := slices.IndexFunc(w.Accounts, func(a Account) bool { return a.ID == id })
	if i < 0 {
		return nil
	}
	return &w.Accounts[i]
}

func (w *World) enabled(region string) bool { return slices.Contains(w.Regions, region) }
