package shell

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/skyql/skyql/internal/sqlerr"
)

// How long the prompt waits to know the account: the first time longer, since
// whether there are credentials decides what is offered. (Without any, the SDK
// asks the instance that it may run on, which takes its time to be silent.)
const (
	startPatience = 2 * time.Second
	firstPatience = 15 * time.Second
	silence       = time.Second // before it is said what is waited for
)

// greet says where the shell stands, and what to type the first time. Somebody
// without credentials is asked whether the sandbox will do.
func (s *Shell) greet(ctx context.Context) error {
	err := s.identify(ctx)
	if err != nil {
		if err := s.offer(ctx, err); err != nil {
			return err
		}
	}
	if s.o.Quiet {
		return nil
	}
	if s.history.first && (err == nil || s.o.Sandbox) {
		fmt.Fprintf(s.o.Out, "try:  SELECT * FROM aws.connect.users LIMIT 5;     \\dt *bucket*     \\d aws.s3.buckets     EXPLAIN …\n")
	}
	where := []string{s.where(), s.regions(), `\? for help`}
	if where[1] == "" {
		where = []string{where[0], where[2]}
	}
	fmt.Fprintln(s.o.Out, strings.Join(where, " · "))
	return nil
}

// identify finds out whose the credentials are. It is not waited for long: the
// answer may come while the prompt stands.
func (s *Shell) identify(ctx context.Context) error {
	s.account.Store(nil)
	link, err := s.session.Link(ctx)
	s.link = link
	if err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() {
		account, err := link.Account(ctx)
		if err == nil {
			s.account.Store(&account)
		}
		done <- err
	}()
	patience := startPatience
	if s.history.first {
		patience = firstPatience
	}
	select {
	case err := <-done:
		return err
	case <-time.After(silence):
		fmt.Fprint(s.o.Err, s.out.dim("looking for AWS credentials …"))
		defer fmt.Fprint(s.o.Err, "\r                              \r")
	case sig := <-s.signals:
		return fmt.Errorf("%w: %s", ErrTerminated, sig)
	}
	select {
	case err := <-done:
		return err
	case <-time.After(patience - silence):
		return nil
	case sig := <-s.signals:
		return fmt.Errorf("%w: %s", ErrTerminated, sig)
	}
}

// offer asks for the sandbox where there are no credentials, the first time.
// The error that there are none is shown otherwise.
func (s *Shell) offer(ctx context.Context, why error) error {
	if errors.Is(why, ErrTerminated) {
		return why
	}
	var e *sqlerr.Error
	none := errors.As(why, &e) && e.Code == sqlerr.InvalidAuth && e.Message == "no AWS credentials"
	if !none || !s.history.first || s.o.OpenSandbox == nil {
		if s.o.Quiet {
			return nil
		}
		if e != nil {
			e.Detail = "" // the statement that needs it tells all
		}
		s.show(why)
		return nil
	}
	answer, err := s.reader.Ask("skyql · no AWS credentials found. Look around in the sandbox (nothing real is touched)? ")
	if err != nil && !errors.Is(err, errInterrupted) {
		return err
	}
	if !strings.EqualFold(strings.TrimSpace(answer), "yes") {
		fmt.Fprintln(s.o.Out, `Without credentials: aws configure sso. For the sandbox: skyql shell --sandbox`)
		return nil
	}
	sess, err := s.o.OpenSandbox(ctx)
	if err != nil {
		return err
	}
	s.session, s.o.Session, s.o.Sandbox, s.counted = sess, sess, true, 0
	s.names = &names{session: sess, params: s.o.Params}
	return s.identify(ctx)
}

// where is what the session talks to.
func (s *Shell) where() string {
	switch a := s.account.Load(); {
	case s.o.Sandbox:
		return "sandbox"
	case a != nil:
		return strings.TrimSpace(s.o.Profile + " " + *a)
	case s.link != nil && s.link.Endpoint() != "":
		return s.link.Endpoint()
	}
	return "aws"
}

// regions says which regions a statement covers that names none.
func (s *Shell) regions() string {
	rs := s.session.Settings().Regions
	switch {
	case len(rs) == 0 && s.link != nil:
		return s.link.Region()
	case len(rs) == 1 && rs[0] == "all":
		return "all regions"
	case len(rs) > 2:
		return fmt.Sprintf("%d regions", len(rs))
	}
	return strings.Join(rs, ",")
}

// prompt shows where a statement would run, and whether changes are pending.
func (s *Shell) prompt() string {
	where := s.where()
	if s.o.Sandbox {
		where = s.out.paint("35", where)
	} else {
		where = s.out.paint("36", where)
	}
	parts := []string{where}
	if as := s.session.Settings().Accounts; len(as) > 0 {
		parts = append(parts, "accounts "+strings.Join(as, ","))
	}
	if r := s.regions(); r != "" {
		parts = append(parts, r)
	}
	if u := s.session.Service(); u != "" {
		parts = append(parts, u)
	}
	mark := " ❯ "
	if s.o.Plain {
		mark = " > "
	}
	if open, _ := s.session.InTransaction(); open {
		mark = s.out.paint("33", "*") + mark
	}
	return strings.Join(parts, " ") + mark
}

// question is what Confirm asks.
const question = `Apply these changes? Only "yes" does: `

// Confirm shows a plan, unless it has been shown, and asks whether it is to be applied. Anything but yes,
// Ctrl-C and the end of the input among it, says no. Where nobody types, the
// answer is an error before any change.
func (s *Shell) Confirm(plan string) (bool, error) {
	s.clear()
	if plan != "" {
		fmt.Fprint(s.o.Out, strings.TrimRight(plan, "\n"), "\n")
	}
	if !s.out.interactive {
		return false, sqlerr.New(sqlerr.InvalidParameter, "nobody is there to agree to the changes").WithHint("--yes")
	}
	s.open()
	s.asking.Store(true)
	defer s.asking.Store(false)
	answer, err := s.reader.Ask(question)
	if err != nil {
		return false, nil
	}
	return strings.TrimSpace(answer) == "yes", nil
}
