package plan_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/skyql/skyql/internal/plan"
)

// References of one table that leave to the settings what another one takes
// outside of them are written as what of the table lies in the settings.
func TestApart(t *testing.T) {
	db := open(t)
	inside := func(accounts, regions plan.Set) bool {
		return !slices.ContainsFunc(accounts, func(a string) bool { return a != "me" }) && !slices.ContainsFunc(regions, func(r string) bool { return r != "here" })
	}
	both := `(SELECT * FROM aws."ec2"."vpcs" WHERE (account_id, region) IN (SELECT (account_id, region) FROM aws.main.skyql_settings WHERE own))`
	places := `(SELECT * FROM aws."ec2"."vpcs" WHERE (account_id, region) IN (SELECT (account_id, region) FROM aws.main.skyql_settings))`
	accounts := `(SELECT * FROM aws."ec2"."vpcs" WHERE account_id IN (SELECT account_id FROM aws.main.skyql_settings WHERE own))`
	name := `aws."ec2"."vpcs"`
	for text, want := range map[string]string{
		"FROM {v} a, {v} b":                                                                              "FROM " + name + " a, " + name + " b",
		"FROM {v} a, {v} b WHERE b.region = 'here'":                                                      "FROM " + name + " a, " + name + " b WHERE b.region = 'here'",
		"FROM {v} a, {v} b WHERE b.region = 'there'":                                                     "FROM " + places + " a, " + name + " b WHERE b.region = 'there'",
		"FROM {v} a JOIN {v} b USING (region) WHERE b.region = 'there'":                                  "FROM " + name + " a JOIN " + name + " b USING (region) WHERE b.region = 'there'",
		"FROM {v} a, {v} b WHERE b.account_id = 'you'":                                                   "FROM " + accounts + " a, " + name + " b WHERE b.account_id = 'you'",
		"FROM {v} a, {v} b WHERE b.account_id = 'you' AND b.region = 'there'":                            "FROM " + both + " a, " + name + " b WHERE b.account_id = 'you' AND b.region = 'there'",
		"FROM {v} a, {v} b WHERE a.account_id = 'you' AND b.region = 'there'":                            "FROM " + places + " a, " + accounts + " b WHERE a.account_id = 'you' AND b.region = 'there'",
		"FROM {v} a, {s} b WHERE b.region = 'there'":                                                     "FROM " + name + ` a, aws."ec2"."subnets" b WHERE b.region = 'there'`,
		"SELECT aws.ec2.vpcs.vpc_id FROM {v}, {v} b WHERE b.region = 'there'":                            `SELECT "vpcs".vpc_id AS "vpc_id" FROM ` + places + ` AS "vpcs", ` + name + " b WHERE b.region = 'there'",
		"SELECT (SELECT count(*) FROM {v}) AS a, (SELECT count(*) FROM {v} WHERE region = 'there') AS b": "SELECT (SELECT count(*) FROM " + places + ` AS "vpcs") AS a, (SELECT count(*) FROM ` + name + " WHERE region = 'there') AS b",
		"FROM aws.ec2.vpcs_list_only a, {v} b WHERE b.region = 'there'":                                  `FROM (SELECT "account_id", "region", "identifier", "vpc_id" FROM ` + places + ") a, " + name + " b WHERE b.region = 'there'",
	} {
		text = strings.NewReplacer("{v}", "aws.ec2.vpcs", "{s}", "aws.ec2.subnets").Replace(text)
		p, err := plannedInside(t, db, text, inside)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := p.Text(nil).Text; got != want {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
		}
		if wrapped := strings.Contains(want, plan.Settings); wrapped != (len(p.Apart) > 0) {
			t.Errorf("%s: %v", text, p.Apart)
		}
	}
}
