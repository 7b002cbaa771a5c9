package cloudcontrol

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"slices"
	"strings"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
)

// What an *Error is, by errors.Is.
var (
	ErrNotFound    = errors.New("not found")
	ErrDenied      = errors.New("access denied")
	ErrThrottled   = errors.New("throttled")
	ErrUnsupported = errors.New("not supported for the type")
	ErrNoType      = errors.New("no such type in the region")
	ErrNoSuch      = errors.New("no such type, or nothing that it can do") // as far as is known, see Error.Of
	ErrMissingKey  = errors.New("a list key is missing")
	ErrElsewhere   = errors.New("lives in another region")
	ErrBadID       = errors.New("malformed identifier")
	ErrCredentials = errors.New("no valid credentials")
	ErrRegion      = errors.New("region not enabled")
	ErrUnreachable = errors.New("no sensible answer")
	ErrNoRole      = errors.New("no role to assume")

	ErrAlreadyExists = errors.New("already exists")
	ErrConcurrent    = errors.New("another request is at work on it")
	ErrConflict      = errors.New("busy")
	ErrNotUpdatable  = errors.New("not updatable")
	ErrTokenConflict = errors.New("client token used by another request")
	ErrTokenUnknown  = errors.New("request unknown or expired")
	ErrInvalid       = errors.New("refused as invalid")
	ErrLimit         = errors.New("quota reached")
)

// An Error is a call that failed.
type Error struct {
	Op, Type, Identifier string
	Account, Region      string
	Code, Message        string // as AWS said them
	RequestID            string
	Action               string // the IAM action that was denied, where the message tells
	MissingKey           string // the list key that was asked for: ClusterName
	Err                  error

	kind    error
	profile string
}

// Error names the call, what was said and the request.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	for _, s := range []string{e.Type, e.Identifier} {
		if s != "" {
			b.WriteString(" " + s)
		}
	}
	for _, s := range []struct{ name, v string }{{"account", e.Account}, {"region", e.Region}} {
		if s.v != "" {
			fmt.Fprintf(&b, ", %s %s", s.name, s.v)
		}
	}
	fmt.Fprintf(&b, ": %s", e.Code)
	if e.Message != "" {
		b.WriteString(": " + e.Message)
	}
	if e.RequestID != "" {
		fmt.Fprintf(&b, " (request %s)", e.RequestID)
	}
	return b.String()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is matches the sentinels.
func (e *Error) Is(target error) bool { return e.kind == target }

// Profile is the profile that was in use, "default" if none was named.
func (e *Error) Profile() string {
	if e.profile == "" {
		return "default"
	}
	return e.profile
}

// Of gives the error as another of the sentinels: for who knows more than the
// code tells.
func (e Error) Of(kind error) error {
	e.kind = kind
	return &e
}

// garbage is an answer that says nothing that can be relied on.
func (e Error) garbage(what string) error {
	e.Code, e.Message, e.kind = "MalformedAnswer", "the endpoint answered with "+what, ErrUnreachable
	return &e
}

// kinds are the codes that mean something to callers, in the form of cleanCode.
var kinds = map[string]error{
	"resourcenotfound": ErrNotFound, "notfound": ErrNotFound,
	"accessdenied": ErrDenied, "unauthorizedoperation": ErrDenied, "unauthorized": ErrDenied,
	"throttling": ErrThrottled, "toomanyrequests": ErrThrottled, "requestlimitexceeded": ErrThrottled, "slowdown": ErrThrottled,
	"unsupportedaction": ErrUnsupported, "typenotfound": ErrNoType,
	"expiredtoken": ErrCredentials, "expiredtokenid": ErrCredentials, "invalidclienttokenid": ErrCredentials, "invalidsignature": ErrCredentials,
	"signaturedoesnotmatch": ErrCredentials, "missingauthenticationtoken": ErrCredentials, "incompletesignature": ErrCredentials, "invalidcredentials": ErrCredentials,
	// In a region that isn't enabled, keys of the account are unknown.
	"unrecognizedclient": ErrRegion, "authfailure": ErrRegion, "optinrequired": ErrRegion,
	"alreadyexists": ErrAlreadyExists, "concurrentoperation": ErrConcurrent, "concurrentmodification": ErrConcurrent, "resourceconflict": ErrConflict,
	"notupdatable": ErrNotUpdatable, "clienttokenconflict": ErrTokenConflict, "requesttokennotfound": ErrTokenUnknown, "servicelimitexceeded": ErrLimit,
}

// refusals are codes whose message may say more than they do.
var refusals = map[string]bool{"invalidrequest": true, "validation": true}

var (
	requiredKey = regexp.MustCompile(`required key \[([A-Za-z0-9]+)\] not found`)
	perform     = regexp.MustCompile(`not authorized to perform: ([a-zA-Z0-9-]+:[A-Za-z0-9*]+)`)
	redirected  = regexp.MustCompile(`Status Code: 301\b|PermanentRedirect|must be addressed using the specified endpoint`)
	malformedID = regexp.MustCompile(`(?i)(identifier .*(is not valid|does not match|malformed|invalid))|((invalid|malformed) (identifier|id: "))`)
)

// codeOf gives an API error's code in the form of cleanCode, or "".
func codeOf(err error) string {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return ""
	}
	return cleanCode(api.ErrorCode())
}

// NewError gives the error of a call that ended with a code, as callers see it:
// the service's own, or one of those that say that no answer came (NoAnswer,
// TimedOut, ConnectionLost, MalformedAnswer). It is for who stands in for a
// Client.
func NewError(op, code, message string) *Error {
	e := &Error{Op: op, Code: code, Message: message, kind: kinds[cleanCode(code)]}
	switch {
	case code == "NoAnswer" || code == "TimedOut" || code == "ConnectionLost" || code == "MalformedAnswer":
		e.kind = ErrUnreachable
	case refusals[cleanCode(code)]:
		e.kind = ErrInvalid
	}
	return e
}

// translate turns an SDK error into an *Error. Codes decide, never statuses.
func translate(err error, call Error) error {
	call.Err = err
	if errors.Is(err, context.Canceled) {
		return err
	}
	var resp *awshttp.ResponseError
	if errors.As(err, &resp) {
		call.RequestID = resp.ServiceRequestID()
	}
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() == "UnknownError" {
		return unanswered(err, call)
	}
	call.Code, call.Message = api.ErrorCode(), strings.TrimSpace(api.ErrorMessage())
	call.classify()
	return &call
}

// classify finds what an error with a code and a message is.
func (e *Error) classify() {
	e.kind = kinds[cleanCode(e.Code)]
	switch {
	case e.kind == ErrDenied:
		if m := perform.FindStringSubmatch(e.Message); m != nil {
			e.Action = m[1]
		}
	case redirected.MatchString(e.Message):
		e.kind = ErrElsewhere
	case e.kind != nil:
	case requiredKey.MatchString(e.Message):
		e.kind, e.MissingKey = ErrMissingKey, requiredKey.FindStringSubmatch(e.Message)[1]
	case e.Identifier != "" && malformedID.MatchString(e.Message):
		e.kind = ErrBadID
	case refusals[cleanCode(e.Code)]:
		e.kind = ErrInvalid
	}
}

// Fault completes a failed call that has a code and a message, as if Cloud
// Control had said them: for what stands in for it.
func Fault(e Error) error {
	e.classify()
	return &e
}

// unanswered words an error that no service sent: no credentials, no network,
// an answer that is none.
func unanswered(err error, call Error) error {
	call.kind = ErrUnreachable
	call.Code = "NoAnswer"
	text := rootCause(err)
	switch {
	case strings.Contains(err.Error(), "get identity:"), strings.Contains(err.Error(), "failed to retrieve credentials"),
		strings.Contains(err.Error(), "failed to refresh cached credentials"), strings.Contains(err.Error(), "no EC2 IMDS role found"):
		call.Code, call.kind = "NoCredentials", ErrCredentials
	case errors.Is(err, context.DeadlineExceeded):
		call.Code, text = "TimedOut", "no answer in time"
	case broken(err):
		call.Code, text = "ConnectionLost", "the answer broke off: "+text
	case strings.Contains(err.Error(), "deserialization failed"), strings.Contains(err.Error(), "UnknownError"):
		call.Code = "MalformedAnswer"
		text = "the endpoint's answer is not AWS's: " + text
	}
	call.Message = text
	return &call
}

// broken reports whether a connection ended before or amid an answer.
func broken(err error) bool {
	return isAny(err, ended) || isAny(err, []error{net.ErrClosed, io.EOF, io.ErrUnexpectedEOF})
}

func isAny(err error, targets []error) bool {
	return slices.ContainsFunc(targets, func(e error) bool { return errors.Is(err, e) })
}

// rootCause gives the innermost error's text: the SDK wraps it many times.
func rootCause(err error) string {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err.Error()
		}
		err = next
	}
}

// Repeated is the failure of a list that gives a page token again: it would go
// on for ever.
func Repeated(typ, account, region string) error {
	return Error{Op: "ListResources", Type: typ, Account: account, Region: region}.garbage("a page token that it had given before")
}
