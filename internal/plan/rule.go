package plan

// A Rule is one of the conditions that keep narrowing right. Tests count how
// often each is met, and break each to see that it is missed.
type Rule string

// The rules, by what they say.
const (
	RuleEqual         Rule = "column = constant bounds the column"
	RuleIn            Rule = "column IN (constants) bounds the column"
	RuleOr            Rule = "OR bounds what each branch bounds, together"
	RuleNotDistinct   Rule = "IS NOT DISTINCT FROM a text bounds"
	RuleNullIsValue   Rule = "IS NOT DISTINCT FROM NULL bounds nothing"
	RuleFold          Rule = "a constant expression is computed first"
	RuleNot           Rule = "NOT and other comparisons bound nothing"
	RuleWrapped       Rule = "a function of a column bounds nothing"
	RuleOwnType       Rule = "only a comparison with text bounds"
	RuleLocal         Rule = "values of a local table bound a key"
	RuleLink          Rule = "a key is looked up among another table's values"
	RuleInQuery       Rule = "IN (SELECT …) as a conjunct binds"
	RuleExists        Rule = "EXISTS with an equality binds the outer column"
	RuleExistsRows    Rule = "EXISTS over an aggregate binds nothing"
	RuleNotExists     Rule = "NOT EXISTS does not bind the outer column"
	RuleNotIn         Rule = "IN under NOT or OR binds nothing"
	RuleCorrelated    Rule = "a correlated equality binds the inner column"
	RuleFilter        Rule = "a conjunct over one table filters its rows early"
	RuleStable        Rule = "only functions that always give the same are run early"
	RuleNullRejecting Rule = "a conjunct of WHERE says nothing of a side that is filled with NULL"
	RuleInner         Rule = "ON of an inner or semi join bounds both sides"
	RuleUsing         Rule = "USING and NATURAL carry bounds"
	RuleLeftOn        Rule = "ON of an outer join does not bound the preserved side"
	RuleOuterMatch    Rule = "an outer join's equalities bound its preserved side only where WHERE asks for a match"
	RuleAntiOn        Rule = "ON of an anti join does not bound the left side"
	RuleFullOn        Rule = "ON of a full join bounds neither side"
	RuleAsof          Rule = "WHERE does not bound the right side of an ASOF join"
	RulePositional    Rule = "nothing passes a POSITIONAL join"
	RuleSample        Rule = "nothing passes a sample of a block"
	RuleBarrier       Rule = "nothing passes a sampled table or a PIVOT"
	RuleHaving        Rule = "HAVING bounds grouping columns"
	RuleGroupBy       Rule = "an outer condition passes GROUP BY on grouping columns"
	RuleDistinctOn    Rule = "an outer condition passes DISTINCT ON on its columns alone"
	RulePartition     Rule = "an outer condition passes a window on PARTITION BY columns alone"
	RuleLimitInside   Rule = "an outer condition does not pass LIMIT"
	RuleRecursive     Rule = "an outer condition does not pass a recursive CTE"
	RuleSetOp         Rule = "a set operation's outer condition goes into each arm"
	RuleByName        Rule = "BY NAME pairs columns by name"
	RuleArms          Rule = "a set operation's column has values of every arm"
	RuleAlias         Rule = "an alias wins over columns further out, and in HAVING over those that are not grouped by"
	RuleCTEUnion      Rule = "a CTE gives what all its uses need"
	RuleTableUnion    Rule = "a table gives what all its references need"
	RuleColumns       Rule = "every column that is read is fetched"
	RuleEnough        Rule = "LIMIT stops early when all conditions are known to hold"
	RuleEnoughPlain   Rule = "LIMIT does not stop early under joins, groups, windows and DISTINCT"
	RuleEnoughOffset  Rule = "OFFSET rows are needed too"
	RuleTopListed     Rule = "ORDER BY with LIMIT stops early on listed columns alone"
	RuleEnoughOnce    Rule = "LIMIT stops early only if the table is read once"
)

// Rules are all rules.
var Rules = []Rule{
	RuleEqual, RuleIn, RuleOr, RuleNotDistinct, RuleNullIsValue, RuleFold, RuleNot, RuleWrapped, RuleOwnType, RuleLocal, RuleLink, RuleInQuery, RuleExists, RuleExistsRows, RuleNotExists, RuleNotIn, RuleCorrelated,
	RuleFilter, RuleStable, RuleNullRejecting, RuleInner, RuleUsing, RuleLeftOn, RuleOuterMatch, RuleAntiOn, RuleFullOn, RuleAsof, RulePositional, RuleSample, RuleBarrier,
	RuleHaving, RuleGroupBy, RuleDistinctOn, RulePartition, RuleLimitInside, RuleRecursive, RuleSetOp, RuleByName,
	RuleArms, RuleAlias, RuleCTEUnion, RuleTableUnion, RuleColumns, RuleEnough, RuleEnoughPlain, RuleEnoughOffset, RuleTopListed, RuleEnoughOnce,
}

// A Probe is for tests of planning itself.
type Probe struct {
	Met    map[Rule]int // how often a rule was met
	Broken Rule         // this one is not kept
}

// keeps notes that a rule was met, and reports whether it is to be kept.
func (b *binder) keeps(r Rule) bool {
	if b.env.Probe == nil {
		return true
	}
	b.env.Probe.Met[r]++
	return b.env.Probe.Broken != r
}

// right is keeps for a rule that lets something narrow: where it is broken, one
// of the values is lost.
func (b *binder) right(r Rule, s Set) Set {
	if b.keeps(r) || len(s) == 0 {
		return s
	}
	return s[:len(s)-1]
}
