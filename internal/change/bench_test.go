package change

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// A statement that changes many rows: checks, differences, patches, order.
func BenchmarkNew(b *testing.B) {
	tb := table(b, user)
	var in []Intent
	for i := range 1000 {
		before := connectUser(fmt.Sprint("user", i), `,"PhoneConfig":{"PhoneType":"SOFT_PHONE"},"Tags":[{"Key":"team","Value":"a"}]`)
		in = append(in, Intent{Table: tb, Account: "111122223333", Region: "us-east-1", Identifier: fmt.Sprint(i), Before: json.RawMessage(before),
			After: json.RawMessage(strings.Replace(before, `"SOFT_PHONE"`, `"DESK_PHONE"`, 1))})
	}
	for b.Loop() {
		if s, err := New(Place{}, in, Options{}); err != nil || len(s.Changes) != len(in) {
			b.Fatal(err)
		}
	}
}
