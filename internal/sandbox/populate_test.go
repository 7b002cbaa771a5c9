package sandbox

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/skyql/skyql/internal/catalog"
)

// A populated world has its resources in every table: a list shows them, under
// their parents where it needs some, and each can be read.
func TestPopulate(t *testing.T) {
	t.Parallel()
	const n = 3
	d := direct{New(Options{World: &World{Accounts: demoAccounts, Regions: demoRegions}, Populate: n}), everyRegion}
	few := map[string]int{}
	for _, e := range catalog.Embedded().Entries("") {
		if !e.Creatable {
			continue
		}
		table, err := catalog.Embedded().Table(e.Type)
		if err != nil {
			t.Fatal(err)
		}
		ids := d.s.Identifiers(demoAccounts[0].ID, everyRegion, e.Type)
		if len(ids) != n {
			few[e.Type] = len(ids)
		}
		listed := map[string]bool{}
		for _, id := range ids {
			a := d.call("GetResource", map[string]any{"TypeName": e.Type, "Identifier": id})
			if a.status != http.StatusOK || a.ResourceDescription.Identifier != id {
				t.Errorf("%s %s: %s", e.Type, id, a)
				continue
			}
			if problems := rootOf(table).check(normal(d.s.Properties(demoAccounts[0].ID, everyRegion, e.Type, id))); len(problems) > 0 {
				t.Errorf("%s %s breaks its own schema: %v", e.Type, id, problems)
			}
			if table.List == nil {
				continue
			}
			model := map[string]any{}
			if typ := table.ListInput.Parents; len(typ) > 0 && table.ListInput.Unknown == "" {
				// Its list is asked for under each parent, as a client would.
				for _, parent := range d.s.parents(table, typ[0]) {
					for _, got := range d.list(e.Type, parent) {
						listed[got] = true
					}
				}
			}
			have := d.s.Properties(demoAccounts[0].ID, everyRegion, e.Type, id)
			for _, p := range slices.Concat(append(table.ListInput.OneOf, table.ListInput.Required)...) {
				if v := have[p[1:]]; v != nil {
					model[p[1:]] = v
				}
			}
			for _, got := range d.list(e.Type, model) {
				listed[got] = true
			}
			if table.ListInput.DefaultParentOnly {
				listed[id] = true
			}
		}
		for _, id := range ids {
			if table.List != nil && !listed[id] {
				t.Errorf("%s: no list shows %s", e.Type, id)
			}
		}
	}
	// The types that have fewer are named by the account, the region or an enum.
	if len(few) > 25 {
		t.Errorf("%d types have fewer: %v", len(few), few)
	}
	for typ, k := range few {
		if k == 0 {
			t.Errorf("%s has none", typ)
		}
	}
}

// parents are the list models that a type's parents give.
func (s *Sandbox) parents(t *catalog.Table, p catalog.Parent) (out []map[string]any) {
	parent, err := s.catalog.Table(p.Type)
	if err != nil {
		return nil
	}
	for _, r := range s.store.all(parent, demoAccounts[0].ID, everyRegion) {
		model := map[string]any{}
		for _, k := range t.ListInput.Account {
			model[k[1:]] = demoAccounts[0].ID
		}
		for _, g := range p.Give {
			if v := valuesAt(r.properties, g.From); len(v) > 0 {
				model[g.To[1:]] = v[0]
			}
		}
		out = append(out, model)
	}
	return out
}

// list gives a list's identifiers, or the error in their place.
func (d direct) list(typ string, model map[string]any) []string {
	in := map[string]any{"TypeName": typ}
	if len(model) > 0 {
		in["ResourceModel"] = string(encode(model))
	}
	var out []string
	for range 20 {
		a := d.call("ListResources", in)
		if a.status != http.StatusOK {
			return []string{a.String()}
		}
		for _, r := range a.ResourceDescriptions {
			out = append(out, r.Identifier)
		}
		if a.NextToken == "" {
			break
		}
		in["NextToken"] = a.NextToken
	}
	return out
}

// Children of made-up parents refer to them.
func TestPopulatedChildren(t *testing.T) {
	t.Parallel()
	s := New(Options{World: &World{Accounts: demoAccounts, Regions: demoRegions}, Populate: 2})
	for child, parent := range map[string]string{"AWS::Connect::User": "AWS::Connect::Instance", "AWS::EKS::Nodegroup": "AWS::EKS::Cluster", "AWS::ApiGateway::Stage": "AWS::ApiGateway::RestApi"} {
		parents := s.Identifiers(demoAccounts[0].ID, everyRegion, parent)
		for _, id := range s.Identifiers(demoAccounts[0].ID, everyRegion, child) {
			text := fmt.Sprint(s.Properties(demoAccounts[0].ID, everyRegion, child, id))
			if !slices.ContainsFunc(parents, func(p string) bool { return strings.Contains(text, p) }) {
				t.Errorf("%s %s is under none of %v", child, id, parents)
			}
		}
	}
}
