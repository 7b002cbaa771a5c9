package change

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skyql/skyql/internal/catalog"
	"github.com/skyql/skyql/internal/cloudcontrol"
)

const lambda = "AWS::Lambda::Function"

// goOn recovers the only set of a folder's journal.
func goOn(t testing.TB, dir string, f *fake, params map[string]string) *Report {
	t.Helper()
	var r *Report
	process(t, dir, f, &crasher{}, func(a *Applier) {
		h := a.Journal.Sets()[0]
		s, err := h.Set(catalog.Embedded())
		if err == nil {
			err = s.Give(params)
		}
		if err != nil {
			t.Fatal(err)
		}
		if r, err = a.Recover(t.Context(), h, s, h.Place); err != nil {
			t.Fatal(err)
		}
	})
	return r
}

// A replacement with a secret that is cut off at any step: what stands for the
// secret never reaches AWS, and the new resource is made once it is given again.
func TestReplaceWithheld(t *testing.T) {
	t.Parallel()
	const f1 = `{"FunctionName":"f","Role":"r","Code":{"ZipFile":"z"},"Environment":{"Variables":{"DB_PASSWORD":"` + hidden + `"}}}`
	f2 := strings.Replace(f1, `"f"`, `"g"`, 1)
	withheld := 0
	for n := 3; n <= 14; n++ {
		synctest.Test(t, func(t *testing.T) {
			f, dir := newFake(t), t.TempDir()
			f.put(lambda, "f", f1)
			process(t, dir, f, &crasher{at: n, mode: crashAfter}, func(a *Applier) {
				s, err := New(Place{Sandbox: true}, []Intent{intent(t, lambda, "f", f1, f2)}, Options{Replace: true})
				if err != nil {
					t.Fatal(err)
				}
				a.Apply(t.Context(), s)
			})
			time.Sleep(time.Hour)
			goOn(t, dir, f, nil)
			for k, m := range f.world {
				if strings.Contains(string(encode(m)), Sensitive) {
					t.Errorf("step %d: %s is %s", n, k, encode(m))
				}
			}
			if f.world[lambda+" g"] == nil {
				withheld++
				r := goOn(t, dir, f, nil)
				if got := fmt.Sprint(outcomes(r)); !strings.Contains(got, "the old one is deleted, and the new one is not made: its secrets are kept nowhere and have to be given again, skyql recover -p code_zip_file=… -p environment_variables_db_password=…") {
					t.Errorf("step %d: %s", n, got)
				}
				wantOutcomes(t, goOn(t, dir, f, map[string]string{"code_zip_file": "z", "environment_variables_db_password": hidden}), nil, "-/+ g: done")
			}
			if len(f.world) != 1 || f.world[lambda+" g"] == nil || !strings.Contains(string(encode(f.world[lambda+" g"])), hidden) {
				t.Errorf("step %d: %v", n, f.world)
			}
		})
	}
	if withheld == 0 {
		t.Error("no step left the old one deleted and the new one not made")
	}
}

// What has failed for the moment is tried again after a crash too, but not with
// what stands for a secret.
func TestRetryWithheld(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, dir := newFake(t), t.TempDir()
		const g1 = `{"FunctionName":"f","Role":"r","Environment":{"Variables":{"DB_PASSWORD":"` + hidden + `"}}}`
		f.put(lambda, "f", g1)
		f.fail = func(r *fakeRequest) *cloudcontrol.Event { return &cloudcontrol.Event{Code: "ResourceConflict"} }
		process(t, dir, f, &crasher{at: 4, mode: crashAfter}, func(a *Applier) { // with AWS's answer in the journal
			a.Apply(t.Context(), newSet(t, intent(t, lambda, "f", g1, strings.Replace(g1, hidden, "another-"+hidden, 1))))
		})
		time.Sleep(time.Hour)
		wantOutcomes(t, goOn(t, dir, f, nil), nil, "~ f: failed ResourceConflict: AWS gave no reason but ResourceConflict")
		if f.calls["Update"] != 1 || strings.Contains(string(encode(f.world[lambda+" f"])), Sensitive) {
			t.Errorf("%v %v", f.calls, f.world)
		}
	})
}

// Secrets are asked for only by what is still to be sent.
func TestResumeAsksForWhatItSends(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, dir := newFake(t), t.TempDir()
		process(t, dir, f, &crasher{}, func(a *Applier) {
			r, err := a.Apply(t.Context(), newSet(t, intent(t, lambda, "~1", "", `{"FunctionName":"f","Role":"r","Code":{"ZipFile":"z"}}`)))
			wantOutcomes(t, r, err, "+ f: done")
			h := a.Journal.Sets()[0]
			s, err := h.Set(catalog.Embedded())
			if err != nil {
				t.Fatal(err)
			}
			r, err = a.Resume(t.Context(), h, s, h.Place)
			wantOutcomes(t, r, err, "+ f: done")
		})
		if f.calls["Create"] != 1 {
			t.Error(f.calls)
		}
	})
}

// A secret in a patch of the user's own reaches no journal and no plan file,
// though the patch only tests for it or takes it back again; it can't be given
// again, and so isn't sent again.
func TestGivenPatchTestsSecret(t *testing.T) {
	t.Parallel()
	const env = `{"FunctionName":"f","Role":"r","Environment":{"Variables":{"DB_PASSWORD":"` + hidden + `"}}}`
	for name, patch := range map[string]string{
		"test":     `[{"op":"test","path":"/Environment/Variables/DB_PASSWORD","value":"` + hidden + `"},{"op":"remove","path":"/Environment/Variables/DB_PASSWORD"}]`,
		"takeback": `[{"op":"add","path":"/Environment","value":{"Variables":{"DB_PASSWORD":"` + hidden + `"}}},{"op":"remove","path":"/Environment"}]`,
		"same":     `[{"op":"add","path":"/Environment/Variables/DB_PASSWORD","value":"` + hidden + `"},{"op":"add","path":"/Role","value":"s"}]`,
		"whole":    `[{"op":"replace","path":"","value":` + strings.Replace(env, `"r"`, `"s"`, 1) + `}]`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f, dir := newFake(t), t.TempDir()
				f.put(lambda, "f", env)
				in := intent(t, lambda, "f", env, "")
				in.Patch = []byte(patch)
				s := newSet(t, in)
				var file strings.Builder
				if err := s.Save(&file); err != nil || strings.Contains(file.String(), hidden) {
					t.Error(err, file.String())
				}
				if text, err := s.MarshalJSON(); err != nil || strings.Contains(string(text), hidden) {
					t.Error(err, string(text))
				}
				process(t, dir, f, &crasher{at: 3, mode: crashBefore}, func(a *Applier) { a.Apply(t.Context(), s) })
				goOn(t, dir, f, nil)
				text, err := os.ReadFile(filepath.Join(dir, journalName))
				if err != nil || strings.Contains(string(text), hidden) {
					t.Errorf("%v\n%s", err, text)
				}
				if got := string(encode(f.world[lambda+" f"])); strings.Contains(got, Sensitive) {
					t.Error(got)
				}
				back, err := Load(strings.NewReader(file.String()), catalog.Embedded())
				if err == nil {
					err = back.Give(map[string]string{"environment_variables_db_password": hidden})
				}
				if err != nil {
					t.Fatal(err)
				}
				err = back.complete(nil)
				if again := name == "same" || name == "whole"; (err == nil) != again {
					t.Errorf("given again: %v", err)
				}
			})
		})
	}
}

// What takes a change back leaves secrets out, those in lists too.
func TestDropMasked(t *testing.T) {
	t.Parallel()
	m := mustModel(t, `{"AuthTokens":["(sensitive)","x",{"Password":"(sensitive)","User":"u"}],"Password":"(sensitive)"}`)
	if got := string(encode(dropMasked(m))); got != `{"AuthTokens":["x",{"User":"u"}]}` {
		t.Error(got)
	}
}
