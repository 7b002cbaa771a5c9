package session

import "testing"

func TestBadCharacters(t *testing.T) {
	t.Parallel()
	s, err := New(t.Context(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	for _, c := range []struct{ script, want string }{
		{"SELECT 'é漢\ufffd'", ""},
		{"SELECT 1 AS a\x00 WHERE false", "byte 14 of the SQL is NUL"},
		{"SELECT '\xff'", "byte 9 of the SQL, 0xff, is not UTF-8"},
	} {
		got := ""
		if err := s.Run(t.Context(), c.script, nil); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%q: got %q, want %q", c.script, got, c.want)
		}
	}
}
