package session

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"github.com/skyql/skyql/internal/catalog"
	"github.com/skyql/skyql/internal/syntax"
)

// Hidden stands for a secret in a statement that is kept. It is not SQL: what is
// called back can't be run with it by mistake.
const Hidden = "<hidden>"

var (
	// secretWord is in the names of things whose values are nobody's business.
	secretWord = regexp.MustCompile(`(?i)passw|passphrase|secret|token|private_?key|credential|api_?key|access_?key`)
	// openName is in the names of those that only say which secret it is.
	openName = regexp.MustCompile(`(?i)(arn|name|_id|_ids|type|version|enabled|length|days|validity)s?$`)
	// inText is a secret inside a text: a password of a connection string or an
	// URL.
	inText = regexp.MustCompile(`(?i)(passw\w*|secret\w*|token|pwd)\s*[=:]|://[^/\s:@]*:[^/\s@]+@`)
)

// SecretName reports whether a name says that its value is a secret.
func SecretName(name string) bool {
	return secretWord.MatchString(name) && !openName.MatchString(name)
}

// Scrub takes the secrets out of a script that is to be kept: the values of
// write-only properties, and of what is named like a secret. Where it is not
// clear which value a name belongs to, all texts of the statement go.
func (s *Session) Scrub(script string) string {
	var b strings.Builder
	at := 0
	for _, st := range syntax.Split(script) {
		b.WriteString(blankSecrets(script[at:st.Offset]))
		b.WriteString(s.scrubStatement(st))
		at = st.Offset + len(st.Text)
	}
	return b.String() + blankSecrets(script[at:])
}

func (s *Session) scrubStatement(st syntax.Statement) string {
	c := &scrubber{st: st, toks: st.Tokens[:len(st.Tokens)-1], hide: map[int]bool{}}
	c.secret = SecretName
	if t := s.changes(st); t != nil {
		c.target = t
		_, valued := t.Column("value")
		valued = valued && c.namesSecret()
		c.secret = func(name string) bool {
			return SecretName(name) || writeOnly(t, name) || valued && strings.EqualFold(name, "value")
		}
	}
	if st.Word == "SET" && len(c.toks) > 2 && SecretName(c.toks[1].Text) {
		for i := 3; i < len(c.toks); i++ { // SET x = value takes a bare word too
			c.hide[i] = true
		}
	}
	c.assignments()
	c.inserts()
	c.pairs()
	c.texts()
	return c.text()
}

// changes gives the cloud table that a statement changes, whether or not there
// is a local one of its name.
func (s *Session) changes(st syntax.Statement) *catalog.Table {
	var parts []string
	for _, p := range st.Target {
		parts = append(parts, p.Text)
	}
	if len(parts) > 1 && isProvider(parts[0]) {
		parts = parts[1:]
	} else if len(parts) == 1 && s.service != "" {
		parts = []string{s.service, parts[0]}
	}
	if len(parts) != 2 {
		return nil
	}
	e, _, ok := s.catalog.Lookup(parts[0], parts[1])
	if !ok {
		return nil
	}
	t, err := s.catalog.Table(e.Type)
	if err != nil {
		return nil
	}
	return t
}

// writeOnly reports whether a name is that of a write-only property, or of one
// inside another.
func writeOnly(t *catalog.Table, name string) bool {
	if i, ok := t.Column(name); ok && t.Columns[i].WriteOnly {
		return true
	}
	return slices.ContainsFunc(t.WriteOnly, func(p string) bool {
		leaf := p[strings.LastIndexByte(p, '/')+1:]
		return strings.EqualFold(leaf, name) || strings.EqualFold(catalog.Snake(leaf), name)
	})
}

// A scrubber marks the tokens of a statement that are to be hidden.
type scrubber struct {
	st     syntax.Statement
	toks   []syntax.Token
	target *catalog.Table // of a write; may be nil
	secret func(name string) bool
	hide   map[int]bool
}

// isValue reports whether a token is a constant.
func isValue(t syntax.Token) bool { return t.Kind == syntax.String || t.Kind == syntax.Number }

// assignments hides what is set or compared with a secret's name: name = value,
// name := value, name TO value, 'name': value, name value, value AS name.
func (c *scrubber) assignments() {
	for i, t := range c.toks {
		if !t.IsName() && t.Kind != syntax.String || !c.secret(t.Text) || strings.ContainsAny(t.Text, " \n") {
			continue
		}
		if i > 1 && c.toks[i-1].Is("AS") {
			c.before(i - 1)
		}
		if i+1 < len(c.toks) && assigns(c.toks[i+1]) {
			if c.expression(i+1) && c.target != nil {
				c.everything(0) // it comes from elsewhere in the statement
			}
		}
	}
}

// assigns reports whether a name's value comes next, or already is here.
func assigns(t syntax.Token) bool {
	for _, op := range [...]string{"=", ":=", "=>", ":", "<>", "!="} {
		if t.IsOp(op) {
			return true
		}
	}
	return t.Is("TO") || t.Is("IN") || t.Is("LIKE") || isValue(t)
}

// expression hides every constant from token i up to the end of its item: a
// comma, a closing bracket or a clause outside brackets. named says that the
// item has names in it as well.
func (c *scrubber) expression(i int) (named bool) {
	depth := 0
	for ; i < len(c.toks); i++ {
		t := c.toks[i]
		switch {
		case t.IsOp("("), t.IsOp("["), t.IsOp("{"):
			depth++
		case t.IsOp(")"), t.IsOp("]"), t.IsOp("}"):
			if depth--; depth < 0 {
				return named
			}
		case depth == 0 && (t.IsOp(",") || t.IsOp(";") || t.Is("WHERE") || t.Is("AND") || t.Is("OR") || t.Is("FROM") || t.Is("RETURNING") || t.Is("WHEN")):
			return named
		case isValue(t):
			c.hide[i] = true
		case t.IsName() && !t.Is("NULL") && !t.Is("DEFAULT") && !t.Is("IN") && !t.Is("LIKE") && !t.Is("TO"):
			named = true
		}
	}
	return named
}

// namesSecret reports whether a text of the statement is a secret's name, such as
// that of a parameter: then a value is one.
func (c *scrubber) namesSecret() bool {
	return slices.ContainsFunc(c.toks, func(t syntax.Token) bool {
		return t.Kind == syntax.String && !strings.ContainsAny(t.Text, " \n{[") && SecretName(t.Text)
	})
}

// keyNames are what the name is called in a list of names and values.
var keyNames = []string{"key", "name", "parameterkey", "parametername"}

// pairs hides what stands beside a secret's name in an object: {'Name': 'TOKEN',
// 'Value': '…'}.
func (c *scrubber) pairs() {
	for i, t := range c.toks {
		if i < 2 || t.Kind != syntax.String || !SecretName(t.Text) || !c.toks[i-1].IsOp(":") && !c.toks[i-1].IsOp(":=") || !slices.Contains(keyNames, strings.ToLower(c.toks[i-2].Text)) {
			continue
		}
		from, depth := i, 0
		for ; from > 0 && depth <= 0; from-- {
			switch p := c.toks[from-1]; {
			case p.IsOp("{"), p.IsOp("("):
				depth++
			case p.IsOp("}"), p.IsOp(")"):
				depth--
			}
		}
		for depth, k := 0, from+1; k < len(c.toks) && depth >= 0; k++ {
			switch p := c.toks[k]; {
			case p.IsOp("{"), p.IsOp("("):
				depth++
			case p.IsOp("}"), p.IsOp(")"):
				depth--
			case isValue(p) && k != i && !c.isMember(k):
				c.hide[k] = true
			}
		}
	}
}

// before hides every constant of the item that ends before token i.
func (c *scrubber) before(i int) {
	depth := 0
	for i--; i >= 0; i-- {
		t := c.toks[i]
		switch {
		case t.IsOp(")"), t.IsOp("]"), t.IsOp("}"):
			depth++
		case t.IsOp("("), t.IsOp("["), t.IsOp("{"):
			if depth--; depth < 0 {
				return
			}
		case depth == 0 && (t.IsOp(",") || t.Is("SELECT")):
			return
		case isValue(t):
			c.hide[i] = true
		}
	}
}

// inserts hides the values of INSERT INTO t (columns) by place. Without a list
// of columns, or where the values come from a query, every text goes if the
// table has anything secret.
func (c *scrubber) inserts() {
	if c.st.Word != "INSERT" && c.st.Word != "MERGE" {
		return
	}
	columns, i := c.columnList()
	secret := make([]bool, len(columns))
	for k, name := range columns {
		secret[k] = c.secret(name)
	}
	if len(columns) == 0 {
		if c.target != nil && len(c.target.WriteOnly) > 0 {
			c.everything(0)
		}
		return
	}
	switch {
	case !slices.Contains(secret, true):
	case c.st.Word == "MERGE" || i >= len(c.toks) || !c.toks[i].Is("VALUES"):
		c.everything(0) // of a source too, be it in front of the INSERT
	default:
		c.tuples(i+1, secret)
	}
}

// columnList reads the names in the first parentheses behind INTO's table or
// MERGE's last INSERT, and gives the place behind them.
func (c *scrubber) columnList() (columns []string, next int) {
	i := 0
	for k, t := range c.toks {
		if t.Is("INTO") && c.st.Word == "INSERT" || t.Is("INSERT") && c.st.Word == "MERGE" {
			i = k + 1
			if c.st.Word == "INSERT" {
				break
			}
		}
	}
	for i < len(c.toks) && c.st.Word == "INSERT" && (c.toks[i].IsName() && !c.toks[i].Is("VALUES") && !c.toks[i].Is("SELECT") || c.toks[i].IsOp(".")) {
		i++
	}
	if i >= len(c.toks) || !c.toks[i].IsOp("(") {
		return nil, i
	}
	for i++; i < len(c.toks) && !c.toks[i].IsOp(")"); i++ {
		if c.toks[i].IsName() {
			columns = append(columns, c.toks[i].Text)
		}
	}
	return columns, i + 1
}

// tuples hides constants by their place in each of (…), (…).
func (c *scrubber) tuples(i int, secret []bool) {
	depth, place := 0, 0
	for ; i < len(c.toks); i++ {
		t := c.toks[i]
		switch {
		case t.IsOp("("), t.IsOp("["), t.IsOp("{"):
			if depth++; depth == 1 {
				place = 0
			}
		case t.IsOp(")"), t.IsOp("]"), t.IsOp("}"):
			depth--
		case t.IsOp(",") && depth == 1:
			place++
		case isValue(t) && (place >= len(secret) || secret[place]):
			c.hide[i] = true
		}
	}
}

// isMember reports whether a token is the name of an object's member.
func (c *scrubber) isMember(i int) bool { return i+1 < len(c.toks) && c.toks[i+1].IsOp(":") }

func (c *scrubber) everything(i int) {
	for ; i < len(c.toks); i++ {
		if isValue(c.toks[i]) && !c.isMember(i) {
			c.hide[i] = true
		}
	}
}

// texts hides texts that hold a secret inside: JSON with such a member or a
// patch of one, a connection string.
func (c *scrubber) texts() {
	for i, t := range c.toks {
		if t.Kind == syntax.String && (inText.MatchString(t.Text) || c.inJSON(t.Text)) {
			c.hide[i] = true
		}
	}
}

func (c *scrubber) inJSON(text string) bool {
	if trimmed := strings.TrimSpace(text); trimmed == "" || trimmed[0] != '{' && trimmed[0] != '[' {
		return false
	}
	var v any
	if json.Unmarshal([]byte(text), &v) != nil {
		return secretWord.MatchString(text) // broken, and so not understood
	}
	return c.holds(v)
}

// holds reports whether a JSON value has a secret member, or names one in a
// pointer.
func (c *scrubber) holds(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			if s, ok := member.(string); ok && slices.Contains(keyNames, strings.ToLower(name)) && SecretName(s) {
				return true
			}
			if c.secret(name) || c.holds(member) {
				return true
			}
			if p, ok := member.(string); ok && name == "path" && c.secret(p[strings.LastIndexByte(p, '/')+1:]) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(v, c.holds)
	}
	return false
}

func (c *scrubber) text() string {
	var b strings.Builder
	at := 0
	for i, t := range c.toks {
		b.WriteString(blankSecrets(c.st.Text[at:t.Pos]))
		if c.hide[i] {
			b.WriteString(Hidden)
		} else {
			b.WriteString(c.st.Text[t.Pos:t.End])
		}
		at = t.End
	}
	return b.String() + blankSecrets(c.st.Text[at:])
}

// blankSecrets takes a comment out that holds a secret.
func blankSecrets(gap string) string {
	if inText.MatchString(gap) {
		return " /* hidden */ "
	}
	return gap
}
