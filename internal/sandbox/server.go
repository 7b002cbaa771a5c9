package sandbox

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"
)

// A fault is an error answer: a code, and the message in AWS's words.
type fault struct {
	code, message string
	status        int
}

// bad is the client's fault. AWS sends 400 for all of them.
func bad(code, message string) *fault { return &fault{code, message, http.StatusBadRequest} }

// maxBody is what a request may hold: two documents of the longest kind, encoded.
const maxBody = 2 << 20

// ServeHTTP tells the services apart as AWS's host names would.
func (s *Sandbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/_sandbox/") {
		s.control(w, r)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			jsonFault(w, bad("RequestEntityTooLargeException", "Request body is too large"), "1.0")
		}
		return
	}
	target := r.Header.Get("X-Amz-Target")
	switch {
	case strings.HasPrefix(target, "CloudApiService."):
		s.cloudControl(w, r, strings.TrimPrefix(target, "CloudApiService."), body)
	case strings.HasPrefix(target, "AWSOrganizationsV20161128."):
		s.organizations(w, r, strings.TrimPrefix(target, "AWSOrganizationsV20161128."), body)
	case r.URL.Path == "/listRegions":
		s.listRegions(w, r, body)
	case strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded"):
		s.query(w, r, string(body))
	default:
		jsonFault(w, bad("UnknownOperationException", ""), "1.0")
	}
}

// control is what tests and pages ask of the sandbox itself.
func (s *Sandbox) control(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	switch {
	case r.URL.Path == "/_sandbox/calls" && r.Method == http.MethodGet:
		w.Write(append(encode(s.Calls()), '\n'))
	case r.URL.Path == "/_sandbox/reset-calls" && r.Method == http.MethodPost:
		s.ResetCalls()
		io.WriteString(w, "{}\n")
	case r.URL.Path == "/_sandbox/put" && r.Method == http.MethodPost:
		var res Resource
		controlled(w, r, &res, func() error { return s.Put(res) })
	case r.URL.Path == "/_sandbox/remove" && r.Method == http.MethodPost:
		var d dropped
		controlled(w, r, &d, func() error { return s.Remove(d.Account, d.Region, d.Type, d.Identifier) })
	default:
		w.WriteHeader(http.StatusNotFound)
		io.WriteString(w, `{"error":"GET /_sandbox/calls, or POST /_sandbox/reset-calls, put or remove"}`+"\n")
	}
}

// controlled does what a request's JSON says.
func controlled(w http.ResponseWriter, r *http.Request, to any, do func() error) {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	d.DisallowUnknownFields()
	d.UseNumber()
	err := d.Decode(to)
	if err == nil {
		err = do()
	}
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		w.Write(append(encode(map[string]string{"error": err.Error()}), '\n'))
		return
	}
	io.WriteString(w, "{}\n")
}

func jsonHeader(w http.ResponseWriter, version string) {
	w.Header().Set("x-amzn-RequestId", uuid.NewString())
	w.Header().Set("Content-Type", "application/x-amz-json-"+version)
}

// namespace is what stands before the code in an error's __type; clients drop it.
const namespace = "com.amazon.coral.service#"

func jsonFault(w http.ResponseWriter, f *fault, version string) {
	jsonHeader(w, version)
	w.WriteHeader(f.status)
	w.Write(encode(map[string]string{"__type": namespace + f.code, "Message": f.message}))
}

func jsonAnswer(w http.ResponseWriter, v any, version string) {
	jsonHeader(w, version)
	w.Write(encode(v))
}

// cloudControl answers one operation of Cloud Control.
func (s *Sandbox) cloudControl(w http.ResponseWriter, r *http.Request, op string, body []byte) {
	c, f := s.authenticate(r, "cloudcontrolapi")
	if f == nil && !s.store.world.enabled(c.region) {
		f = bad("UnrecognizedClientException", "The security token included in the request is invalid.")
	}
	var in input
	if f == nil {
		f = in.decode(body)
	}
	call := Call{op, in.TypeName, in.Identifier, c.account, c.region}
	fx := s.effects(s.store.about(call, in.RequestToken))
	if !fx.wait(r.Context()) {
		return
	}
	var out any
	switch {
	case f != nil:
	case fx.reset == "before":
		s.count(call)
		breakOff(w)
		return
	case s.throttled(c, fx):
		call.Operation = "Throttled"
		f = bad("ThrottlingException", "")
	case fx.status != 0:
		s.count(call)
		page(w, fx.status)
		return
	case fx.error != "":
		f = fx.refuse(in)
	default:
		out, f = s.operation(op, c, in, fx)
	}
	s.count(call)
	switch {
	case fx.reset == "after":
		breakOff(w)
	case f != nil:
		f.message = cut(f.message)
		jsonFault(w, f, "1.0")
	default:
		jsonAnswer(w, out, "1.0")
	}
}

// page is what a proxy or load balancer says.
func page(w http.ResponseWriter, status int) {
	jsonHeader(w, "1.0")
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(status)
	io.WriteString(w, "<html><body><h1>"+http.StatusText(status)+"</h1></body></html>\n")
}

// refuse is the exception that a rule asks for. Those that come from handlers
// are worded as such.
func (fx *effects) refuse(in input) *fault {
	f := bad(fx.error, fx.message)
	if slices.Contains(serverFaults, fx.error) {
		f.status = http.StatusInternalServerError
	}
	code := handlerCodeOf(fx.error)
	switch {
	case f.message != "" || fx.error == "ThrottlingException": // which comes without one
	case code != "" && in.TypeName != "":
		f.message = in.TypeName + " Handler returned status FAILED: null (HandlerErrorCode: " + code + ", RequestToken: " + uuid.NewString() + ")"
	default:
		f.message = "Refused by a rule of the sandbox's faults"
	}
	return f
}

// handlerCodeOf gives the handler error code behind an exception, "" for those
// of the service's own.
func handlerCodeOf(exception string) string {
	switch exception {
	case "ResourceNotFoundException":
		return "NotFound"
	case "HandlerInternalFailureException":
		return "InternalFailure"
	}
	for _, code := range handlerCodes {
		if code == exception || code+"Exception" == exception {
			return code
		}
	}
	return ""
}

// An input is the members of all requests together.
type input struct {
	TypeName, TypeVersionId, RoleArn     string
	Identifier, ResourceModel, NextToken string
	RequestToken                         string
	DesiredState, PatchDocument          string
	ClientToken                          string
	MaxResults                           *int
	ResourceRequestStatusFilter          *struct{ Operations, OperationStatuses []string }
}

func (in *input) decode(body []byte) *fault {
	if len(body) == 0 {
		return nil
	}
	if err := json.Unmarshal(body, in); err != nil {
		var t *json.UnmarshalTypeError
		if errors.As(err, &t) {
			return bad("SerializationException", "Unexpected value type in payload for member "+t.Field)
		}
		return bad("SerializationException", "Unable to parse the request body as JSON")
	}
	return nil
}
