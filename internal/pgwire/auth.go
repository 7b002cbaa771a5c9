package pgwire

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/xdg-go/scram"

	"github.com/skyql/skyql/internal/sqlerr"
)

// wrongDelay is how long a wrong password is thought about.
const wrongDelay = 500 * time.Millisecond

// Names of SASL mechanisms, RFC 5802 and 7677.
const (
	scramPlain = "SCRAM-SHA-256"
	scramPlus  = "SCRAM-SHA-256-PLUS"
)

// authenticate asks for a password if there are users. A name that is unknown
// is asked and refused like a wrong password.
func (c *conn) authenticate(ctx context.Context) error {
	users := c.server.options.Users
	if users.Empty() {
		return nil
	}
	credentials := users.credentials(c.user)
	server, err := scram.SHA256.NewServer(func(string) (scram.StoredCredentials, error) { return credentials, nil })
	if err != nil {
		return err
	}
	conversation, mechanisms := server.NewConversation(), []string{scramPlain}
	binding := c.binding()
	if binding.IsSupported() {
		mechanisms = []string{scramPlus, scramPlain}
		conversation = server.NewConversationWithChannelBinding(binding)
	}
	c.send(&pgproto3.AuthenticationSASL{AuthMechanisms: mechanisms})
	if err := c.flush(); err != nil {
		return err
	}
	c.back.SetAuthType(pgproto3.AuthTypeSASL)
	first, err := receive[*pgproto3.SASLInitialResponse](c)
	if err != nil {
		return err
	}
	if first.AuthMechanism != scramPlain && (first.AuthMechanism != scramPlus || !binding.IsSupported()) {
		return violated("client selected an invalid SASL authentication mechanism")
	}
	challenge, err := conversation.Step(string(first.Data))
	if err != nil {
		return c.refuse(ctx)
	}
	c.send(&pgproto3.AuthenticationSASLContinue{Data: []byte(challenge)})
	if err := c.flush(); err != nil {
		return err
	}
	c.back.SetAuthType(pgproto3.AuthTypeSASLContinue)
	second, err := receive[*pgproto3.SASLResponse](c)
	if err != nil {
		return err
	}
	final, err := conversation.Step(string(second.Data))
	if err != nil || !conversation.Valid() || !users.has(c.user) {
		return c.refuse(ctx)
	}
	c.send(&pgproto3.AuthenticationSASLFinal{Data: []byte(final)})
	return nil
}

// refuse takes its time: guessing must not be quick, and every wrong answer
// looks the same.
func (c *conn) refuse(ctx context.Context) error {
	c.server.options.Metrics.refused()
	c.server.log.Warn("authentication failed", "user", c.user, "remote", c.wire.RemoteAddr().String())
	if err := c.server.options.Audit.write(c.entry("authentication", refused)); err != nil {
		c.server.log.Error("audit log", "error", err)
	}
	c.server.delay(ctx, wrongDelay)
	return fatal{sqlerr.New(invalidPassword, "password authentication failed for user %q", c.user)}
}

// receive reads the one message that may come now.
func receive[T pgproto3.FrontendMessage](c *conn) (T, error) {
	var none T
	msg, err := c.back.Receive()
	if err != nil {
		if _, ok := errors.AsType[net.Error](err); ok || isEOF(err) {
			return none, errGone
		}
		return none, violated("%v", err)
	}
	m, ok := msg.(T)
	if !ok {
		return none, violated("expected SASL response")
	}
	return m, nil
}

// binding is the server's certificate as SCRAM-SHA-256-PLUS binds to it, RFC
// 5929; of no type where there is nothing to bind to.
func (c *conn) binding() scram.ChannelBinding {
	if _, encrypted := c.wire.Conn.(*tls.Conn); !encrypted {
		return scram.ChannelBinding{}
	}
	for _, cert := range c.server.options.TLS.Certificates {
		if cert.Leaf == nil {
			continue
		}
		// The library takes a client's view, in which the server is the peer.
		b, err := scram.NewTLSServerEndpointBinding(&tls.ConnectionState{PeerCertificates: []*x509.Certificate{cert.Leaf}})
		if err == nil {
			return b
		}
	}
	return scram.ChannelBinding{}
}

func isEOF(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
}
