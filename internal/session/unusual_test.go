package session

import (
	"fmt"
	"strings"
)

// A family is tables that share the name of a column, as USING needs it.
type family struct {
	key, domain string
	owner, user string // whose key it is, and who refers to it
	other       string // a column of the user's own
}

var families = []family{
	{"vpc_id", "vpc", "aws.ec2.vpcs", "aws.ec2.subnets", "subnet_id"},
	{"routing_profile_arn", "profile", "aws.connect.routing_profiles", "aws.connect.users", "username"},
	{"instance_arn", "instance", "aws.connect.routing_profiles", "aws.connect.users", "username"},
}

// unusual is a statement of a kind that people write seldom: names without
// their table, columns that USING made, stars, names that stand for two things.
func (g *gen) unusual() string {
	f := families[g.pick(len(families))]
	v := func() string { return g.value(f.domain) }
	half := fmt.Sprintf("(SELECT %s FROM %s WHERE %s LIKE '%%%d')", f.key, f.user, f.other, g.pick(2))
	some := "(SELECT DISTINCT " + f.key + " FROM " + f.user + ")"
	switch g.pick(13) {
	case 11: // two columns that are equal to one of the other side
		on := " ON t.cluster_name = q.queue_name AND t.nodegroup_name = q.queue_name WHERE t." + choose(g, "nodegroup_name", "cluster_name") + " = " + g.value("name") + choose(g, "", " AND q.region = "+g.value("region"))
		return "SELECT t.identifier, q.queue_name FROM " + choose(g, "aws.eks.nodegroups t LEFT JOIN aws.sqs.queues q", "aws.eks.nodegroups t FULL JOIN aws.sqs.queues q", "aws.sqs.queues q RIGHT JOIN aws.eks.nodegroups t") + on
	case 0, 1, 2:
		return g.merged(f, half, some)
	case 3: // a CTE with the name of a local table, or one that is used twice
		with := choose(g, "WITH l AS (SELECT "+f.key+" AS k, region AS r FROM "+f.user+") ", "WITH l(k, r) AS (VALUES ("+v()+", NULL), (NULL, "+g.value("region")+")) ",
			"WITH RECURSIVE l(k, r) AS (SELECT "+v()+", "+g.value("region")+" UNION SELECT "+v()+", r FROM l) ")
		return with + choose(g, "SELECT "+f.key+" FROM "+f.owner+" v WHERE v."+f.key+" IN (SELECT k FROM l)", "SELECT v."+f.key+" FROM "+f.owner+" v JOIN l a ON v."+f.key+" = a.k JOIN l b ON v.region = b.r",
			"SELECT v."+f.key+" FROM "+f.owner+" v WHERE v."+f.key+" = (SELECT max(k) FROM l)", "SELECT "+f.key+" FROM "+f.owner+" v JOIN (SELECT k FROM l) x ON v."+f.key+" = x.k",
			"SELECT v."+f.key+" FROM "+f.owner+" v WHERE EXISTS (SELECT 1 FROM l WHERE k = v."+f.key+") AND EXISTS (SELECT 1 FROM l WHERE r = v.region)")
	case 4: // what makes a row of none
		end := choose(g, " GROUP BY ()", " GROUP BY GROUPING SETS (())", " ORDER BY count(*)", " QUALIFY row_number() OVER () > 0", "", " HAVING true", " GROUP BY s."+f.key, " LIMIT 1")
		return "SELECT v." + f.key + " FROM " + f.owner + " v WHERE " + choose(g, "", "NOT ") + "EXISTS (SELECT 1 FROM " + f.user + " s WHERE s." + f.key + " = v." + f.key + choose(g, "", " AND s."+f.other+" LIKE '%0'") + end + ")"
	case 5: // names that are an alias, or a column further out
		return "SELECT r.role_name, (SELECT count(*) FROM (SELECT s." + f.key + " AS role_name FROM " + f.user + " s WHERE " +
			choose(g, "EXISTS (SELECT 1 FROM "+f.owner+" v WHERE v."+f.key+" = role_name)", "role_name = "+v(), "s."+f.key+" IN (SELECT "+f.key+" FROM "+f.owner+" WHERE role_name = "+v()+")") + ")) FROM aws.iam.roles r"
	case 6: // stars that show less, more, or under other names
		star := choose(g, "*", "* EXCLUDE (account_id)", "* REPLACE (region AS "+f.key+")", "* RENAME (region AS zone)", "COLUMNS('"+f.key+"|region')", "unnest({'"+f.key+"': region}), "+f.key, f.key+", COLUMNS('region')")
		return "SELECT * FROM (SELECT " + star + " FROM " + f.owner + ") x WHERE x." + f.key + " = " + choose(g, v(), g.value("region"))
	case 7: // names by place
		return "SELECT x.* FROM (SELECT " + choose(g, "region, "+f.key, f.key+", region", "*") + " FROM " + choose(g, f.owner, f.user, f.owner+" JOIN "+some+" d USING ("+f.key+")") + ") x(a, b) WHERE x." + choose(g, "a", "b") + " = " + choose(g, v(), g.value("region"), g.value("account"))
	case 8: // beside one another
		join, on := choose(g, " JOIN LATERAL ", " LEFT JOIN LATERAL ", ", LATERAL "), " ON true"
		if strings.HasPrefix(join, ",") {
			on = ""
		}
		return "SELECT v." + f.key + ", n FROM " + f.owner + " v" + join + "(SELECT " + choose(g, "count(*) AS n", "s."+f.other+" AS n") + " FROM " + f.user + " s WHERE s." + f.key + " = v." + f.key +
			choose(g, "", " AND v.region = "+g.value("region"), " ORDER BY ALL LIMIT 1") + ") x" + on + choose(g, "", " WHERE v."+f.key+" = "+v(), " WHERE v.region = "+g.value("region"))
	case 9: // filters that can't be computed for every row
		return "SELECT " + f.other + " FROM " + f.user + " WHERE region = " + g.value("region") + " AND try_cast(right(" + f.other + ", 1) AS INT) >= " + fmt.Sprint(g.pick(2)) + choose(g, "", " AND "+f.other+" <> 'alpha'") +
			" ORDER BY account_id, identifier LIMIT " + fmt.Sprint(1+g.pick(3))
	case 10:
		by := choose(g, "account_id", f.key)
		return "FROM (PIVOT (SELECT account_id, region, " + f.key + " FROM " + f.owner + choose(g, "", " WHERE "+f.key+" = "+v()) + ") ON region IN ('us-east-1'" + choose(g, "", " AS "+f.key) + ") USING " + choose(g, "max(region)", "count(*)") + " GROUP BY " +
			by + ") x" + choose(g, "", " WHERE x."+by+" = "+g.value(map[string]string{"account_id": "account", f.key: f.domain}[by]))
	}
	null := choose(g, "NULL", "NULL::VARCHAR", "NULL::BIGINT", "nullif('a', 'a')")
	return "SELECT " + f.key + " FROM " + f.owner + " WHERE " + choose(g, "account_id IN ('0111122223333', "+g.value("account")+", "+null+")", f.key+" IN ("+v()+", "+null+")", f.key+" = "+null, f.key+" IS NOT DISTINCT FROM "+null)
}

// merged joins by names that both sides have, in more than one way.
func (g *gen) merged(f family, half, some string) string {
	leaf := func(alias string) string {
		return choose(g, f.owner+" "+alias, f.user+" "+alias, half+" "+alias, some+" "+alias, "(SELECT "+f.key+", region FROM "+f.owner+") "+alias, "(VALUES ("+g.value(f.domain)+"), ("+g.value(f.domain)+")) "+alias+"("+f.key+")")
	}
	using := func() string { return " USING (" + f.key + ")" }
	kind := func() string {
		return choose(g, " JOIN ", " LEFT JOIN ", " RIGHT JOIN ", " FULL JOIN ", " SEMI JOIN ", " ANTI JOIN ")
	}
	var from string
	switch g.pick(4) {
	case 0:
		from = leaf("a") + kind() + leaf("b") + using()
	case 1:
		from = leaf("a") + kind() + leaf("b") + using() + kind() + leaf("c") + using()
	case 2:
		from = leaf("a") + kind() + "(" + leaf("b") + kind() + leaf("c") + using() + ")" + using()
	default:
		from = half + " a NATURAL" + choose(g, " JOIN ", " LEFT JOIN ", " RIGHT JOIN ", " FULL JOIN ") + some + " b" + choose(g, "", kind()+leaf("c")+using())
	}
	where := choose(g, "", " WHERE "+f.key+" = "+g.value(f.domain), " WHERE a."+f.key+" = "+g.value(f.domain), " WHERE "+f.key+" IS NULL", " WHERE "+f.key+" IN (SELECT "+f.key+" FROM "+f.owner+" WHERE region = "+g.value("region")+")")
	text := "SELECT " + choose(g, f.key, "count(*)", "*", "a.*", "DISTINCT "+f.key) + " FROM " + from + where
	if g.once(3) && !strings.Contains(text, "count(*)") {
		return "SELECT o." + f.key + ", o.region FROM " + f.owner + " o" + choose(g, " JOIN ", " LEFT JOIN ", " SEMI JOIN ", " ANTI JOIN ") + "(" + text + ") x ON o." + f.key + " = x." + f.key
	}
	return text
}
