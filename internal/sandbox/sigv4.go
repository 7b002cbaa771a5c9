package sandbox

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// A caller is who a request is from, by its signature's scope and key.
type caller struct{ account, region, service, key string }

var credential = lazily(`^([A-Za-z0-9]{16,128}|[A-Za-z0-9_-]+)/(\d{8})/([a-z0-9-]+)/([a-z0-9-]+)/aws4_request$`)

const (
	amzTime = "20060102T150405Z"
	// maxSkew is how far a request's time may be off.
	maxSkew = 15 * time.Minute
)

// authenticate reads the signature of a request to a service. Dummy keys have
// no secret that anybody knows, so the signature itself can't be checked: its
// form, scope and time are.
func (s *Sandbox) authenticate(r *http.Request, service string) (caller, *fault) {
	h := r.Header.Get("Authorization")
	if h == "" {
		return caller{}, bad("MissingAuthenticationTokenException", "Missing Authentication Token")
	}
	rest, ok := strings.CutPrefix(h, "AWS4-HMAC-SHA256 ")
	if !ok {
		return caller{}, bad("IncompleteSignatureException", "Authorization header requires the AWS4-HMAC-SHA256 algorithm.")
	}
	f := map[string]string{}
	for part := range strings.SplitSeq(rest, ",") {
		k, v, _ := strings.Cut(strings.TrimSpace(part), "=")
		f[k] = v
	}
	for _, k := range []string{"Credential", "SignedHeaders", "Signature"} {
		if f[k] == "" {
			return caller{}, bad("IncompleteSignatureException", fmt.Sprintf("Authorization header requires '%s' parameter.", k))
		}
	}
	m := credential().FindStringSubmatch(f["Credential"])
	if m == nil || len(f["Signature"]) != 64 {
		return caller{}, bad("IncompleteSignatureException", "Credential must have the form <access key>/<date>/<region>/<service>/aws4_request, Signature 64 hexadecimal digits.")
	}
	if m[4] != service {
		return caller{}, bad("InvalidSignatureException", fmt.Sprintf("Credential should be scoped to correct service: '%s'.", service))
	}
	date := r.Header.Get("X-Amz-Date")
	at, err := time.Parse(amzTime, date)
	if err != nil || date[:8] != m[2] {
		return caller{}, bad("InvalidSignatureException", fmt.Sprintf("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '%s' != '%s'.", m[2], date))
	}
	if now := s.clock().UTC(); now.Sub(at) > maxSkew || at.Sub(now) > maxSkew {
		return caller{}, bad("InvalidSignatureException", fmt.Sprintf("Signature expired: %s is now earlier than %s (%s - 15 min.)",
			date, now.Add(-maxSkew).Format(amzTime), now.Format(amzTime)))
	}
	c := caller{account: s.store.world.Accounts[0].ID, region: m[3], service: service, key: m[1]}
	if acct, ok := strings.CutPrefix(c.key, temporaryKey); ok {
		return s.temporary(c, acct, r.Header.Get("X-Amz-Security-Token"))
	}
	return c, nil
}

// temporaryKey begins the keys that AssumeRole gives; the account follows. The
// session token that goes with one says until when it is good.
const (
	temporaryKey   = "ASIASBOX"
	temporaryToken = "sandbox-session-"
)

func (s *Sandbox) temporary(c caller, acct, token string) (caller, *fault) {
	rest, ok := strings.CutPrefix(token, temporaryToken+acct+"-")
	until, err := strconv.ParseInt(rest, 10, 64)
	if !ok || err != nil || s.store.world.account(acct) == nil {
		return c, bad("UnrecognizedClientException", "The security token included in the request is invalid.")
	}
	if s.clock().Unix() > until {
		return c, bad("ExpiredTokenException", "The security token included in the request is expired")
	}
	c.account = acct
	return c, nil
}
