package fetch

import (
	"strings"

	"github.com/skyql/skyql/internal/cloudcontrol"
)

// Known calls use with every resource of a type that is kept from earlier runs,
// whatever its age, until use returns false. One that was both listed and read
// comes twice. It makes no call.
func (f *Fetcher) Known(typ string, use func(account, region string, d cloudcontrol.Document) bool) {
	f.cache.mu.Lock()
	found := map[string]*entry{}
	for key, e := range f.cache.entries {
		if parts := strings.SplitN(key, "|", 3); len(parts) == 3 && parts[1] == typ {
			found[parts[2]] = e
		}
	}
	f.cache.mu.Unlock()
	for rest, e := range found {
		account, rest, _ := strings.Cut(rest, "|")
		region, _, _ := strings.Cut(rest, "|")
		e.mu.Lock()
		pages := e.pages
		e.mu.Unlock()
		for _, p := range pages {
			for _, d := range p {
				if !use(account, region, d) {
					return
				}
			}
		}
	}
}
