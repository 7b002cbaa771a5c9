package plan_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/skyql/skyql/internal/catalog"
	"github.com/skyql/skyql/internal/engine"
	"github.com/skyql/skyql/internal/plan"
	"github.com/skyql/skyql/internal/sqlerr"
	"github.com/skyql/skyql/internal/syntax"
)

// planned plans a query as the session would. The tables c (k, r) and d (k)
// and the view v are local.
func planned(t *testing.T, db *engine.DB, query string) (*plan.Plan, error) {
	t.Helper()
	return plannedInside(t, db, query, nil)
}

// plannedInside does it with settings that cover some accounts and regions.
func plannedInside(t *testing.T, db *engine.DB, query string, inside func(accounts, regions plan.Set) bool) (*plan.Plan, error) {
	t.Helper()
	parse := func(text string) (*syntax.Query, error) {
		tree, err := db.Parse(t.Context(), text)
		if err != nil {
			return nil, err
		}
		return syntax.Decode(tree)
	}
	st := syntax.Split(query)[0]
	q, err := parse(st.Reading)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return plan.Make(q, st.Text, &plan.Env{
		Inside:  inside,
		Catalog: catalog.Embedded(),
		Parse:   parse,
		Local: func(cat, schema, name string) (plan.Local, bool) {
			l, ok := map[string]plan.Local{
				"c": {Columns: []string{"k", "r"}}, "d": {Columns: []string{"k"}},
				"v": {Columns: []string{"url", "where_"}, View: "SELECT queue_url, region FROM aws.sqs.queues"},
			}[name]
			return l, ok && schema == ""
		},
		Macro: func(name string) (plan.Macro, bool) {
			m, ok := map[string]plan.Macro{
				"pick": {Params: []string{"region"}, Body: "SELECT queue_url FROM aws.sqs.queues WHERE region = region AND account_id = '111122223333'"},
			}[name]
			return m, ok
		},
		Text: func(tree []byte) (string, error) {
			text, err := db.Deserialize(t.Context(), tree)
			return strings.TrimSuffix(text, ";"), err
		},
		Ordered: func() bool { return true },
		Scalar:  func(functions []string) bool { return db.Scalar(t.Context(), functions) },
		Pure:    func(functions []string) bool { return db.Pure(t.Context(), functions) },
		Columns: func(query string) (out []plan.Column, ok bool) {
			if db.Collates(t.Context(), query) {
				return nil, false
			}
			cols, err := db.Describe(t.Context(), query, nil)
			for _, c := range cols {
				out = append(out, plan.Column{Name: c.Name, Type: c.Type})
			}
			return out, err == nil
		},
		Values: func(query string) ([][]string, bool) {
			rows, ok, err := db.Texts(t.Context(), query, nil, 1000)
			return rows, ok && err == nil
		},
		Param: func(name string) (string, bool) { return map[string]string{"r": "r1"}[name], name == "r" },
		Fold: func(e *syntax.Expr) (string, bool, bool) {
			text, err := db.Deserialize(t.Context(), e.AsSelect())
			if err != nil {
				return "", false, false
			}
			return db.Fold(t.Context(), strings.TrimSuffix(text, ";"), functions(e))
		},
		Header: func(e *syntax.Expr) (string, error) {
			text, err := db.Deserialize(t.Context(), e.AsSelect())
			return strings.TrimSuffix(strings.TrimPrefix(text, "SELECT "), ";"), err
		},
	})
}

func functions(e *syntax.Expr) []string {
	var out []string
	e.Walk(func(x *syntax.Expr) bool {
		if x.Func != "" {
			out = append(out, x.Func)
		}
		return true
	})
	return out
}

func open(t *testing.T) *engine.DB {
	t.Helper()
	db, err := engine.Open(t.Context(), engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// boxes shows what a plan fetches: tables without the service, and their boxes.
func boxes(p *plan.Plan) string {
	var out []string
	for _, s := range p.Scans {
		var bs []string
		for _, b := range s.Boxes {
			bs = append(bs, b.String())
		}
		for _, b := range s.Bindings {
			var cols []string
			for i, c := range b.Columns {
				cols = append(cols, s.Table.Columns[c].Name+"<-"+b.From.Table.Plural+"."+b.From.Table.Columns[b.Source[i]].Name)
			}
			bs = append(bs, strings.Join(cols, ","))
		}
		if bs == nil {
			bs = []string{"nothing"}
		}
		out = append(out, s.Table.Plural+" "+strings.Join(bs, " + "))
	}
	return strings.Join(out, "; ")
}

// What each kind of predicate, in each kind of place, narrows. q stands for
// aws.sqs.queues, s for aws.ec2.subnets, n for aws.eks.nodegroups, u for
// aws.connect.users, e for aws.ecs.services.
func TestKeys(t *testing.T) {
	t.Parallel()
	db := open(t)
	names := strings.NewReplacer("{q}", "aws.sqs.queues", "{s}", "aws.ec2.subnets", "{n}", "aws.eks.nodegroups", "{u}", "aws.connect.users", "{e}", "aws.ecs.services", "{v}", "aws.ec2.vpcs")
	check := func(query, want string) {
		t.Helper()
		p, err := planned(t, db, names.Replace(query))
		got := ""
		if err != nil {
			got = "error: " + err.Error()
		} else {
			got = boxes(p)
		}
		if got != want {
			t.Errorf("%s\n got %s\nwant %s", query, got, want)
		}
	}
	// where a key may come from
	check("FROM {q}", "queues everything")
	check("FROM {q} WHERE region = 'a'", "queues region=a")
	check("FROM {q} WHERE 'a' = region", "queues region=a")
	check("FROM {q} WHERE region IN ('b', 'a', NULL)", "queues region=a,b")
	check("FROM {q} WHERE region = ANY(['a', 'b'])", "queues region=a,b")
	check("FROM {q} WHERE region = 'a' OR region = 'b'", "queues region=a,b")
	check("FROM {q} WHERE region IS NOT DISTINCT FROM 'a'", "queues region=a")
	check("FROM {q} WHERE region IS NOT DISTINCT FROM NULL", "queues everything")
	check("FROM {q} WHERE region = $r", "queues region=r1")
	check("FROM {q} WHERE region = $other", "queues everything")
	check("FROM {q} WHERE region = lower('A')", "queues region=a")
	check("FROM {q} WHERE region = 'a' || 'b'", "queues region=ab")
	check("FROM {q} WHERE region = strftime(now(), '%Y')", "queues everything")
	check("FROM {q} WHERE region = 'a' AND fifo_queue", "queues region=a")
	check("FROM {q} WHERE region = 'a' OR fifo_queue", "queues everything")
	check("FROM {q} WHERE (region = 'a' AND fifo_queue) OR (region = 'b' AND delay_seconds = 1)", "queues region=a,b")
	check("FROM {q} WHERE NOT (region = 'a')", "queues everything")
	check("FROM {q} WHERE region <> 'a'", "queues everything")
	check("FROM {q} WHERE region LIKE 'a%'", "queues everything")
	check("FROM {q} WHERE region > 'a'", "queues everything")
	check("FROM {q} WHERE region IS NULL", "queues everything")
	check("FROM {q} WHERE region = 'a' AND region = 'b'", "queues nothing")
	check("FROM {q} WHERE region IN ('a', 'b') AND region IN ('b', 'c')", "queues region=b")
	check("FROM {q} WHERE region = NULL", "queues nothing")
	check("FROM {q} WHERE false", "queues nothing")
	check("FROM {q} WHERE lower(region) = 'a'", "queues everything")
	check("FROM {q} WHERE region || '' = 'a'", "queues everything")
	check("FROM {q} WHERE region COLLATE NOCASE = 'a'", "queues everything")
	check("FROM {q} WHERE region NOT IN ('a')", "queues everything")
	check("FROM {q} WHERE account_id = 111122223333", "queues everything")
	check("FROM {q} WHERE account_id = '111122223333'", "queues account=111122223333")
	check("FROM {q} WHERE CASE WHEN fifo_queue THEN region = 'a' END", "queues everything")
	check("FROM {q} WHERE (region = 'a') IS NULL", "queues everything")
	// identifiers, composite ones, list parents
	check("FROM {q} WHERE identifier = 'x'", "queues id=x")
	check("FROM {q} WHERE data__Identifier = 'x'", "queues id=x")
	check("FROM {q} WHERE QueueUrl IN ('x', 'y')", "queues id=x,y")
	check("FROM {q} WHERE queue_name = 'x'", "queues everything")
	check("FROM {e} WHERE service_arn IN ('a', 'b') AND cluster IN ('x', 'y')", "services id=a|x,a|y,b|x,b|y /Cluster=x,y")
	check("FROM {e} WHERE service_arn = 'a'", "services everything")
	check("FROM {e} WHERE service_arn = 'a|b' AND cluster = 'c'", `services id={"Cluster":"c","ServiceArn":"a|b"} /Cluster=c`)
	check("FROM {n} WHERE cluster_name = 'c'", "nodegroups /ClusterName=c")
	check("FROM {u} WHERE instance_arn IN ('a', 'b')", "users /InstanceArn=a,b")
	// places
	check("FROM {v} v JOIN {s} s ON s.vpc_id = v.vpc_id WHERE v.region = 'a'", "vpcs vpc_id<-subnets.vpc_id; subnets everything")
	check("FROM {v} v JOIN {s} s USING (region) WHERE v.region = 'a'", "vpcs region=a; subnets region=a")
	check("FROM {v} v JOIN {s} s USING (region) WHERE region = 'a'", "vpcs region=a; subnets region=a")
	check("FROM {v} v, {s} s WHERE s.region = v.region AND s.region = 'a'", "vpcs region=a; subnets region=a")
	check("FROM {v} v JOIN {s} s ON s.region = 'a'", "vpcs everything; subnets region=a")
	check("FROM {v} v LEFT JOIN {s} s ON v.region = 'a' AND s.region = 'b'", "vpcs everything; subnets region=b")
	check("FROM {v} v LEFT JOIN {s} s ON s.region = v.region AND v.region = 'a'", "vpcs everything; subnets region=a")
	check("FROM {v} v LEFT JOIN {s} s USING (region) WHERE region = 'a'", "vpcs region=a; subnets region=a")
	check("FROM {v} v LEFT JOIN {s} s ON s.vpc_id = v.vpc_id WHERE s.region = 'a'", "vpcs everything; subnets region=a")
	check("FROM {v} v LEFT JOIN {s} s ON s.vpc_id = v.vpc_id WHERE s.region IS NULL", "vpcs everything; subnets everything")
	// What a side is filled in with has no way back: a row without a match stays.
	check("FROM {v} v LEFT JOIN {s} s ON v.region = s.region AND v.account_id = s.region WHERE v.account_id = 'a'", "vpcs account=a; subnets region=a")
	check("FROM {v} v LEFT JOIN {s} s ON v.region = s.region AND v.account_id = s.region WHERE v.account_id = 'a' AND s.vpc_id = 'x'", "vpcs account=a region=a; subnets region=a")
	check("FROM {v} v LEFT JOIN {s} s ON v.region = v.account_id WHERE v.account_id = 'a'", "vpcs account=a; subnets everything")
	check("FROM {s} s RIGHT JOIN {v} v ON v.region = s.region AND v.account_id = s.region WHERE v.account_id = 'a'", "subnets region=a; vpcs account=a")
	check("FROM {v} v FULL JOIN {s} s ON v.region = s.region AND v.account_id = s.region WHERE v.account_id = 'a'", "vpcs account=a; subnets region=a")
	check("FROM {v} v FULL JOIN {s} s ON v.region = s.region AND v.region = s.account_id WHERE s.account_id = 'a'", "vpcs region=a; subnets account=a")
	check("FROM {v} v FULL JOIN {s} s ON v.region = s.region AND v.account_id = s.region WHERE v.account_id = 'a' AND s.vpc_id = 'x'", "vpcs account=a region=a; subnets region=a")
	check("FROM {v} v RIGHT JOIN {s} s ON v.region = 'a' AND s.region = 'b'", "vpcs region=a; subnets everything")
	check("FROM {v} v FULL JOIN {s} s ON v.region = 'a' AND s.region = 'b'", "vpcs everything; subnets everything")
	check("FROM {v} v FULL JOIN {s} s USING (region) WHERE region = 'a'", "vpcs region=a; subnets region=a")
	check("FROM {v} v FULL JOIN {s} s ON true WHERE v.region = 'a'", "vpcs region=a; subnets everything")
	check("FROM {v} v SEMI JOIN {s} s ON v.region = 'a' AND s.region = 'b'", "vpcs region=a; subnets region=b")
	check("FROM {v} v ANTI JOIN {s} s ON v.region = 'a' AND s.region = 'b'", "vpcs everything; subnets region=b")
	check("FROM {v} v ANTI JOIN {s} s ON v.region = s.region WHERE v.region = 'a'", "vpcs region=a; subnets region=a")
	check("FROM {v} v ASOF JOIN {s} s ON v.region = s.region AND v.vpc_id >= s.vpc_id WHERE s.region = 'a' AND v.region = 'b'", "vpcs region=b; subnets region=b")
	check("FROM {v} v ASOF JOIN {s} s ON v.vpc_id >= s.vpc_id WHERE s.region = 'a'", "vpcs everything; subnets everything")
	check("FROM {v} v POSITIONAL JOIN {s} s WHERE v.region = 'a'", "vpcs everything; subnets everything")
	check("FROM {v} TABLESAMPLE 10% WHERE region = 'a'", "vpcs everything")
	check("FROM {v} WHERE region = 'a' USING SAMPLE 10", "vpcs everything")
	check("SELECT * FROM (FROM {q}) WHERE region = 'a'", "queues region=a")
	check("SELECT * FROM (SELECT region AS r FROM {q}) WHERE r = 'a'", "queues region=a")
	check("SELECT * FROM (SELECT upper(region) AS region FROM {q}) WHERE region = 'a'", "queues everything")
	check("SELECT * FROM (SELECT region, count(*) FROM {q} GROUP BY region) WHERE region = 'a'", "queues region=a")
	check("SELECT * FROM (SELECT region, count(*) FROM {q} GROUP BY 1) WHERE region = 'a'", "queues region=a")
	check("SELECT * FROM (SELECT region, count(*) FROM {q} GROUP BY ALL) WHERE region = 'a'", "queues region=a")
	check("SELECT * FROM (SELECT region, account_id FROM {q} GROUP BY ROLLUP (region, account_id)) WHERE region = 'a'", "queues everything")
	check("SELECT * FROM (FROM {q} LIMIT 5) WHERE region = 'a'", "queues everything")
	check("SELECT * FROM (FROM {q} WHERE region = 'b' LIMIT 5) WHERE region = 'a'", "queues region=b")
	check("SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY region) n FROM {q}) WHERE region = 'a'", "queues region=a")
	check("SELECT * FROM (SELECT *, row_number() OVER () n FROM {q}) WHERE region = 'a'", "queues everything")
	check("SELECT * FROM (FROM {q} QUALIFY row_number() OVER (PARTITION BY account_id) = 1) WHERE region = 'a' AND account_id = 'b'", "queues account=b")
	check("SELECT * FROM (SELECT DISTINCT ON (region) * FROM {q}) WHERE region = 'a' AND account_id = 'b'", "queues region=a")
	check("SELECT * FROM (SELECT DISTINCT region FROM {q}) WHERE region = 'a'", "queues region=a")
	check("SELECT region, count(*) FROM {q} GROUP BY region HAVING region = 'a'", "queues region=a")
	check("SELECT max(region) FROM {q} HAVING max(region) = 'a'", "queues everything")
	check("SELECT region AS r FROM {q} WHERE r = 'a'", "queues region=a")
	check("SELECT region AS account_id FROM {q} WHERE account_id = 'a'", "queues account=a")
	check("SELECT upper(region) AS r FROM {q} WHERE r = 'a'", "queues everything")
	check("SELECT region AS r, account_id AS r FROM {q} WHERE r = 'a'", "queues everything")
	check("SELECT region AS r, count(*) FROM {q} GROUP BY r HAVING r = 'a'", "queues everything")
	check("SELECT (SELECT count(*) FROM (SELECT queue_url AS vpc_id FROM {q} WHERE vpc_id = queue_url)) FROM {v} WHERE region = 'a'", "vpcs region=a; queues everything")
	check("SELECT password AS p FROM {u} WHERE p = 'a'", "error: password of aws.connect.users is write-only: AWS never gives it back, so no condition on it can hold")
	check("SELECT account_id AS region, count(*) FROM {q} GROUP BY account_id HAVING region = 'a'", "queues account=a")        // in HAVING an alias wins
	check("SELECT account_id AS region, count(*) FROM {q} GROUP BY region, account_id HAVING region = 'a'", "queues region=a") // over what is not grouped by
	check("SELECT account_id AS region, count(*) FROM {q} GROUP BY 1 HAVING region = 'a'", "queues everything")
	check("SELECT region AS region, count(*) FROM {q} GROUP BY ALL HAVING region = 'a'", "queues everything")
	check("SELECT region FROM {q} UNION ALL SELECT region FROM {s}", "queues everything; subnets everything")
	check("FROM (SELECT region FROM {q} UNION SELECT region FROM {s}) WHERE region = 'a'", "queues region=a; subnets region=a")
	check("FROM (SELECT region FROM {q} EXCEPT SELECT region FROM {s}) WHERE region = 'a'", "queues region=a; subnets region=a")
	check("FROM (SELECT region FROM {q} UNION ALL SELECT 5) WHERE region = 'a'", "queues everything")
	check("FROM (SELECT region, identifier FROM {q} UNION ALL BY NAME SELECT identifier, region FROM {s}) WHERE region = 'a'", "queues region=a; subnets region=a")
	check("FROM (SELECT region, identifier FROM {q} UNION ALL SELECT identifier, region FROM {s}) WHERE region = 'a'", "queues region=a; subnets id=a")
	check("SELECT * FROM {v} v JOIN (SELECT vpc_id FROM {s} WHERE region = 'a' UNION ALL SELECT vpc_id FROM {s} WHERE region = 'b') x ON v.vpc_id = x.vpc_id", "vpcs everything; subnets region=a + region=b")
	check("SELECT * FROM {q} WHERE region = 'a' UNION ALL SELECT * FROM {q} WHERE region = 'b'", "queues region=a + region=b")
	check("WITH x AS (FROM {q}) SELECT * FROM x WHERE region = 'a'", "queues region=a")
	check("WITH x AS (FROM {q}) SELECT * FROM x a, x b WHERE a.region = 'a' AND b.region = 'b'", "queues region=a,b")
	check("WITH x AS (FROM {q}) SELECT * FROM x a, x b WHERE a.region = 'a'", "queues everything")
	check("WITH x AS (FROM {q}) SELECT 1", "queues nothing")
	check("WITH x AS (FROM {q}), y AS (FROM x WHERE region = 'a') FROM y", "queues region=a")
	check("WITH RECURSIVE x AS (SELECT region FROM {q} UNION ALL SELECT s.region FROM {s} s JOIN x ON x.region = s.region) FROM x WHERE region = 'a'", "queues everything; subnets everything")
	check("SELECT (SELECT count(*) FROM {s} s WHERE s.region = q.region) FROM {q} q WHERE q.region = 'a'", "queues region=a; subnets everything")
	check("SELECT 1 FROM {q} WHERE EXISTS (FROM {s} WHERE region = 'b')", "queues everything; subnets region=b")
	check("FROM {q} PIVOT (count(*) FOR region IN ('a', 'b')) WHERE account_id = 'c'", "queues everything")
	check("PIVOT (FROM {q} WHERE region = 'a') ON queue_name", "queues region=a")
	check("PIVOT (FROM {v} WHERE region = 'a') ON vpc_id IN (SELECT vpc_id FROM {v} WHERE region = 'b')", "vpcs region=a + region=b")
	check("FROM (PIVOT (FROM {q} WHERE region = 'a') ON queue_name IN (FROM (PIVOT {s} ON region IN (SELECT region FROM {v})))) WHERE region = 'b'", "queues region=a; subnets everything; vpcs everything")
	check("FROM (PIVOT ({q} q JOIN {s} s USING (account_id)) ON region) WHERE account_id = 'b'", "queues everything; subnets everything")
	check("UNPIVOT (FROM {q} WHERE region = 'a') ON queue_name, queue_url", "queues region=a")
	check("SELECT * FROM {q} a JOIN {q} b ON a.identifier = b.queue_url WHERE a.identifier = 'x'", "queues id=x")
	check("FROM v WHERE where_ = 'a'", "queues region=a")
	check("SELECT * FROM pick('a')", "queues account=111122223333")
	check("DESCRIBE SELECT * FROM {q}", "queues nothing")
	check("SUMMARIZE {q}", "queues everything")
	check("FROM {q}, LATERAL (SELECT 1 FROM {s} s WHERE s.region = 'b') x WHERE queues.region = 'a'", "queues region=a; subnets region=b")
	check("FROM c JOIN {q} q ON q.region = c.r WHERE c.r = 'a'", "queues everything")
	check("FROM {q} WHERE region = 'a' AND queue_url IN (SELECT k FROM c)", "queues region=a")
	check("FROM {q} WHERE queue_url IN (VALUES ('x'))", "queues id=x")
	check("FROM {q} WHERE queue_url = (SELECT 'x')", "queues id=x")
	check("FROM {q} WHERE queue_url = (SELECT max(v) FROM (VALUES ('x'), ('y')) t(v))", "queues id=y")
	check("FROM {u} WHERE instance_arn = (SELECT arn FROM aws.connect.instances WHERE instance_alias = 'x')", "users instance_arn<-instances.arn; instances everything")
	check("FROM {q} WHERE NOT queue_url = (SELECT 'x')", "queues everything")
	// what Cloud Control takes for no identifier is no resource's
	check("FROM {q} WHERE identifier = ''", "queues nothing")
	check("FROM aws.sqs.queue WHERE identifier = ''", "queues nothing")
	check("FROM {q} WHERE identifier IN ('', 'x', repeat('ü', 1025))", "queues id=x")
	check(`FROM {q} WHERE identifier IN (VALUES (E'a\nb'), (''))`, "queues nothing")
	// what may be read otherwise when the statement runs binds nothing
	check("FROM {q} WHERE queue_url IN (SELECT r::VARCHAR AS k FROM range(5) t(r) ORDER BY k LIMIT 1)", "queues id=0")
	check("FROM {q} WHERE queue_url IN (SELECT r::VARCHAR AS k FROM range(5) t(r) ORDER BY ALL DESC LIMIT 1)", "queues id=4")
	check("FROM {q} WHERE queue_url IN (SELECT r::VARCHAR AS k FROM range(5) t(r) ORDER BY length(k) LIMIT 1)", "queues everything")
	check("FROM {q} WHERE queue_url IN (SELECT r::VARCHAR FROM range(5) t(r) LIMIT 1)", "queues id=0")
	check("FROM {q} WHERE queue_url IN (SELECT r::VARCHAR FROM range(5) t(r) WHERE r > 2 LIMIT 1 OFFSET 1)", "queues id=4")
	check("FROM {q} WHERE queue_url IN (SELECT r::VARCHAR FROM range(5) t(r) ORDER BY r // 2 LIMIT 1)", "queues everything")
	check("FROM {q} WHERE queue_url IN (SELECT r::VARCHAR FROM range(5) t(r) GROUP BY r LIMIT 1)", "queues everything")
	check("FROM {q} WHERE queue_url IN (SELECT DISTINCT r::VARCHAR AS k FROM range(5) t(r) ORDER BY 1 LIMIT 1)", "queues id=0")
	check("FROM {q} WHERE queue_url IN (SELECT DISTINCT r::VARCHAR AS k FROM range(5) t(r) LIMIT 1)", "queues everything")
	check("FROM {q} WHERE queue_url IN (SELECT DISTINCT ON (r // 2) r::VARCHAR FROM range(5) t(r))", "queues everything")
	check("FROM {q} WHERE queue_url IN (SELECT r::VARCHAR FROM range(5) t(r) QUALIFY row_number() OVER (ORDER BY r // 2) = 1)", "queues everything")
	check("FROM {q} WHERE queue_url IN (SELECT r::VARCHAR FROM range(5) t(r) JOIN range(5) u(s) ON r = s LIMIT 1)", "queues everything")
	check("FROM {q} WHERE queue_url IN (SELECT k FROM (SELECT r::VARCHAR AS k FROM range(5) t(r) UNION SELECT 'x') LIMIT 1)", "queues everything")
	check("FROM {q} WHERE queue_url IN (SELECT max(r::VARCHAR) FROM range(5) t(r))", "queues id=4")
	check("FROM {q} WHERE queue_url = (SELECT first(r::VARCHAR) FROM range(5) t(r))", "queues everything")
	check("FROM {q} JOIN (SELECT r::VARCHAR AS k FROM range(5) t(r) LIMIT 2) x ON k = queue_url", "queues id=0,1")
	check("FROM {q} JOIN (SELECT DISTINCT r::VARCHAR AS k FROM range(5) t(r) LIMIT 2) x ON k = queue_url", "queues everything")
	check("WITH x AS (SELECT any_value(r::VARCHAR) AS k FROM range(5) t(r)) FROM {q} JOIN x ON k = queue_url", "queues everything")
	check("FROM {q} WHERE queue_url IN (SELECT 'x' COLLATE NOCASE)", "queues everything")
	check("FROM {q} JOIN (VALUES ('x' COLLATE NOCASE)) t(k) ON k = queue_url", "queues everything")
	// the singular table
	check("FROM aws.sqs.queue", "error: aws.sqs.queue needs an identifier")
	check("FROM aws.sqs.queue WHERE queue_url = 'x'", "queues id=x")
	check("FROM aws.sqs.queue WHERE false", "queues nothing")
	check("FROM aws.sqs.queue WHERE queue_url IN (VALUES ('x'))", "queues id=x")
	check("FROM aws.sqs.queue q JOIN aws.sqs.queues p ON p.queue_url = q.queue_url", "error: aws.sqs.queue needs an identifier")
	check("FROM awscc.sqs.queue WHERE queue_url = 'x'", "queues id=x")
	check("FROM sqs.queues", "queues everything")
	// refused
	check("FROM query('select 1')", "error: query() is not supported: skyql must see which tables a statement reads")
	check("FROM aws.sqs.nothing", "error: table aws.sqs.nothing does not exist")
	check("FROM aws.route53.record_sets", "error: aws.route53.record_sets can't be read: AWS::Route53::RecordSet has no handlers, Cloud Control doesn't offer it")
	check("SELECT 1 FROM aws.connect.users WHERE password IS NULL", "error: password of aws.connect.users is write-only: AWS never gives it back, so no condition on it can hold")
}

// What a statement becomes: names in full, paths typed, headers kept.
func TestText(t *testing.T) {
	t.Parallel()
	db := open(t)
	check := func(query, want string) {
		t.Helper()
		p, err := planned(t, db, query)
		if err != nil {
			t.Errorf("%s\n got error: %v\nwant %s", query, err, want)
			return
		}
		if got := p.Text(nil).Text; got != want {
			t.Errorf("%s\n got %s\nwant %s", query, got, want)
		}
	}
	check(`SELECT 1`, `SELECT 1`)
	check(`SELECT username FROM aws.connect.users`, `SELECT username FROM aws."connect"."users"`)
	check(`SELECT username FROM connect.users u`, `SELECT username FROM aws."connect"."users" u`)
	check(`SELECT "user".username FROM awscc.connect.user WHERE user_arn = 'x'`, `SELECT "user".username FROM aws."connect"."users" AS "user" WHERE user_arn = 'x'`)
	check(`SELECT connect.users.username FROM connect.users`, `SELECT aws."connect"."users".username AS "username" FROM aws."connect"."users"`)
	check(`SELECT UserArn, u.UserArn x FROM aws.connect.users u WHERE UserArn = 'x'`, `SELECT "user_arn" AS "UserArn", u."user_arn" x FROM aws."connect"."users" u WHERE "user_arn" = 'x'`)
	check(`SELECT data__Identifier FROM aws.connect.users`, `SELECT "identifier" AS "data__Identifier" FROM aws."connect"."users"`)
	check(`SELECT phone_config.PhoneType FROM aws.connect.users`, `SELECT (phone_config ->> '$."PhoneType"') AS "PhoneType" FROM aws."connect"."users"`)
	check(`SELECT u.phone_config.phone_type t FROM aws.connect.users u`, `SELECT (u.phone_config ->> '$."PhoneType"') t FROM aws."connect"."users" u`)
	check(`SELECT upper(PhoneConfig.PhoneType) FROM aws.connect.users`, `SELECT upper(("phone_config" ->> '$."PhoneType"')) AS "upper(PhoneConfig.PhoneType)" FROM aws."connect"."users"`)
	check(`SELECT 1 FROM aws.connect.users WHERE phone_config.AutoAccept AND phone_config.AfterContactWorkTimeLimit > 30`,
		`SELECT 1 FROM aws."connect"."users" WHERE CAST((phone_config ->> '$."AutoAccept"') AS BOOLEAN) AND CAST((phone_config ->> '$."AfterContactWorkTimeLimit"') AS BIGINT) > 30`)
	check(`WITH x AS (SELECT phone_config AS p FROM aws.connect.users) SELECT p.PhoneType, count(*) FROM x GROUP BY p.PhoneType`,
		`WITH x AS (SELECT phone_config AS p FROM aws."connect"."users") SELECT (p ->> '$."PhoneType"') AS "PhoneType", count(*) FROM x GROUP BY (p ->> '$."PhoneType"')`)
	check(`SELECT phone_config.PhoneType FROM c AS phone_config, aws.connect.users`, `SELECT phone_config.PhoneType FROM c AS phone_config, aws."connect"."users"`)
	check(`SELECT phone_config->>'PhoneType' FROM aws.connect.users`, `SELECT phone_config->>'PhoneType' FROM aws."connect"."users"`)
	check(`SELECT list_transform([1], lambda tags: tags.x) FROM aws.connect.users`, `SELECT list_transform([1], lambda tags: tags.x) FROM aws."connect"."users"`)
	check(`SELECT versioning_configuration.Status, bucket_encryption.ServerSideEncryptionConfiguration FROM aws.s3.buckets`,
		`SELECT (versioning_configuration ->> '$."Status"') AS "Status", nullif((bucket_encryption -> '$."ServerSideEncryptionConfiguration"'), 'null'::JSON) AS "ServerSideEncryptionConfiguration" FROM aws."s3"."buckets"`)
	check(`SELECT 'é', phone_config.PhoneType -- ü
		FROM aws.connect.users`, `SELECT 'é', (phone_config ->> '$."PhoneType"') AS "PhoneType" -- ü
		FROM aws."connect"."users"`)
	check(`FROM aws.connect.users_list_only`, `FROM (SELECT "account_id", "region", "identifier", "user_arn" FROM aws."connect"."users") AS "users_list_only"`)
	check(`DESCRIBE SELECT * FROM connect.users`, `DESCRIBE SELECT * FROM aws."connect"."users"`)
	check(`SUMMARIZE connect.users`, `SUMMARIZE aws."connect"."users"`)
	check(`TABLE connect.users`, `TABLE aws."connect"."users"`)
	check(`PIVOT connect.users ON username`, `PIVOT aws."connect"."users" ON username`)
}

// Which columns a statement may read.
func TestColumns(t *testing.T) {
	t.Parallel()
	db := open(t)
	check := func(query, want string) {
		t.Helper()
		p, err := planned(t, db, query)
		if err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		var out []string
		for _, s := range p.Scans {
			var cols []string
			for _, c := range s.Columns {
				cols = append(cols, s.Table.Columns[c].Name)
			}
			if len(cols) == len(s.Table.Columns) {
				cols = []string{"*"}
			}
			out = append(out, strings.Join(cols, " "))
		}
		if got := strings.Join(out, "; "); got != want {
			t.Errorf("%s\n got %s\nwant %s", query, got, want)
		}
	}
	check(`SELECT * FROM aws.ec2.vpcs`, "*")
	check(`SELECT count(*) FROM aws.ec2.vpcs`, "")
	check(`SELECT vpc_id FROM aws.ec2.vpcs`, "vpc_id")
	check(`SELECT v.vpc_id FROM aws.ec2.vpcs v ORDER BY cidr_block`, "cidr_block vpc_id")
	check(`SELECT v FROM aws.ec2.vpcs v`, "*")
	check(`SELECT v.* FROM aws.ec2.vpcs v, aws.ec2.subnets s`, "*; ")
	check(`SELECT COLUMNS('vpc.*') FROM aws.ec2.vpcs`, "*")
	check(`SELECT 1 FROM aws.ec2.vpcs NATURAL JOIN aws.ec2.subnets`, "*; *")
	check(`SELECT 1 FROM aws.ec2.vpcs JOIN aws.ec2.subnets USING (vpc_id)`, "vpc_id; vpc_id")
	check(`SELECT 1 FROM aws.ec2.vpcs t(a, b, c)`, "*")
	check(`SELECT (SELECT count(*) FROM aws.ec2.subnets s WHERE s.vpc_id = v.vpc_id AND cidr_block = '') FROM aws.ec2.vpcs v`, "vpc_id; vpc_id cidr_block")
	check(`SELECT instance_tenancy FROM c, aws.ec2.vpcs`, "instance_tenancy")
	check(`SELECT list_transform([1], lambda x: x + enable_dns_support::INT) FROM aws.ec2.vpcs`, "enable_dns_support")
	check(`SELECT row_number() OVER (PARTITION BY region ORDER BY cidr_block) FROM aws.ec2.vpcs`, "region cidr_block")
	check(`SELECT sum(1) FILTER (WHERE instance_tenancy = 'x') FROM aws.ec2.vpcs`, "instance_tenancy")
	check(`SELECT CASE WHEN enable_dns_support THEN cidr_block END FROM aws.ec2.vpcs`, "cidr_block enable_dns_support")
	check(`SELECT * EXCLUDE (tags) FROM aws.ec2.vpcs`, "*")
	check(`PIVOT aws.ec2.vpcs ON vpc_id`, "*")
	check(`SELECT queue_url FROM pick('x')`, "*")
}

// Errors point at the fault.
func TestErrorPlaces(t *testing.T) {
	t.Parallel()
	db := open(t)
	check := func(query, at, hint string) {
		t.Helper()
		_, err := planned(t, db, query)
		e := sqlerr.From(err)
		if e == nil || e.Position == 0 || !strings.HasPrefix(query[e.Position-1:], at) || e.Hint != hint {
			t.Errorf("%s: got %v at %d, hint %q", query, err, e.Position, e.Hint)
		}
	}
	check(`SELECT 1, phone_config.Phonetyp FROM aws.connect.users`, `Phonetyp`, "PhoneType")
	check(`SELECT * FROM c JOIN aws.connect.usrs ON true`, `aws.connect.usrs`, "did you mean aws.connect.users?")
	check(`SELECT * FROM aws.users`, `aws.users`, fmt.Sprintf("did you mean %s?", strings.Join(catalog.Embedded().NearTables("", "users"), ", ")))
	check(`SELECT * FROM aws.connect.user`, `aws.connect.user`, "WHERE identifier = '<UserArn>', or read aws.connect.users for all of them")
}
