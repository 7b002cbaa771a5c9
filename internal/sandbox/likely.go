package sandbox

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/skyql/skyql/internal/catalog"
)

// text makes a string: what its name leads one to expect, if the rule admits
// that, else what its pattern asks for.
func (g *generator) text(r *rule, name string) (any, bool) {
	n := r.node
	least, most := 0, 1<<20
	if n.MinLength != nil {
		least = *n.MinLength
	}
	if n.MaxLength != nil {
		most = *n.MaxLength
	}
	fits := func(s string) bool {
		return len(s) >= least && len(s) <= most && (r.pattern == nil || r.pattern.match(s))
	}
	for _, s := range g.natural(name, n.Format) {
		if fits(s) {
			return s, true
		}
	}
	if r.pattern == nil {
		return word(g.rand, min(max(least, 8), most), lower), true
	}
	s, ok := matching(r.pattern, max(least, min(1, most)), most, g.rand)
	if !ok {
		s, ok = matching(r.pattern, least, most, g.rand)
	}
	if fixed, is := g.atHome(s); is && fits(fixed) {
		return fixed, true
	}
	return s, ok
}

// atHome puts an ARN into the generator's partition, region and account.
func (g *generator) atHome(s string) (string, bool) {
	parts := strings.SplitN(s, ":", 6)
	if len(parts) < 6 || parts[0] != "arn" {
		return "", false
	}
	parts[1] = catalog.Partition(g.region)
	if parts[3] != "" {
		parts[3] = g.region
	}
	if parts[4] != "" {
		parts[4] = g.account
	}
	return strings.Join(parts, ":"), true
}

// moment reports whether a property's name says that it holds a time.
func moment(name string) bool {
	for _, s := range []string{"Time", "Date", "At", "Timestamp", "On"} {
		if rest, ok := strings.CutSuffix(name, s); ok && rest != "" && rest[len(rest)-1] >= 'a' {
			return true
		}
	}
	return false
}

// natural gives texts that a property of a name could hold, likeliest first.
func (g *generator) natural(name, format string) []string {
	ends := func(suffixes ...string) bool {
		return slices.ContainsFunc(suffixes, func(s string) bool { return strings.HasSuffix(name, s) })
	}
	switch {
	case format == "date-time" || format == "timestamp" || format == "" && moment(name):
		return []string{g.now.UTC().Format("2006-01-02T15:04:05Z"), g.now.UTC().Format("2006-01-02"), strconv.FormatInt(g.now.Unix(), 10)}
	case ends("Arn", "ARN", "Arns", "ARNs"):
		return g.arns(name)
	case ends("AccountId", "OwnerId", "Owner", "CatalogId"):
		return []string{g.account}
	case name == "Region":
		return []string{g.region}
	case name == "AvailabilityZone":
		return []string{g.region + "a"}
	case ends("Url", "URL", "Uri", "URI"):
		return []string{fmt.Sprintf("https://%s.%s.example.com/%s", g.table.Service, g.region, word(g.rand, 8, letters))}
	case ends("Endpoint", "DNSName", "DnsName", "DomainName", "Hostname"):
		return []string{word(g.rand, 10, letters) + "." + g.region + ".example.com"}
	case ends("Email", "EmailAddress"):
		return []string{"user-" + word(g.rand, 6, letters) + "@example.com"}
	case ends("CidrBlock", "Cidr", "CIDR"):
		return []string{fmt.Sprintf("10.%d.0.0/16", g.rand.IntN(250))}
	case ends("Status", "State"):
		return []string{"ACTIVE"}
	case ends("Id", "ID", "Identifier"):
		return g.ids(name)
	case ends("Name"):
		return []string{strings.ReplaceAll(g.table.Singular, "_", "-") + "-" + word(g.rand, 8, letters), word(g.rand, 12, letters)}
	case ends("Version"):
		return []string{"1", "1.0.0"}
	}
	return nil
}

func (g *generator) ids(name string) []string {
	hex17 := word(g.rand, 17, "0123456789abcdef")
	if p := shapes().Prefixes[name]; p != "" {
		return []string{p + hex17}
	}
	return []string{uuidOf(g.rand), word(g.rand, 20, letters), word(g.rand, 10, letters)}
}

// arns gives the ARN of a role or key where the name asks for one, of the
// resource itself, or of something of its service.
func (g *generator) arns(name string) []string {
	arn := func(service, region, rest string) string {
		return "arn:" + catalog.Partition(g.region) + ":" + service + ":" + region + ":" + g.account + ":" + rest
	}
	stem := strings.TrimRight(strings.TrimSuffix(strings.TrimSuffix(name, "s"), "Arn"), "ARN")
	switch {
	case strings.HasSuffix(stem, "Role"):
		return []string{arn("iam", "", "role/"+word(g.rand, 8, letters))}
	case strings.Contains(stem, "Kms"):
		return []string{arn("kms", g.region, "key/"+uuidOf(g.rand))}
	}
	region := g.region
	if g.table.Global {
		region = ""
	}
	id := g.own
	resource := strings.ReplaceAll(g.table.Singular, "_", "-")
	if stem != "" && !strings.HasSuffix(g.table.Type, "::"+stem) {
		resource, id = strings.ReplaceAll(catalog.Snake(stem), "_", "-"), ""
	}
	if id == "" || strings.HasPrefix(id, "arn:") {
		id = word(g.rand, 12, letters)
	}
	return []string{arn(arnService(g.table), region, resource+"/"+id), arn(arnService(g.table), region, resource+":"+id)}
}

// arnService is a service as ARNs name it: as its permissions do. Those of a
// handler speak of other services too, so one with a like name comes first.
func arnService(t *catalog.Table) string {
	if t.Create == nil {
		return t.Service
	}
	other := ""
	for _, p := range t.Create.Permissions {
		service, action, _ := strings.Cut(p, ":")
		plain := strings.ReplaceAll(service, "-", "")
		switch {
		case strings.HasPrefix(t.Service, plain) || strings.HasPrefix(plain, t.Service):
			return service
		case other == "" && verb.MatchString(action) && !slices.Contains(auxiliary, service):
			other = service
		}
	}
	return firstText(other, t.Service)
}

// auxiliary services are those that many handlers call beside their own.
var auxiliary = []string{"iam", "kms", "ec2", "s3", "secretsmanager", "logs", "events", "sts", "lambda", "cloudwatch", "tag"}

var verb = regexp.MustCompile(`^(Create|Put|Register|Add|Start|Associate|Run|Import|Publish)`)
