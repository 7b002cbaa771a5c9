package engine

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/skyql/skyql/internal/catalog"
)

// A value is one JSON value: its text as it came, and what it is.
type value struct {
	raw    string
	result gjson.Result
}

func parseValue(raw string) value { return value{raw, gjson.Parse(raw)} }

// each calls f for every member of a JSON object.
func each(object json.RawMessage, f func(name string, v value)) {
	gjson.ParseBytes(object).ForEach(func(k, v gjson.Result) bool {
		f(k.String(), value{v.Raw, v})
		return true
	})
}

// convert gives a value in the form that a column stages: nil for null. It
// fits only if nothing is lost: text to column and back gives the same.
func (c loading) convert(v value) (staged any, fits bool) {
	if v.result.Type == gjson.Null {
		return nil, true
	}
	if e, list := c.typ.Elem(); list {
		return v.raw, v.result.IsArray() && elementsFit(v.result, e)
	}
	if c.typ == catalog.JSON {
		if c.open && v.result.Type == gjson.String {
			if s := strings.TrimSpace(v.result.String()); strings.HasPrefix(s, "{") && json.Valid([]byte(s)) {
				return oneLine(s), true
			}
		}
		return oneLine(v.raw), true
	}
	return scalar(v.result, c.typ)
}

// oneLine takes the line breaks between the tokens out of a JSON text: a value
// stands on one line in every format. Numbers keep their digits.
func oneLine(text string) string {
	if !strings.ContainsAny(text, "\n\r") {
		return text
	}
	var b bytes.Buffer
	if json.Compact(&b, []byte(text)) != nil {
		return text
	}
	return b.String()
}

func elementsFit(list gjson.Result, t catalog.ColumnType) bool {
	fits := true
	list.ForEach(func(_, e gjson.Result) bool {
		if e.Type != gjson.Null {
			_, fits = scalar(e, t)
		}
		return fits
	})
	return fits
}

func scalar(v gjson.Result, t catalog.ColumnType) (any, bool) {
	if v.Type == gjson.JSON {
		return nil, false
	}
	text := v.Raw
	if v.Type == gjson.String {
		text = v.String()
	}
	switch t {
	case catalog.Varchar:
		return text, true
	case catalog.BigInt:
		n, err := strconv.ParseInt(text, 10, 64)
		return n, err == nil && strconv.FormatInt(n, 10) == text
	case catalog.Double:
		f, err := strconv.ParseFloat(text, 64)
		return f, err == nil && isNumber(text) && digits(text) == digits(strconv.FormatFloat(f, 'g', -1, 64))
	case catalog.Boolean:
		return text == "true", text == "true" || text == "false"
	}
	return nil, false
}

// isNumber reports whether text is a JSON number, which leaves out Inf, NaN,
// hexadecimal and underscores.
func isNumber(text string) bool { return json.Valid([]byte(text)) && text[0] != '"' }

// digits brings a decimal number into one form, so that equal numbers are equal
// texts: sign, digits without zeros at either end, and exponent.
func digits(text string) string {
	text = strings.ToLower(text)
	mantissa, exp, _ := strings.Cut(text, "e")
	e, err := strconv.Atoi(exp)
	if exp != "" && err != nil {
		return text
	}
	sign := ""
	if m, ok := strings.CutPrefix(mantissa, "-"); ok {
		sign, mantissa = "-", m
	}
	whole, frac, _ := strings.Cut(mantissa, ".")
	all := strings.TrimLeft(whole+frac, "0")
	e -= len(frac)
	short := strings.TrimRight(all, "0")
	if short == "" {
		return "0"
	}
	return sign + short + "e" + strconv.Itoa(e+len(all)-len(short))
}
