package change

import (
	"encoding/json"
	"strconv"
	"strings"
)

// A decimal is a JSON number without what is not its value: 1, 1.0 and 10e-1
// are one. Digits are never lost, and an exponent of any size costs nothing.
type decimal struct {
	negative bool
	digits   string // without zeros at either end; "" is zero
	exponent int    // of the first digit
}

func decimalOf(n json.Number) (decimal, bool) {
	s := string(n)
	var d decimal
	s, d.negative = strings.CutPrefix(s, "-")
	mantissa, exp, found := strings.Cut(strings.ToLower(s), "e")
	if found {
		e, err := strconv.Atoi(exp)
		if err != nil || e > 1<<40 || e < -1<<40 {
			return d, false
		}
		d.exponent = e
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	d.digits = whole + fraction
	d.exponent += len(whole)
	trimmed := strings.TrimLeft(d.digits, "0")
	d.exponent -= len(d.digits) - len(trimmed)
	d.digits = strings.TrimRight(trimmed, "0")
	if d.digits == "" {
		d = decimal{}
	}
	return d, true
}

func isInteger(n json.Number) bool {
	d, ok := decimalOf(n)
	return ok && len(d.digits) <= max(d.exponent, 0)
}

func sameNumber(a, b json.Number) bool {
	if a == b {
		return true
	}
	x, ok := decimalOf(a)
	y, too := decimalOf(b)
	return ok && too && x == y
}

// lessNumber compares by value; numbers that can't be taken apart are not less.
func lessNumber(a, b json.Number) bool {
	x, ok := decimalOf(a)
	y, too := decimalOf(b)
	if !ok || !too {
		return false
	}
	switch {
	case x == y:
		return false
	case x.sign() != y.sign():
		return x.sign() < y.sign()
	case x.negative:
		x, y = y, x
	}
	if x.exponent != y.exponent {
		return x.exponent < y.exponent
	}
	return x.digits < y.digits
}

func (d decimal) sign() int {
	switch {
	case d.digits == "":
		return 0
	case d.negative:
		return -1
	}
	return 1
}
