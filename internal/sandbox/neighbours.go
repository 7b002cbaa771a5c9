package sandbox

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/skyql/skyql/internal/catalog"
)

// query answers the services that speak AWS's query protocol: forms in, XML out.
func (s *Sandbox) query(w http.ResponseWriter, r *http.Request, body string) {
	form, err := url.ParseQuery(body)
	if err != nil {
		xmlFault(w, bad("MalformedQueryString", err.Error()), "")
		return
	}
	op := form.Get("Action")
	service := map[string]string{"2011-06-15": "sts", "2016-11-15": "ec2"}[form.Get("Version")]
	c, f := s.authenticate(r, service)
	if !s.pause(r.Context()) {
		return
	}
	var out any
	if f == nil {
		switch service + ":" + op {
		case "sts:GetCallerIdentity":
			out = s.callerIdentity(c)
		case "sts:AssumeRole":
			out, f = s.assumeRole(form)
		case "ec2:DescribeRegions":
			out = s.describeRegions(form)
		default:
			f = bad("InvalidAction", fmt.Sprintf("Could not find operation %s for version %s", op, form.Get("Version")))
		}
	}
	s.count(Call{Operation: op, Account: c.account, Region: c.region})
	if f != nil {
		// The query protocol has older names for the same faults.
		old := map[string]string{"UnrecognizedClientException": "InvalidClientTokenId", "ExpiredTokenException": "ExpiredToken",
			"MissingAuthenticationTokenException": "MissingAuthenticationToken", "InvalidSignatureException": "SignatureDoesNotMatch", "IncompleteSignatureException": "IncompleteSignature"}
		if n, ok := old[f.code]; ok {
			f.code = n
		}
		f.status = http.StatusForbidden
		xmlFault(w, f, service)
		return
	}
	xmlAnswer(w, http.StatusOK, out)
}

func xmlAnswer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "text/xml;charset=UTF-8")
	w.Header().Set("x-amzn-RequestId", uuid.NewString())
	w.WriteHeader(status)
	out, err := xml.Marshal(v)
	if err != nil {
		panic("sandbox: " + err.Error())
	}
	w.Write(append([]byte(xml.Header), out...))
}

func xmlFault(w http.ResponseWriter, f *fault, service string) {
	type fields struct {
		Type    string `xml:",omitempty"`
		Code    string
		Message string
	}
	if service == "ec2" {
		xmlAnswer(w, f.status, struct {
			XMLName xml.Name `xml:"Response"`
			Errors  []fields `xml:"Errors>Error"`
			ID      string   `xml:"RequestID"`
		}{Errors: []fields{{Code: f.code, Message: f.message}}, ID: uuid.NewString()})
		return
	}
	xmlAnswer(w, f.status, struct {
		XMLName xml.Name `xml:"ErrorResponse"`
		NS      string   `xml:"xmlns,attr"`
		Error   fields
		ID      string `xml:"RequestId"`
	}{NS: stsNamespace, Error: fields{"Sender", f.code, f.message}, ID: uuid.NewString()})
}

const stsNamespace = "https://sts.amazonaws.com/doc/2011-06-15/"

func (s *Sandbox) callerIdentity(c caller) any {
	arn := fmt.Sprintf("arn:%s:iam::%s:user/sandbox", catalog.Partition(c.region), c.account)
	if strings.HasPrefix(c.key, temporaryKey) {
		arn = fmt.Sprintf("arn:%s:sts::%s:assumed-role/sandbox/sandbox", catalog.Partition(c.region), c.account)
	}
	type result struct{ Arn, UserId, Account string }
	return struct {
		XMLName xml.Name `xml:"GetCallerIdentityResponse"`
		NS      string   `xml:"xmlns,attr"`
		Result  result   `xml:"GetCallerIdentityResult"`
		ID      string   `xml:"ResponseMetadata>RequestId"`
	}{NS: stsNamespace, Result: result{arn, "AIDASANDBOX" + c.account[:9], c.account}, ID: uuid.NewString()}
}

// assumeRole gives keys of the account that a role is in. Any role of an
// account of the world may be assumed.
func (s *Sandbox) assumeRole(form url.Values) (any, *fault) {
	arn := form.Get("RoleArn")
	parts := strings.Split(arn, ":")
	if len(parts) != 6 || !strings.HasPrefix(parts[5], "role/") || form.Get("RoleSessionName") == "" {
		return nil, bad("ValidationError", fmt.Sprintf("%s is invalid", arn))
	}
	if s.store.world.account(parts[4]) == nil {
		return nil, bad("AccessDenied", fmt.Sprintf("User: arn:aws:iam::%s:user/sandbox is not authorized to perform: sts:AssumeRole on resource: %s", s.store.world.Accounts[0].ID, arn))
	}
	until := s.clock().Add(time.Hour).UTC().Truncate(time.Second)
	type creds struct{ AccessKeyId, SecretAccessKey, SessionToken, Expiration string }
	type user struct{ Arn, AssumedRoleId string }
	type result struct {
		Credentials     creds
		AssumedRoleUser user
	}
	role := strings.TrimPrefix(parts[5], "role/")
	return struct {
		XMLName xml.Name `xml:"AssumeRoleResponse"`
		NS      string   `xml:"xmlns,attr"`
		Result  result   `xml:"AssumeRoleResult"`
		ID      string   `xml:"ResponseMetadata>RequestId"`
	}{NS: stsNamespace, ID: uuid.NewString(), Result: result{
		creds{temporaryKey + parts[4], "sandbox-secret", fmt.Sprintf("%s%s-%d", temporaryToken, parts[4], until.Unix()), until.Format(time.RFC3339)},
		user{fmt.Sprintf("arn:aws:sts::%s:assumed-role/%s/%s", parts[4], role, form.Get("RoleSessionName")), "AROASANDBOX:" + form.Get("RoleSessionName")}}}, nil
}

func (s *Sandbox) describeRegions(form url.Values) any {
	type item struct {
		Name     string `xml:"regionName"`
		Endpoint string `xml:"regionEndpoint"`
		Status   string `xml:"optInStatus"`
	}
	var items []item
	for _, r := range catalog.Regions() {
		if r.Partition != "aws" {
			continue
		}
		status := "opt-in-not-required"
		if !s.store.world.enabled(r.Name) {
			if form.Get("AllRegions") != "true" {
				continue
			}
			status = "not-opted-in"
		}
		items = append(items, item{r.Name, "ec2." + r.Name + ".amazonaws.com", status})
	}
	return struct {
		XMLName xml.Name `xml:"DescribeRegionsResponse"`
		NS      string   `xml:"xmlns,attr"`
		ID      string   `xml:"requestId"`
		Items   []item   `xml:"regionInfo>item"`
	}{NS: "http://ec2.amazonaws.com/doc/2016-11-15/", ID: uuid.NewString(), Items: items}
}

// organizations answers ListAccounts, for the management account alone. The
// first page is empty, which the service allows.
func (s *Sandbox) organizations(w http.ResponseWriter, r *http.Request, op string, body []byte) {
	c, f := s.authenticate(r, "organizations")
	var in struct{ NextToken string }
	if f == nil && len(body) > 0 && json.Unmarshal(body, &in) != nil {
		f = bad("SerializationException", "Unable to parse the request body as JSON")
	}
	if !s.pause(r.Context()) {
		return
	}
	switch {
	case f != nil:
	case op != "ListAccounts":
		f = bad("UnknownOperationException", "")
	case c.account != s.store.world.Accounts[0].ID:
		f = bad("AccessDeniedException", "You don't have permissions to access this resource.")
	}
	s.count(Call{Operation: op, Account: c.account, Region: c.region})
	if f != nil {
		jsonFault(w, f, "1.1")
		return
	}
	if in.NextToken == "" {
		jsonAnswer(w, map[string]any{"Accounts": []any{}, "NextToken": "more"}, "1.1")
		return
	}
	var out []any
	for _, a := range s.store.world.Accounts {
		out = append(out, map[string]any{"Id": a.ID, "Name": a.Name, "Email": a.Email, "Status": "ACTIVE", "State": "ACTIVE", "JoinedMethod": "CREATED", "JoinedTimestamp": 1.7e9,
			"Arn": fmt.Sprintf("arn:aws:organizations::%s:account/o-sandbox0001/%s", s.store.world.Accounts[0].ID, a.ID)})
	}
	jsonAnswer(w, map[string]any{"Accounts": out}, "1.1")
}

// listRegions answers account:ListRegions, a REST operation.
func (s *Sandbox) listRegions(w http.ResponseWriter, r *http.Request, body []byte) {
	c, f := s.authenticate(r, "account")
	var in struct{ RegionOptStatusContains []string }
	if f == nil && len(body) > 0 && json.Unmarshal(body, &in) != nil {
		f = bad("ValidationException", "The request body is not JSON")
	}
	if !s.pause(r.Context()) {
		return
	}
	s.count(Call{Operation: "ListRegions", Account: c.account, Region: c.region})
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("x-amzn-RequestId", uuid.NewString())
	if f != nil {
		w.Header().Set("X-Amzn-ErrorType", f.code)
		w.WriteHeader(http.StatusForbidden)
		w.Write(encode(map[string]string{"message": f.message}))
		return
	}
	out := []any{}
	for _, reg := range catalog.Regions() {
		if reg.Partition != "aws" {
			continue
		}
		status := "DISABLED"
		if s.store.world.enabled(reg.Name) {
			status = "ENABLED_BY_DEFAULT"
			if !reg.Default {
				status = "ENABLED"
			}
		}
		if len(in.RegionOptStatusContains) == 0 || slices.Contains(in.RegionOptStatusContains, status) {
			out = append(out, map[string]string{"RegionName": reg.Name, "RegionOptStatus": status})
		}
	}
	w.Write(encode(map[string]any{"Regions": out}))
}
