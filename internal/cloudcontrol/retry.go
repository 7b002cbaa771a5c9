package cloudcontrol

import (
	"context"
	"errors"
	"net"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
)

// A Retry says whether a failed call is worth another attempt. Whoever makes
// the call decides when: the SDK's own retries are off for Cloud Control.
type Retry uint8

const (
	Never     Retry = iota
	Throttled       // the service had enough: until it has room again
	Transient       // something was busy or broken for a moment
	Broken          // the connection broke: some attempts, since a long list takes many calls
	Bounded         // often permanent: a few attempts
	Once            // one more attempt
)

// retries are by code, in the form of cleanCode.
var retries = map[string]Retry{
	"concurrentoperation": Transient, "concurrentmodification": Transient, "resourceconflict": Transient, "serviceinternalerror": Transient, "networkfailure": Transient,
	"handlerfailure": Transient, "internalfailure": Transient, "internalservererror": Transient, "serviceunavailable": Transient,
	"requesttimeout": Transient, "requesttimeoutexception": Transient,
	"handlerinternalfailure": Bounded,
	"generalservice":         Once,
}

// RetryOf says it of a failed read. A write that fails is a case of its own:
// what was asked for may have begun.
func RetryOf(err error) Retry {
	var e *Error
	switch {
	case err == nil, errors.Is(err, context.Canceled), !errors.As(err, &e):
		return Never
	case e.kind == ErrThrottled:
		return Throttled
	case e.kind == ErrUnreachable:
		return unreachable(e)
	case e.kind == ErrConcurrent, e.kind == ErrConflict: // by code, as what has no kind
	case e.kind != nil:
		return Never
	}
	return retries[cleanCode(e.Code)]
}

// unreachable: nobody is there, or what is there is not Cloud Control: waiting
// doesn't help. A connection that broke and a gateway's page may pass.
func unreachable(e *Error) Retry {
	var dns *net.DNSError
	var resp *awshttp.ResponseError
	status := 0 // none: no answer came
	if errors.As(e.Err, &resp) && resp.Response != nil && resp.Response.Response != nil {
		status = resp.HTTPStatusCode()
	}
	switch {
	case isAny(e.Err, refused), errors.As(e.Err, &dns) && dns.IsNotFound:
		return Never
	case e.Code == "TimedOut":
		return Once
	case e.Code == "ConnectionLost":
		return Broken
	case status == 0 && e.Code == "NoAnswer", status >= 500:
		return Bounded
	}
	return Never
}

// noRetries are for Cloud Control itself.
func noRetries() aws.Retryer { return aws.NopRetryer{} }

// cleanCode brings an error code into one form: no "Exception", lower case.
func cleanCode(code string) string {
	return strings.ToLower(strings.TrimSuffix(code, "Exception"))
}
