package session

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/skyql/skyql/internal/cloudcontrol"
	"github.com/skyql/skyql/internal/fetch"
	"github.com/skyql/skyql/internal/sqlerr"
)

// word turns whatever a statement failed with into the error that a user sees.
func (s *Session) word(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return s.canceled(ctx)
	}
	if e, ok := asError[*cloudcontrol.Error](err); ok {
		return s.awsError(e).Wrap(err)
	}
	if e, ok := asError[*fetch.NeedKeyError](err); ok {
		return needKey(e).Wrap(err)
	}
	if e, ok := asError[*fetch.TooManyError](err); ok {
		return sqlerr.New(sqlerr.ProgramLimitExceeded, "%s takes at least %d calls, and the setting max_calls allows %d", e.Table.Name(), e.Calls, e.Most).Wrap(err).
			WithHint("SET max_calls = %d, or narrow the statement: EXPLAIN shows what it reads", roundUp(e.Calls))
	}
	if e, ok := asError[*sqlerr.Error](err); ok {
		if errors.Is(err, context.Canceled) {
			return s.canceled(ctx)
		}
		return e
	}
	return sqlerr.From(err)
}

// roundUp gives a number that leaves room: 1,200 becomes 10,000.
func roundUp(n int) int {
	out := 10
	for out <= n {
		out *= 10
	}
	return out
}

func needKey(e *fetch.NeedKeyError) *sqlerr.Error {
	if len(e.Columns) == 0 {
		return sqlerr.New(sqlerr.FeatureNotSupported, "%s can't be read: %s", e.Table.Name(), e.Reason)
	}
	var conds []string
	for _, c := range e.Columns {
		conds = append(conds, c+" = '…'")
	}
	if e.Hint != "" {
		conds = []string{strings.TrimPrefix(e.Hint, "WHERE ")}
	}
	return sqlerr.New(sqlerr.SyntaxError, "%s needs %s", e.Table.Name(), strings.Join(e.Columns, " and ")).
		WithDetail("%s", e.Reason).WithHint("WHERE %s", strings.Join(conds, " AND "))
}

// awsError words a failed call: what, where, what AWS said, what next.
func (s *Session) awsError(e *cloudcontrol.Error) *sqlerr.Error {
	what := e.Op
	if t, ok := s.catalog.ByType(e.Type); ok {
		what = t.Name()
	}
	var where []string
	for _, p := range []struct{ name, v string }{{"", what}, {"account ", e.Account}, {"region ", e.Region}, {"identifier ", e.Identifier}, {"request ", e.RequestID}} {
		if p.v != "" {
			where = append(where, p.name+p.v)
		}
	}
	detail := strings.Join(where, ", ")
	switch {
	case e.Code == "": // it wasn't AWS who said it
		detail += "\n" + e.Message
	case e.Message != "":
		detail += "\nAWS says: " + e.Code + ": " + e.Message
	default:
		detail += "\nAWS says: " + e.Code
	}
	switch {
	case errors.Is(e, cloudcontrol.ErrDenied):
		action := e.Action
		if action == "" {
			action = "one of " + strings.Join(s.permissions(e), ", ")
		}
		return sqlerr.New(sqlerr.InsufficientPriv, "access denied: %s", action).WithDetail("%s", detail).
			WithHint("EXPLAIN PERMISSIONS before the statement prints the policy that it needs; --on-error=warn goes on without what is missing")
	case errors.Is(e, cloudcontrol.ErrCredentials) && e.Code == "NoCredentials":
		return sqlerr.New(sqlerr.InvalidAuth, "no AWS credentials").
			WithDetail("tried: environment, shared config profile %q, web identity, container, instance metadata\n%s", e.Profile(), e.Message).
			WithHint("aws configure sso, or add --sandbox to try skyql without an account")
	case errors.Is(e, cloudcontrol.ErrCredentials) && e.Code == "ConfigError":
		return sqlerr.New(sqlerr.InvalidAuth, "the AWS configuration can't be used: %s", e.Message).WithHint("aws configure list-profiles, or add --sandbox to try skyql without an account")
	case errors.Is(e, cloudcontrol.ErrCredentials):
		return sqlerr.New(sqlerr.InvalidAuth, "AWS does not accept the credentials: %s", e.Code).WithDetail("%s", detail).
			WithHint("aws sts get-caller-identity, or add --sandbox to try skyql without an account")
	case errors.Is(e, cloudcontrol.ErrNoRole):
		return sqlerr.New(sqlerr.InvalidParameter, "account %s can't be reached: %s", e.Account, e.Message).WithHint("--assume-role NAME")
	case errors.Is(e, cloudcontrol.ErrThrottled):
		return sqlerr.New(sqlerr.TooManyRequests, "AWS throttles %s to the end", what).WithDetail("%s", detail).WithHint("SET parallel = 8")
	case errors.Is(e, cloudcontrol.ErrNoSuch):
		return s.noSuch(e).WithDetail("%s", detail)
	case errors.Is(e, cloudcontrol.ErrBadID):
		return sqlerr.New(sqlerr.InvalidText, "%q is no identifier of %s", e.Identifier, what).WithDetail("%s", detail)
	case errors.Is(e, cloudcontrol.ErrUnreachable):
		if s.options.Cloud.Endpoint != "" {
			where = append(where, "endpoint "+s.options.Cloud.Endpoint)
		}
		return sqlerr.New(sqlerr.ConnectionFailure, "%s failed: %s", e.Op, e.Message).WithDetail("%s", strings.Join(where, ", "))
	}
	if e.Code == "" {
		return sqlerr.New(sqlerr.InvalidParameter, "%s", e.Message)
	}
	return sqlerr.New(sqlerr.ExternalRoutine, "%s failed: %s", e.Op, e.Code).WithDetail("%s", detail)
}

// noSuch is about a type that a statement names by a value.
func (s *Session) noSuch(e *cloudcontrol.Error) *sqlerr.Error {
	if _, ok := s.catalog.ByType(e.Type); ok {
		err := sqlerr.New(sqlerr.FeatureNotSupported, "%s has no handler for %s", e.Type, e.Op)
		if e.Op == "ListResources" {
			return err.WithHint("AND resource_identifier = '…' reads one")
		}
		return err
	}
	err := sqlerr.New(sqlerr.UndefinedObject, "there is no type %s in account %s, region %s", e.Type, e.Account, e.Region)
	if near := s.catalog.NearTypes(e.Type); len(near) > 0 {
		return err.WithHint("did you mean %s?", strings.Join(near, ", "))
	}
	return err.WithHint("a private or third-party type has to be activated in the account and region")
}

// permissions are the actions that a call's handler uses.
func (s *Session) permissions(e *cloudcontrol.Error) []string {
	out := []string{fmt.Sprintf("cloudformation:%s", e.Op)}
	t, err := s.catalog.Table(e.Type)
	if err != nil {
		return out
	}
	h := t.Read
	if e.Op == "ListResources" {
		h = t.List
	}
	if h != nil {
		out = append(out, h.Permissions...)
	}
	return out
}
