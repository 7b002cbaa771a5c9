package pgwire

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/skyql/skyql/internal/pgcatalog"
	"github.com/skyql/skyql/internal/sqlerr"
)

// authMessage is how long a message may be before the client is known, as in
// PostgreSQL's auth.c.
const authMessage = 65535

// authTime is how long a client may take to say who it is.
const authTime = 30 * time.Second

// version is what clients are told to speak to. They decide by it which
// catalogs to ask for; pgcatalog has those of this version.
const version = "15.0"

// start takes a connection from its first byte to the first ReadyForQuery.
// After a CancelRequest there is no session.
func (c *conn) start(ctx context.Context) error {
	c.wire.SetDeadline(time.Now().Add(authTime))
	m, err := c.greet(ctx)
	if err != nil || m == nil {
		return err
	}
	if err := c.server.enter(c); err != nil {
		return err
	}
	if err := c.negotiate(m); err != nil {
		return err
	}
	c.user, c.database = m.Parameters["user"], m.Parameters["database"]
	if c.user == "" {
		return fatal{sqlerr.New(invalidAuthorization, "no PostgreSQL user name specified in startup packet")}
	}
	if c.database == "" {
		c.database = c.user
	}
	if err := c.authenticate(ctx); err != nil {
		return err
	}
	if err := c.server.admit(c); err != nil {
		return err
	}
	c.wire.SetDeadline(time.Time{})
	c.back.SetMaxBodyLen(c.server.limits.Message)
	return c.open(ctx, m.Parameters)
}

// greet answers requests for encryption until the startup message comes. It
// gives nil for a CancelRequest.
func (c *conn) greet(ctx context.Context) (*pgproto3.StartupMessage, error) {
	encrypted := false
	if first, err := c.wire.buf.Peek(1); err == nil && first[0] == 0x16 && c.server.options.TLS != nil { // a TLS handshake at once
		if err := c.encrypt(ctx); err != nil {
			return nil, err
		}
		encrypted = true
	}
	for range 4 { // SSL, GSS, startup: nobody needs more
		msg, err := c.back.ReceiveStartupMessage()
		if err != nil {
			if _, ok := errors.AsType[net.Error](err); ok || isEOF(err) {
				return nil, errGone
			}
			return nil, violated("%v", err)
		}
		switch m := msg.(type) {
		case *pgproto3.CancelRequest:
			c.server.cancel(m.ProcessID, m.SecretKey)
			return nil, nil
		case *pgproto3.GSSEncRequest:
			if _, err := c.wire.Write([]byte{'N'}); err != nil {
				return nil, errGone
			}
		case *pgproto3.SSLRequest:
			answer := byte('N')
			if c.server.options.TLS != nil && !encrypted {
				answer = 'S'
			}
			if _, err := c.wire.Write([]byte{answer}); err != nil {
				return nil, errGone
			}
			if answer == 'S' {
				if err := c.encrypt(ctx); err != nil {
					return nil, err
				}
				encrypted = true
			}
		case *pgproto3.StartupMessage:
			if c.server.options.RequireTLS && !encrypted && c.wire.LocalAddr().Network() != "unix" {
				return nil, fatal{sqlerr.New(invalidAuthorization, "this server takes encrypted connections only").WithHint("sslmode=require")}
			}
			return m, nil
		}
	}
	return nil, violated("too many requests before the startup message")
}

// encrypt goes on inside TLS. What the client sent before the handshake is
// dropped with the old reader: it must not count as encrypted.
func (c *conn) encrypt(ctx context.Context) error {
	t := tls.Server(c.wire, c.server.options.TLS)
	if err := t.HandshakeContext(ctx); err != nil {
		return errGone
	}
	c.use(newWire(t))
	return nil
}

// negotiate tells a client of a newer minor version, or of options that are not
// known, what is spoken here.
func (c *conn) negotiate(m *pgproto3.StartupMessage) error {
	var unknown []string
	for name := range m.Parameters {
		if strings.HasPrefix(name, "_pq_.") {
			unknown = append(unknown, name)
		}
	}
	if m.ProtocolVersion != pgproto3.ProtocolVersion30 || unknown != nil {
		c.send(&pgproto3.NegotiateProtocolVersion{NewestMinorProtocol: pgproto3.ProtocolVersion30, UnrecognizedOptions: unknown})
	}
	return nil
}

// open makes the session and tells the client about it.
func (c *conn) open(ctx context.Context, params map[string]string) error {
	vars, err := newVariables(c, params)
	if err != nil {
		return err
	}
	c.vars = vars
	c.session, err = c.server.options.Open(ctx, Hooks{Notify: c.notify, Changes: c.terms()})
	if err != nil {
		return err
	}
	c.catalog = c.server.options.Catalog.Connect(pgcatalog.Client{User: c.user, Process: c.id, Settings: c.vars.all})
	if err := c.vars.apply(ctx); err != nil {
		return errors.Join(err, c.session.Close())
	}
	c.send(&pgproto3.AuthenticationOk{})
	for _, name := range reported {
		c.send(&pgproto3.ParameterStatus{Name: variableOf(name).name, Value: c.vars.get(name)})
	}
	c.send(&pgproto3.BackendKeyData{ProcessID: c.id, SecretKey: c.secret[:]})
	return nil
}
