package sandbox

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/skyql/skyql/internal/catalog"
)

// lazily compiles a pattern when it is first asked for: long repetitions take
// their time, and most programs never start a sandbox.
func lazily(pattern string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })
}

// Limits of members, from the service model.
var (
	typeName   = lazily(`^[A-Za-z0-9]{2,64}::[A-Za-z0-9]{2,64}::[A-Za-z0-9]{2,64}$`)
	identifier = lazily(`^.+$`)
	tokenForm  = lazily(`^[-A-Za-z0-9+/=]{1,128}$`)

	roleForm    = lazily(`^arn:.+:iam::[0-9]{12}:role/.+$`)
	versionForm = lazily(`^[A-Za-z0-9-]{1,128}$`)
)

// maxDocument is how long a desired state or a patch may be.
const maxDocument = 262144

func (s *Sandbox) operation(op string, c caller, in input, fx *effects) (any, *fault) {
	if f := s.store.refresh(s.clock); f != nil {
		return nil, f
	}
	switch op {
	case "CreateResource":
		return s.create(c, in, fx)
	case "UpdateResource":
		return s.update(c, in, fx)
	case "DeleteResource":
		return s.delete(c, in, fx)
	case "GetResource":
		return s.get(c, in, fx)
	case "ListResources":
		return s.list(c, in, fx)
	case "ListResourceRequests":
		return s.listRequests(c, in)
	case "GetResourceRequestStatus":
		return s.status(c, in)
	case "CancelResourceRequest":
		return s.cancel(c, in)
	}
	return nil, bad("UnknownOperationException", "")
}

func constraint(member, value string, form func() *regexp.Regexp) *fault {
	pattern := form()
	if value == "" {
		return bad("ValidationException", fmt.Sprintf("1 validation error detected: Value null at '%s' failed to satisfy constraint: Member must not be null", member))
	}
	if !pattern.MatchString(value) {
		return bad("ValidationException", fmt.Sprintf("1 validation error detected: Value '%.1100s' at '%s' failed to satisfy constraint: Member must satisfy regular expression pattern: %s", value, member, pattern))
	}
	return nil
}

func outOfRange(member string, v int) *fault {
	return bad("ValidationException", fmt.Sprintf("1 validation error detected: Value '%d' at '%s' failed to satisfy constraint: Member must have value between 1 and 100", v, member))
}

// typeOf finds a type as far as the registry of an account and region has it.
func (s *Sandbox) typeOf(c caller, name string) (*catalog.Table, *fault) {
	if f := constraint("typeName", name, typeName); f != nil {
		return nil, f
	}
	t, err := s.catalog.Table(name)
	if err != nil || slices.Contains(s.store.world.NotOffered[c.region], name) {
		return nil, bad("TypeNotFoundException", fmt.Sprintf("The type '%s' cannot be found.", name))
	}
	return t, nil
}

// handler words an error as one that came from a type's handler.
func handler(t *catalog.Table, code, handlerCode, text string) *fault {
	return bad(code, fmt.Sprintf("%s Handler returned status FAILED: %s (HandlerErrorCode: %s, RequestToken: %s)", t.Type, text, handlerCode, uuid.NewString()))
}

func (s *Sandbox) get(c caller, in input, fx *effects) (any, *fault) {
	t, f := s.typeOf(c, in.TypeName)
	if f != nil {
		return nil, f
	}
	if t.Read == nil {
		if f := constraint("identifier", in.Identifier, identifier); f != nil {
			return nil, f
		}
		return nil, unsupported(t, "READ")
	}
	want, f := identifierOf(t, in.Identifier)
	if f != nil {
		return nil, f
	}
	res, f := s.visible(t, c, want, fx)
	if f != nil {
		return nil, f
	}
	if res == nil {
		return nil, handler(t, "ResourceNotFoundException", "NotFound", notFound(t, want))
	}
	return map[string]any{"TypeName": t.Type, "ResourceDescription": description(res.id, res.read(t, fx.Reads))}, nil
}

// identifierOf checks and reads an identifier.
func identifierOf(t *catalog.Table, id string) (map[string]string, *fault) {
	if f := constraint("identifier", id, identifier); f != nil {
		return nil, f
	}
	if utf8.RuneCountInString(id) > 1024 {
		return nil, bad("ValidationException", "1 validation error detected: Value at 'identifier' failed to satisfy constraint: Member must have length less than or equal to 1024")
	}
	return parseIdentifier(t, id)
}

// visible finds a resource as a read handler does; nil if it isn't to be seen.
func (s *Sandbox) visible(t *catalog.Table, c caller, want map[string]string, fx *effects) (*resource, *fault) {
	res, elsewhere := s.store.find(t, c, want)
	switch {
	case elsewhere:
		return nil, otherRegion(t)
	case res == nil:
		return nil, nil
	case fx.vanish:
		return nil, s.store.remove(s.clock, t, res)
	case res.seen.hidden(s.clock().UnixNano(), fx.Lag):
		return nil, nil
	}
	return res, nil
}

func otherRegion(t *catalog.Table) *fault {
	return handler(t, "GeneralServiceException", "GeneralServiceException", fmt.Sprintf("The bucket you are attempting to access must be addressed using the specified endpoint. "+
		"Please send all future requests to this endpoint. (Service: S3, Status Code: 301, Request ID: %s)", strings.ToUpper(uuid.NewString()[:8])))
}

// A sightings counts the reads and lists since a resource was created.
type sightings struct {
	since        int64
	reads, lists atomic.Int64
}

// hidden counts a read, and reports whether it comes too early.
func (s *sightings) hidden(now int64, lag Lag) bool {
	return s != nil && (s.reads.Add(1) <= int64(lag.Reads) || now-s.since < int64(lag.ReadsFor))
}

// listed counts the first page of a list, and reports whether the list is late
// enough to have the resource.
func (s *sightings) listed(now int64, lag Lag, firstPage bool) bool {
	if s == nil {
		return true
	}
	if firstPage {
		s.lists.Add(1)
	}
	return s.lists.Load() > int64(lag.Lists) && now-s.since >= int64(lag.ListsFor)
}

func description(id string, properties []byte) map[string]string {
	return map[string]string{"Identifier": id, "Properties": string(properties)}
}

func unsupported(t *catalog.Table, action string) *fault {
	return bad("UnsupportedActionException", fmt.Sprintf("Resource type %s does not support %s action", t.Type, action))
}

// parseIdentifier reads the text form, or JSON by property names or pointers;
// the result is by pointer below the model. Alternative keys come in JSON only.
func parseIdentifier(t *catalog.Table, id string) (map[string]string, *fault) {
	if strings.HasPrefix(id, "{") {
		var o map[string]any
		if json.Unmarshal([]byte(id), &o) == nil {
			for _, set := range append([][]string{t.Identifier}, t.Additional...) {
				if m := byPointer(o, set); m != nil {
					return m, nil
				}
			}
			return nil, bad("ValidationException", fmt.Sprintf("Identifier %s is not valid for identifier [%s]", id, strings.Join(t.Identifier, ", ")))
		}
	}
	parts := []string{id}
	if len(t.Identifier) > 1 {
		parts = strings.Split(id, "|")
	}
	if len(parts) != len(t.Identifier) {
		return nil, bad("ValidationException", fmt.Sprintf("Identifier %s is not valid for identifier [%s]", id, strings.Join(t.Identifier, ", ")))
	}
	out := map[string]string{}
	for i, p := range t.Identifier {
		out[p] = parts[i]
	}
	return out, nil
}

func byPointer(o map[string]any, set []string) map[string]string {
	if len(o) != len(set) {
		return nil
	}
	out := map[string]string{}
	for _, p := range set {
		v, ok := o["/properties"+p]
		if !ok {
			v, ok = o[p[strings.LastIndexByte(p, '/')+1:]]
		}
		if !ok {
			return nil
		}
		out[p] = fmt.Sprint(v)
	}
	return out
}

// A cursor is what a page token stands for.
type cursor struct {
	Type, Model, Account, Region string
	Offset                       int
	Gap                          bool // the page before this one was empty on purpose
}

func (s *Sandbox) list(c caller, in input, fx *effects) (any, *fault) {
	t, f := s.typeOf(c, in.TypeName)
	if f != nil {
		return nil, f
	}
	if in.MaxResults != nil && (*in.MaxResults < 1 || *in.MaxResults > 100) {
		return nil, outOfRange("maxResults", *in.MaxResults)
	}
	if t.List == nil {
		return nil, unsupported(t, "LIST")
	}
	model := map[string]any{}
	if in.ResourceModel != "" && json.Unmarshal([]byte(in.ResourceModel), &model) != nil {
		return nil, bad("ValidationException", "ResourceModel is not a JSON object")
	}
	if f := checkModel(t, c, model); f != nil {
		return nil, f
	}
	at := cursor{t.Type, string(encode(model)), c.account, c.region, 0, false}
	if in.NextToken != "" {
		got, ok := readCursor(in.NextToken)
		offset, gap := got.Offset, got.Gap
		got.Offset, got.Gap = 0, false
		if !ok || got != at || offset < 0 {
			return nil, bad("InvalidRequestException", "NextToken is not valid for this request")
		}
		at.Offset, at.Gap = offset, gap
	}
	return s.page(t, c, model, at, fx), nil
}

// page gives one page. Some types put an empty page in between, as handlers
// that filter what they read do.
func (s *Sandbox) page(t *catalog.Table, c caller, model map[string]any, at cursor, fx *effects) any {
	now, first := s.clock().UnixNano(), at.Offset == 0 && !at.Gap
	all := s.store.list(t, c, model, func(r *resource) bool { return r.seen.listed(now, fx.Lag, first) })
	size := fx.page
	if size == 0 {
		size = []int{20, 25, 50, 100}[hash("page", t.Type)%4]
	}
	out := map[string]any{"TypeName": t.Type}
	descriptions := []any{}
	offset := min(at.Offset, len(all))
	gaps := fx.gaps || fx.page == 0 && hash("gap", t.Type)%5 == 0 && offset == size
	if gaps && offset > 0 && !at.Gap && offset < len(all) {
		at.Gap = true
		out["NextToken"] = at.token()
	} else {
		end := min(offset+size, len(all))
		kind := fx.list
		if kind == 0 {
			kind = s.kind(t.Type)
		}
		for _, r := range all[offset:end] {
			descriptions = append(descriptions, description(r.id, r.listed(t, kind, fx.Reads)))
		}
		if fx.vanish && end > offset {
			s.store.remove(s.clock, t, all[end-1]) // the list was right when it was made
		}
		if end < len(all) {
			out["NextToken"] = cursor{at.Type, at.Model, at.Account, at.Region, end, false}.token()
		}
	}
	out["ResourceDescriptions"] = descriptions
	return out
}

func (c cursor) token() string { return base64.StdEncoding.EncodeToString(encode(c)) }

func readCursor(token string) (c cursor, ok bool) {
	text, err := base64.StdEncoding.DecodeString(token)
	return c, err == nil && json.Unmarshal(text, &c) == nil
}

// checkModel wants what the list handler wants.
func checkModel(t *catalog.Table, c caller, model map[string]any) *fault {
	missing := func(p string) *fault {
		return bad("InvalidRequestException", fmt.Sprintf("Missing or invalid ResourceModel property in %s list handler request input.Required property: (#: required key [%s] not found)", t.Type, p[1:]))
	}
	has := func(p string) bool { return present(model, strings.Split(p[1:], "/")) }
	for _, p := range t.ListInput.Required {
		if !has(p) {
			return missing(p)
		}
	}
	if sets := t.ListInput.OneOf; len(sets) > 0 {
		if !slices.ContainsFunc(sets, func(set []string) bool {
			return !slices.ContainsFunc(set, func(p string) bool { return !has(p) })
		}) {
			return missing(sets[0][0])
		}
	}
	for p, only := range t.ListInput.HomeOnly {
		for _, v := range valuesAt(model, p) {
			if slices.Contains(only, v) && c.region != catalog.HomeRegion(c.region) {
				return handler(t, "InvalidRequestException", "InvalidRequest", fmt.Sprintf("The %s %s is only valid in %s.", p[1:], v, catalog.HomeRegion(c.region)))
			}
		}
	}
	return nil
}
