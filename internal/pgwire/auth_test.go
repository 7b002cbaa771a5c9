package pgwire

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"
)

// certificate makes one for loopback.
func certificate(t testing.TB) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, pool
}

func users(t testing.TB) *Users {
	t.Helper()
	u, err := OpenUsers(filepath.Join(t.TempDir(), "users"))
	if err != nil {
		t.Fatal(err)
	}
	if err := u.Add("alice", "correct horse"); err != nil {
		t.Fatal(err)
	}
	return u
}

// connect tries a connection, and gives the SQLSTATE of what came of it.
func connect(t testing.TB, url string, pool *x509.CertPool) string {
	t.Helper()
	config, err := pgx.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	if config.TLSConfig != nil {
		config.TLSConfig.RootCAs, config.TLSConfig.ServerName = pool, "localhost"
	}
	c, err := pgx.ConnectConfig(t.Context(), config)
	if err != nil {
		if got := code(err); got != "" {
			return got
		}
		return err.Error()
	}
	defer c.Close(context.Background())
	return all(t, c, "SELECT current_user")
}

func TestPasswords(t *testing.T) {
	t.Parallel()
	s := serve(t, func(o *Options) { o.Users = users(t) })
	check := func(who, want string) {
		t.Helper()
		if got := connect(t, "postgres://"+who+"@"+s.addr+"/aws?sslmode=disable", nil); got != want {
			t.Errorf("%s: got %s, want %s", who, got, want)
		}
	}
	check("alice:correct%20horse", "alice")
	check("alice:wrong", "28P01")
	check("mallory:correct%20horse", "28P01")
	if n := s.options.Metrics.refusals; n != 2 {
		t.Errorf("%d refusals were counted", n)
	}
}

// A user that isn't there is asked like one that is, and always the same.
func TestUnknownUser(t *testing.T) {
	t.Parallel()
	u := users(t)
	a, b, c := u.credentials("mallory"), u.credentials("mallory"), u.credentials("trudy")
	if a.Salt != b.Salt || a.Salt == c.Salt || len(a.Salt) != len(u.credentials("alice").Salt) || a.Iters != u.credentials("alice").Iters {
		t.Error("a stranger can tell who is a user")
	}
}

// Every wrong answer waits.
func TestDelay(t *testing.T) {
	t.Parallel()
	s := serve(t, func(o *Options) { o.Users = users(t) })
	waited := make(chan time.Duration, 1)
	s.delay = func(_ context.Context, d time.Duration) { waited <- d }
	connect(t, "postgres://alice:wrong@"+s.addr+"/aws?sslmode=disable", nil)
	if d := <-waited; d != wrongDelay {
		t.Errorf("waited %v", d)
	}
}

// Nothing runs before the password, whatever is sent.
func TestBeforePassword(t *testing.T) {
	t.Parallel()
	s := serve(t, func(o *Options) { o.Users = users(t) })
	for _, m := range []pgproto3.FrontendMessage{&pgproto3.Query{String: "SELECT 1"}, &pgproto3.SASLInitialResponse{AuthMechanism: "PLAIN"}, &pgproto3.SASLInitialResponse{AuthMechanism: scramPlus, Data: []byte("p=tls-server-end-point,,n=,r=x")}, &pgproto3.PasswordMessage{Password: "x"}, &pgproto3.Sync{}} {
		p := s.raw(t)
		p.front.Send(&pgproto3.StartupMessage{ProtocolVersion: pgproto3.ProtocolVersion30, Parameters: map[string]string{"user": "alice"}})
		p.until("AuthenticationSASL")
		p.front.Send(m)
		p.front.Flush()
		if got := p.closed(); got != "08P01" {
			t.Errorf("%T: %q", m, got)
		}
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	cert, pool := certificate(t)
	s := serve(t, func(o *Options) {
		o.Users = users(t)
		o.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"postgresql"}}
		o.RequireTLS = true
	})
	const good = "postgres://alice:correct%20horse@"
	for _, mode := range []string{"sslmode=verify-full", "sslmode=require", "sslmode=verify-full&sslnegotiation=direct", "sslmode=verify-full&channel_binding=require"} {
		if got := connect(t, good+s.addr+"/aws?"+mode, pool); got != "alice" {
			t.Errorf("%s: %s", mode, got)
		}
	}
	if got := connect(t, good+s.addr+"/aws?sslmode=disable", nil); got != "28000" {
		t.Errorf("without TLS: %s", got)
	}
	if got := connect(t, "postgres://alice:wrong@"+s.addr+"/aws?sslmode=require", pool); got != "28P01" {
		t.Errorf("wrong password: %s", got)
	}
	// What came before the handshake must not count as sent inside it.
	p := s.raw(t)
	smuggled, _ := (&pgproto3.SSLRequest{}).Encode(nil)
	smuggled, _ = (&pgproto3.StartupMessage{ProtocolVersion: pgproto3.ProtocolVersion30, Parameters: map[string]string{"user": "x"}}).Encode(smuggled)
	p.Write(smuggled)
	var answer [1]byte
	p.Read(answer[:])
	c := tls.Client(p.Conn, &tls.Config{RootCAs: pool, ServerName: "localhost"})
	if err := c.Handshake(); err == nil {
		c.CloseWrite()
		if n, err := c.Read(make([]byte, 1)); err == nil {
			t.Errorf("read %d bytes of an answer to what was sent in the open", n)
		}
	}
}

func TestUsers(t *testing.T) {
	t.Parallel()
	u := users(t)
	if err := u.Add("bob", "another password"); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(u.path)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(u.path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	if strings.Contains(string(data), "correct") || strings.Contains(string(data), "another") || !strings.HasPrefix(string(data), "alice SCRAM-SHA-256$4096:") {
		t.Errorf("%s", data)
	}
	again, err := OpenUsers(u.path)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(again.Names(), " "); got != "alice bob" {
		t.Error(got)
	}
	if err := again.Remove("bob"); err != nil || again.Remove("bob") == nil {
		t.Errorf("remove: %v", err)
	}
	for _, name := range []string{"", "a b", "a\nb"} {
		if u.Add(name, "long enough") == nil {
			t.Errorf("%q is a name", name)
		}
	}
	if u.Add("carol", "short") == nil {
		t.Error("a short password")
	}
	for _, text := range []string{"x", "x SCRAM-SHA-256$1:YQ==$YQ==:YQ==", "x SCRAM-SHA-256$4096:?$YQ==:YQ==", "x md5abc"} {
		if err := os.WriteFile(u.path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenUsers(u.path); err == nil {
			t.Errorf("%s was read", text)
		}
	}
	if err := os.Chmod(u.path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenUsers(u.path); err == nil {
		t.Error("a file that others may read")
	}
}
