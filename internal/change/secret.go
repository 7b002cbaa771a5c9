package change

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Sensitive stands in for a secret wherever a model is shown or written down.
const Sensitive = "(sensitive)"

// A secret's value is text that the schema calls write-only, or whose name, or
// the name beside it in a key/value pair, says so, or an URL with a password in
// it. What a resource is
// identified by is none: without it nothing could be asked again.
func (r *rules) secret(at []string, v any, holder map[string]any) bool {
	if v == nil || r.identifier.covers(at) {
		return false
	}
	if r.writeOnly.covers(at) {
		return true
	}
	last := at[len(at)-1]
	s, ok := v.(string)
	if ok && strings.Contains(s, "://") && userInfo.MatchString(s) {
		return true
	}
	if !ok || aboutSecret(last) {
		return false
	}
	if slices.ContainsFunc(at, secretName) {
		return true
	}
	if last != "Value" && last != "value" && last != "ParameterValue" && last != "DefaultValue" {
		return false
	}
	for _, k := range []string{"Key", "Name", "key", "name", "ParameterKey", "ParameterName"} {
		if name, ok := holder[k].(string); ok && secretName(name) {
			return true
		}
	}
	return false
}

var (
	userInfo    = regexp.MustCompile(`://[^/\s:@]*:[^/\s@]+@`) // RFC 3986, section 3.2.1
	secretWords = []string{"password", "passphrase", "passwd", "secret", "token", "privatekey", "apikey", "credentials"}
	// These endings make of a secret's name the name of something about it.
	openEndings = []string{"arn", "arns", "id", "ids", "name", "names", "type", "types", "identifier", "policy", "validity", "units", "enabled", "status",
		"version", "versionstage", "versionid", "description", "length", "lifetime", "expiration", "expiry", "mode", "region", "endpoint", "url", "uri", "usecase", "duration",
		"headerkey", "headername", "location", "provider", "format", "encoding", "source", "path", "ref", "signingkeyid", "kmskeyid", "template", "setting", "settings", "valuefrom"}
)

func secretName(name string) bool {
	name = folded(name)
	return slices.ContainsFunc(secretWords, func(w string) bool { return strings.Contains(name, w) }) && !aboutSecret(name)
}

func aboutSecret(name string) bool {
	name = folded(name)
	return slices.ContainsFunc(openEndings, func(e string) bool { return strings.HasSuffix(name, e) })
}

var separators = strings.NewReplacer("_", "", "-", "", ".", "", " ", "")

func folded(name string) string { return strings.ToLower(separators.Replace(name)) }

// secrets gives the paths of a model's secrets, sorted.
func (r *rules) secrets(model map[string]any) [][]string {
	var out [][]string
	var walk func(v any, at []string, holder map[string]any)
	walk = func(v any, at []string, holder map[string]any) {
		if len(at) > 0 && r.secret(at, v, holder) {
			out = append(out, at)
			return
		}
		switch v := v.(type) {
		case map[string]any:
			for k, x := range v {
				walk(x, extend(at, k), v)
			}
		case []any:
			for i, x := range v {
				walk(x, extend(at, fmt.Sprint(i)), holder)
			}
		}
	}
	walk(model, nil, nil)
	slices.SortFunc(out, slices.Compare)
	return out
}

// masked gives a copy of a model without its secrets, and where they were.
func (r *rules) masked(model map[string]any) (map[string]any, [][]string) {
	if model == nil {
		return nil, nil
	}
	found := r.secrets(model)
	out := cloneModel(model)
	for _, at := range found {
		replaceAt(out, at, Sensitive)
	}
	return out, found
}

// replaceAt puts a value in the place of one that is there.
func replaceAt(root any, at []string, v any) {
	holder, ok := lookup(root, at[:len(at)-1])
	if !ok {
		return
	}
	last := at[len(at)-1]
	switch h := holder.(type) {
	case map[string]any:
		h[last] = v
	case []any:
		if i, ok := index(last, len(h)); ok && i < len(h) {
			h[i] = v
		}
	}
}

// maskedAt gives a value at a path as it may be shown.
func (r *rules) maskedAt(at []string, v any, holder map[string]any) any {
	if len(at) > 0 && r.secret(at, v, holder) {
		return Sensitive
	}
	switch x := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(x))
		for k, e := range x {
			out[k] = r.maskedAt(extend(at, k), e, x)
		}
		return out
	case []any:
		out := make([]any, len(x))
		for i, e := range x {
			out[i] = r.maskedAt(extend(at, fmt.Sprint(i)), e, holder)
		}
		return out
	}
	return v
}
