package shell

import (
	"strings"

	"github.com/skyql/skyql/internal/session"
)

// scrub takes secrets out of an input, those that \set is given among them.
func (s *Shell) scrub(input string) string {
	for _, p := range parts(input) {
		if p.command == nil {
			continue
		}
		if name, value := word(p.command.args); p.command.name == "set" && value != "" && session.SecretName(name) {
			input = strings.Replace(input, p.command.args, name+" "+session.Hidden, 1)
		}
	}
	return s.session.Scrub(input)
}
