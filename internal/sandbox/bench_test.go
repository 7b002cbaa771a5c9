package sandbox

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/skyql/skyql/internal/catalog"
)

// benchCreates sends creates to a sandbox's handler.
func benchCreates(b *testing.B, s *Sandbox, typ, format string) {
	b.Helper()
	n := 0
	for b.Loop() {
		n++
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(string(encode(map[string]any{"TypeName": typ, "DesiredState": fmt.Sprintf(format, n)}))))
		r.Header.Set("X-Amz-Target", "CloudApiService.CreateResource")
		sign(r, "cloudcontrolapi", everyRegion)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			b.Fatal(w.Body.String())
		}
	}
}

func BenchmarkCreate(b *testing.B) {
	b.Run("small", func(b *testing.B) { benchCreates(b, New(Options{}), logGroup, `{"LogGroupName":"g%d"}`) })
	b.Run("named", func(b *testing.B) {
		benchCreates(b, New(Options{}), "AWS::EC2::VPC", `{"CidrBlock":"10.0.0.0/16","Tags":[{"Key":"n","Value":"%d"}]}`)
	})
	b.Run("kept", func(b *testing.B) {
		benchCreates(b, New(Options{State: OpenState(filepath.Join(b.TempDir(), "world.log"), "demo")}), logGroup, `{"LogGroupName":"g%d"}`)
	})
	b.Run("large", func(b *testing.B) {
		t, err := catalog.Embedded().Table("AWS::RDS::DBInstance")
		if err != nil {
			b.Fatal(err)
		}
		m, _ := Model(t, demoAccounts[0].ID, everyRegion, true, 1)
		m["DBInstanceIdentifier"] = "db%d"
		benchCreates(b, New(Options{}), t.Type, strings.ReplaceAll(strings.ReplaceAll(string(encode(m)), "%", "%%"), "db%%d", "db%d"))
	})
}

// BenchmarkState is what a command pays for a world of a thousand changes.
func BenchmarkState(b *testing.B) {
	path := filepath.Join(b.TempDir(), "world.log")
	d := direct{New(Options{World: one(), State: OpenState(path, "one")}), everyRegion}
	for i := range 1000 {
		d.call("CreateResource", map[string]any{"TypeName": logGroup, "DesiredState": group(fmt.Sprint("g", i))})
	}
	w := one()
	for b.Loop() {
		if err := New(Options{World: w, State: OpenState(path, "one")}).Load(); err != nil {
			b.Fatal(err)
		}
	}
}
