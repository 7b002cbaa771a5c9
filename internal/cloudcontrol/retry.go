package cloudcontrol

import (
	"errors"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
)

// Three attempts, the SDK's default, are too few where throttling is normal,
// and two codes that pass by themselves are not on its list.
const (
	attempts   = 10
	maxBackoff = 20 * time.Second
)

var retryable = map[string]bool{"concurrentoperation": true, "resourceconflict": true, "networkfailure": true, "serviceinternalerror": true, "handlerfailure": true}

// handlerBug is retried by the SDK as a server fault, and often permanent.
const handlerBug = "handlerinternalfailure"

func newRetryer() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts, o.MaxBackoff = attempts, maxBackoff
		o.RateLimiter = unlimited{} // the SDK's bucket runs dry under throttling and then fails at once
		o.Retryables = append([]retry.IsErrorRetryable{retry.IsErrorRetryableFunc(byCode)}, retry.DefaultRetryables...)
	})
}

func byCode(err error) aws.Ternary {
	code := codeOf(err)
	var dns *net.DNSError
	switch {
	case errors.Is(err, syscall.ECONNREFUSED), errors.As(err, &dns) && dns.IsNotFound:
		return aws.FalseTernary // nobody is there: waiting doesn't help
	case code == handlerBug:
		return aws.FalseTernary
	case retryable[code]:
		return aws.TrueTernary
	}
	return aws.UnknownTernary
}

// cleanCode brings an error code into one form: no "Exception", lower case.
func cleanCode(code string) string {
	return strings.ToLower(strings.TrimSuffix(code, "Exception"))
}
