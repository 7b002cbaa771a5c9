package catalog

import (
	"regexp"
	"strings"
)

var (
	pluralAcronym = regexp.MustCompile(`([A-Z]{2,})s([A-Z]|$)`)
	wordStart     = regexp.MustCompile(`(.)([A-Z][a-z])`)
	wordEnd       = regexp.MustCompile(`([a-z0-9])([A-Z])`)
)

// Snake gives a property or resource name in snake case: split before an
// upper-case letter followed by a lower-case one, and between lower case or
// digit and upper case. OAuth is one word, and a plural acronym keeps its s
// (TargetGroupARNs gives target_group_arns).
func Snake(name string) string {
	name = strings.ReplaceAll(name, "OAuth", "Oauth")
	name = pluralAcronym.ReplaceAllStringFunc(name, func(m string) string {
		i := strings.LastIndexByte(m, 's')
		return m[:1] + strings.ToLower(m[1:i]) + m[i:]
	})
	name = wordStart.ReplaceAllString(name, "${1}_${2}")
	return strings.ToLower(wordEnd.ReplaceAllString(name, "${1}_${2}"))
}

// Plural gives the plural of a snake-case name, of its last word.
func Plural(name string) string {
	i := strings.LastIndexByte(name, '_') + 1
	head, word := name[:i], name[i:]
	ends := func(suffixes ...string) bool {
		for _, s := range suffixes {
			if strings.HasSuffix(word, s) {
				return true
			}
		}
		return false
	}
	switch {
	case word == "index":
		return head + "indices"
	case word == "analysis":
		return head + "analyses"
	case word == "metadata":
		return name
	case ends("s") && !ends("ss", "us", "as", "is"):
		return name
	case ends("y") && len(word) > 1 && !strings.ContainsRune("aeiou", rune(word[len(word)-2])):
		return name[:len(name)-1] + "ies"
	case ends("s", "x", "ch", "sh"):
		return name + "es"
	}
	return name + "s"
}

// leading are the columns that every table starts with; a property that would
// have one of these names is put behind "resource_".
var leading = map[string]bool{"account_id": true, "region": true, "identifier": true}

func columnName(property string) string {
	s := Snake(property)
	if leading[s] || leading[strings.ToLower(property)] || strings.EqualFold(property, "accountid") {
		return "resource_" + s
	}
	return s
}
