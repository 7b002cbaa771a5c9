package cloudcontrol

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
)

func TestDocument(t *testing.T) {
	t.Parallel()
	check := func(id, properties *string, want string) {
		t.Helper()
		d, err := document(id, properties, Error{Op: "GetResource"})
		got := d.Identifier + " " + string(d.Properties)
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	s := aws.String
	check(s("a"), s(`{"A":1}`), `a {"A":1}`)
	check(s("a"), s(" {\n}\t"), "a  {\n}\t")
	check(s("a"), s(""), `a {}`)
	check(s("a"), nil, `a {}`)
	check(nil, s(`{}`), "GetResource: MalformedAnswer: the endpoint answered with a resource without identifier")
	check(s(""), s(`{}`), "GetResource: MalformedAnswer: the endpoint answered with a resource without identifier")
	for _, text := range []string{`[]`, `null`, `1`, `"{}"`, `{`, `{}{}`, ` `, `{"A":}`, "\ufeff{}"} {
		check(s("a"), s(text), "GetResource: MalformedAnswer: the endpoint answered with properties of a that are no JSON object")
	}
}

// Properties are a JSON object, as they came, or there is an error.
func FuzzDocument(f *testing.F) {
	for _, text := range []string{`{"BucketName":"logs","Tags":[{"Key":"a","Value":null}]}`, "", "{}", "null", "[]", `{"a":1}x`, "{\"a\":\"\\ud800\"}", "\xff{", "\u00a0{}", `{"a":1,"a":2}`, `{"n":1e999}`} {
		f.Add("logs", text)
	}
	f.Add("", "{}")
	f.Fuzz(func(t *testing.T, id, properties string) {
		var o map[string]json.RawMessage
		good := properties == "" || json.Unmarshal([]byte(properties), &o) == nil && o != nil
		d, err := document(&id, &properties, Error{Op: "GetResource", Type: "AWS::S3::Bucket"})
		if err != nil {
			if good && id != "" {
				t.Errorf("%q %q was refused: %v", id, properties, err)
			}
			if !errors.Is(err, ErrUnreachable) || RetryOf(err) != Never {
				t.Errorf("%v is no malformed answer", err)
			}
			return
		}
		if !good || d.Identifier == "" || d.Identifier != id {
			t.Errorf("%q %q was taken as %q", id, properties, d.Identifier)
		}
		if err := json.Unmarshal(d.Properties, &o); err != nil || o == nil {
			t.Errorf("properties %q: %v", d.Properties, err)
		}
		if string(d.Properties) != properties && properties != "" {
			t.Errorf("%q became %q", properties, d.Properties)
		}
	})
}

// What no service said, as far as a loopback listener can't show it.
func TestRetryOfNetwork(t *testing.T) {
	t.Parallel()
	check := func(err error, want Retry) {
		t.Helper()
		if got := RetryOf(unanswered(err, Error{Op: "GetResource", Err: err})); got != want {
			t.Errorf("%v: got %d, want %d", err, got, want)
		}
	}
	check(&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, Never)
	check(&net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "a.invalid", IsNotFound: true}}, Never)
	check(&net.OpError{Op: "dial", Err: &net.DNSError{Err: "server misbehaving", Name: "a.invalid", IsTemporary: true}}, Bounded)
	check(&net.OpError{Op: "dial", Err: syscall.ENETUNREACH}, Bounded)
	check(&net.OpError{Op: "read", Err: syscall.ECONNRESET}, Broken)
	check(io.EOF, Broken)
	if got := RetryOf(nil); got != Never {
		t.Errorf("no error: got %d", got)
	}
	if got := RetryOf(errors.New("another package's")); got != Never {
		t.Errorf("a foreign error: got %d", got)
	}
}
