package session

import (
	"fmt"
	"strings"
)

// A relation is two tables of which one refers to the other.
type relation struct {
	owner, key string // whose key it is
	user, ref  string // who refers to it
	domain     string
	id         string // a column of the user's that tells its rows apart
	none       string // one that is NULL here and there
}

var relations = []relation{
	{"aws.ec2.vpcs", "vpc_id", "aws.ec2.subnets", "vpc_id", "vpc", "subnet_id", "availability_zone"},
	{"aws.connect.routing_profiles", "routing_profile_arn", "aws.connect.users", "routing_profile_arn", "profile", "user_arn", "username"},
	{"aws.connect.instances", "arn", "aws.connect.routing_profiles", "instance_arn", "instance", "routing_profile_arn", "description"},
	{"aws.iam.roles", "role_name", "aws.sqs.queues", "kms_master_key_id", "role", "queue_url", "kms_master_key_id"},
	{"aws.eks.clusters", "name", "aws.eks.nodegroups", "cluster_name", "name", "nodegroup_name", "nodegroup_name"},
}

// related is a statement about things and what refers to them, as people ask it:
// which have none, how many each has, what came before.
func (g *gen) related() string {
	r := relations[g.pick(len(relations))]
	v := func() string { return g.value(r.domain) }
	some := func() string {
		return choose(g, "", " AND u."+r.id+" LIKE '%0'", " AND u.region = "+g.value("region"), " AND u."+r.none+" IS NOT NULL", " AND o.region = "+g.value("region"))
	}
	owner, user, equal := r.owner+" o", r.user+" u", "u."+r.ref+" = o."+r.key
	show := "SELECT o." + r.key + ", o.region FROM " + owner
	switch g.pick(14) {
	case 0:
		return show + " WHERE " + choose(g, "EXISTS", "NOT EXISTS") + " (SELECT " + choose(g, "1", "*", "u."+r.ref) + " FROM " + user + " WHERE " + equal + some() + ")"
	case 1:
		return show + " WHERE o." + r.key + choose(g, " IN ", " NOT IN ") + "(SELECT u." + r.ref + " FROM " + user + " WHERE u." + choose(g, r.ref, r.none) + " IS NOT NULL" + some() + ")"
	case 2:
		return show + " WHERE " + choose(g, "EXISTS", "NOT EXISTS") + " (SELECT " + choose(g, "count(*)", "max(u."+r.id+")") + " FROM " + user + " WHERE " + equal + some() + ")"
	case 3, 4:
		return g.matched(r, owner, user, equal+some())
	case 5:
		return "SELECT o." + r.key + ", count(u." + r.id + ") FROM " + owner + choose(g, " LEFT JOIN ", " JOIN ") + user + " ON " + equal + some() + " GROUP BY o." + r.key + choose(g, "", " HAVING count(*) > 1", " HAVING o."+r.key+" = "+v())
	case 6:
		counted := "(SELECT u." + r.ref + " AS k, count(*) AS n FROM " + user + choose(g, "", " WHERE u."+r.none+" IS NULL") + " GROUP BY " + choose(g, "u."+r.ref, "1", "ROLLUP (u."+r.ref+")", "u."+r.ref+", u.region") + ") x"
		return "SELECT x.* FROM " + counted + choose(g, " WHERE x.k = "+v(), " WHERE x.k IN ("+v()+", "+v()+")", " JOIN "+owner+" ON o."+r.key+" = x.k")
	case 7:
		part := func() string {
			return "SELECT u." + r.ref + " AS k FROM " + user + choose(g, "", " WHERE u.region = "+g.value("region"), " WHERE u."+r.id+" LIKE '%1'", " WHERE u."+r.none+" IS NULL")
		}
		return "SELECT x.k, o.region FROM (" + part() + choose(g, " UNION ALL ", " UNION ", " EXCEPT ", " INTERSECT ", " UNION ALL BY NAME ") + part() + ") x JOIN " + owner + " ON o." + r.key + " = x.k"
	case 8:
		return g.before()
	case 9:
		return "SELECT " + r.id + " FROM " + r.user + " WHERE " + r.none + choose(g, " IS NOT DISTINCT FROM NULL", " IS NULL", " IS DISTINCT FROM NULL") + choose(g, "", " AND region = "+g.value("region"))
	case 10:
		return fmt.Sprintf("WITH RECURSIVE r(k, n) AS (SELECT %s, 0 FROM %s UNION SELECT o.%s, n + 1 FROM r JOIN %s ON o.%s > r.k WHERE n < 2) SELECT * FROM r%s", r.key, r.owner, r.key, owner, r.key,
			choose(g, " WHERE r.k = "+v(), " WHERE r.k = "+v()+" AND r.n = 1", " WHERE r.k IN ("+v()+", "+v()+")"))
	case 11:
		by := "u.account_id, u.region, u." + r.id + ", u.identifier"
		show := " u." + r.ref + " AS k, u." + r.id + " AS id, u.region AS region"
		number := "row_number() OVER (PARTITION BY u." + choose(g, r.ref, "account_id", "region") + " ORDER BY " + by + ")"
		first := choose(g, "SELECT DISTINCT ON (u."+r.ref+")"+show+", 1 AS n FROM "+user+" ORDER BY u."+r.ref+", "+by, "SELECT"+show+", "+number+" AS n FROM "+user, "SELECT"+show+", 1 AS n FROM "+user+" QUALIFY "+number+" = 1")
		return "SELECT * FROM (" + first + ") x WHERE x." + choose(g, "k = "+v(), "region = "+g.value("region")) + choose(g, "", " AND x.n = 1")
	case 12: // names that change places
		a, b := r.ref, r.id
		if a == r.none {
			a = "queue_name"
		}
		return "SELECT " + a + " AS " + b + ", " + b + " AS " + a + ", count(*) FROM " + r.user + " GROUP BY " + choose(g, a+", "+b, "1, 2", "ALL", b+", "+a) + " HAVING " + a + " = " + v()
	}
	return g.local(r, show)
}

// matched asks for the rows of a join that keeps what has no match.
func (g *gen) matched(r relation, owner, user, on string) string {
	what := g.value(r.domain)
	where := choose(g, "u."+r.id+" IS NULL", "u."+r.id+" IS NOT NULL", "u."+r.none+" IS NULL", "coalesce(u."+r.id+", '-') = '-'", "u."+r.ref+" IS DISTINCT FROM "+what, "(u."+r.ref+" = "+what+" OR u."+r.id+" IS NULL)", "u."+r.ref+" = "+what, "o."+r.key+" = "+what, "o."+r.key+" IS NULL")
	join := choose(g, owner+" LEFT JOIN "+user, user+" RIGHT JOIN "+owner, owner+" FULL JOIN "+user, owner+" RIGHT JOIN "+user, user+" LEFT JOIN "+owner)
	return "SELECT o." + r.key + ", u." + r.id + " FROM " + join + " ON " + on + " WHERE " + where
}

// ordered are columns that no two rows of a table share, so that one row alone
// comes before each: an ARN begins with that of what it belongs to.
var ordered = []worldTable{
	{"aws.ec2.vpcs", []worldColumn{{"vpc_id", "vpc"}}}, {"aws.ec2.subnets", []worldColumn{{"subnet_id", "subnet"}}},
	{"aws.sqs.queues", []worldColumn{{"queue_url", "url"}}}, {"aws.connect.users", []worldColumn{{"user_arn", "user"}}},
	{"aws.connect.routing_profiles", []worldColumn{{"routing_profile_arn", "profile"}}}, {"aws.connect.instances", []worldColumn{{"arn", "instance"}}},
}

// before joins each row of a table with the one of a table that comes before it.
func (g *gen) before() string {
	t, u := ordered[g.pick(len(ordered))], ordered[g.pick(len(ordered))]
	a, b := t.columns[0], u.columns[0]
	same := choose(g, "", "a.account_id = b.account_id AND ", "a.region = b.region AND ")
	where := choose(g, "b."+b.name+" = "+g.value(b.domain), "b.region = "+g.value("region"), "b.account_id = "+g.value("account"), "a."+a.name+" = "+g.value(a.domain), "b."+b.name+" IN ("+g.value(b.domain)+", "+g.value(b.domain)+")")
	return "SELECT a." + a.name + ", b." + b.name + " FROM " + t.name + " a ASOF " + choose(g, "", "LEFT ") + "JOIN " + u.name + " b ON " + same + "a." + a.name + choose(g, " > ", " >= ") + "b." + b.name + " WHERE " + where
}

// local looks keys up among values of no table of the cloud, some of which are
// none of any resource.
func (g *gen) local(r relation, show string) string {
	v := func() string { return g.value(r.domain) }
	odd := choose(g, "''", "'{}'", "'a|b|c'", "E'a\\nb'", "'"+strings.Repeat("x", 1025)+"'", "NULL")
	values := "(VALUES (" + v() + ", 1), (" + odd + ", 2), (" + v() + ", 3)) t(k, n)"
	limit := choose(g, "", " ORDER BY k LIMIT 2", " ORDER BY ALL DESC LIMIT 1", " ORDER BY n, k LIMIT 2")
	return choose(g, show+" JOIN "+values+" ON t.k = o."+r.key, show+" WHERE o."+r.key+" IN (SELECT k FROM "+values+limit+")", show+" WHERE o.identifier IN (SELECT k FROM "+values+limit+")",
		show+" WHERE o."+r.key+" IN (SELECT k FROM l WHERE n IS NOT NULL LIMIT 4)", show+" WHERE o."+r.key+" = (SELECT max(k) FROM "+values+")", show+" WHERE o."+r.key+" = ANY(SELECT any_value(k) FROM "+values+" GROUP BY n)")
}
