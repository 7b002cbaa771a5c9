// Package change is a change and its life: wanted rows against current ones,
// the difference, the patch, the plan, the journal, the calls, their end.
//
// It is handed resources before and after, never SQL text, and it promises that
// each change is asked for once, that its end is learnt, and that a crash at
// any point loses nothing.
//
// # Layers
//
//	tree.go number.go rules.go secret.go   JSON as it is; what a type says of its places
//	check.go validate.go problem.go        intents against the schema: all problems at once
//	equal.go transform.go                  is what was read what is wanted?
//	diff.go patch.go given.go              what changes, and the smallest RFC 6902 patch for it
//	change.go order.go                     the change set: what waits for what
//	plan.go save.go guard.go verify.go     how it is shown, kept, refused, held against what is there
//	journal.go lock.go history.go once.go  what was about to be done, and what became of it; one process, once
//	apply.go call.go judge.go wait.go      calls, what their answers mean, the wait for their end
//	recover.go undo.go                     after a crash; the way back
//	report.go advice.go                    what became of all, and what to do about each error code
//
// What is above the journal is pure but for verify.go: no files, no calls.
//
// # The life of a change
//
// New makes a Change of an Intent. Apply writes the whole set to the journal,
// without secrets, then for each call: a record with a client token of the
// change's own, synced to disk; the call; a record of the answer; polls; a
// record of the end. Every change ends as done, failed, skipped or unknown.
//
// A call whose answer is lost is made again with the same bytes and the same
// token, which AWS answers with the first call's request. So what the journal
// knows decides what a later process may do: an answer with a request token is
// asked after; a call without an answer is made again, byte for byte, while its
// token lives; a change without a call was never sent.
//
// # Debugging
//
// The journal is text: a checksum and a JSON object a line.
package change
