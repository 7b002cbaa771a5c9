package cloudcontrol

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
	"testing"

	"github.com/skyql/skyql/internal/sandbox"
)

// Every call's answer is read while the end of its request is still to be
// written, as may happen on a busy machine: the request ends well all the same.
func TestAnsweredEarly(t *testing.T) {
	t.Parallel()
	s := sandbox.NewServer(sandbox.Options{})
	t.Cleanup(s.Close)
	c, err := Open(t.Context(), Options{Endpoint: s.URL, Region: "us-east-1", Static: &Credentials{"AKIAIOSFODNN7EXAMPLE", "dummy"}})
	if err != nil {
		t.Fatal(err)
	}
	c.config.HTTPClient = lateWriter{t}
	client, err := c.Client(t.Context(), "", "us-east-1") // asks STS who it is
	if err != nil {
		t.Fatal(err)
	}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
	}
	_, err = c.Accounts(t.Context())
	check(err)
	_, err = c.EnabledRegions(t.Context(), "")
	check(err)
	_, err = client.List(t.Context(), "AWS::SQS::Queue", nil, "")
	check(err)
	_, err = client.Create(t.Context(), "AWS::SQS::Queue", []byte(`{"QueueName":"q"}`), "token")
	check(err)
}

// A lateWriter is an HTTP client: all of a request is sent, but its write doesn't
// return before the answer is read.
type lateWriter struct{ t *testing.T }

func (l lateWriter) Do(req *http.Request) (*http.Response, error) {
	answered, written := make(chan struct{}), make(chan error, 1)
	held := false
	tr := &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, addr)
		return heldConn{conn, answered, &held}, err
	}}
	l.t.Cleanup(tr.CloseIdleConnections)
	ctx := httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{WroteRequest: func(i httptrace.WroteRequestInfo) { written <- i.Err }})
	resp, err := tr.RoundTrip(req.WithContext(ctx))
	if err != nil {
		close(answered)
		return nil, err
	}
	resp.Body = &answer{ReadCloser: resp.Body, first: sync.OnceFunc(func() {
		close(answered)
		switch err := <-written; {
		case err != nil:
			l.t.Errorf("POST %s %s: its write ended with %v", req.URL.Path, req.Header.Get("X-Amz-Target"), err)
		case !held:
			l.t.Error("the body was sent with the head: nothing is shown")
		}
	})}
	return resp, nil
}

// A heldConn holds who has written a request's body until it is answered.
type heldConn struct {
	net.Conn
	answered chan struct{}
	held     *bool
}

func (c heldConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if !bytes.HasPrefix(p, []byte("POST ")) {
		*c.held = true
		<-c.answered
	}
	return n, err
}

// An answer tells when it is first read: the SDK has closed the request's body
// by then.
type answer struct {
	io.ReadCloser
	first func()
}

func (a *answer) Read(p []byte) (int, error) {
	a.first()
	return a.ReadCloser.Read(p)
}
