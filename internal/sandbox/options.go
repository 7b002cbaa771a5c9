package sandbox

import "time"

// Work is how asynchronous operations run. The zero value: the handler is done
// at once, the first answer says IN_PROGRESS and the first poll the end.
type Work struct {
	Pending time.Duration // how long a request waits before its handler starts
	Delay   time.Duration // how long the handler takes
	Polls   int           // answers to GetResourceRequestStatus that come before the end is told
	AtOnce  bool          // the end is told in the first answer, if it is reached by then
	// RetryAfter is how far ahead the event's RetryAfter lies. 0: at the time
	// when the request will be done. Negative: events have none.
	RetryAfter time.Duration
	// LateIdentifier leaves the identifier out of events before the end.
	LateIdentifier bool
	// Early lets the world change when the handler starts, not when it is done:
	// what is being created can be read already.
	Early bool
}

// Reads is how what handlers read differs from what was written. It holds for
// GetResource, full lists, and the read that every update begins with.
type Reads struct {
	Reorder     bool // arrays whose order isn't said to count come back sorted
	Defaults    bool // defaults of nested objects appear
	EmptyArrays bool // arrays that were never set appear empty
	Transform   bool // propertyTransform's upper and lower case
	PolicyText  bool // policy documents come back as text
	SystemTags  bool // a tag with the prefix aws: appears
}

// Lag is when what was created is seen: after so many reads or lists that
// don't, and not before so much time has passed.
type Lag struct {
	Reads, Lists       int
	ReadsFor, ListsFor time.Duration
}

// Contract is what AWS's documents leave open. The zero value is what they
// suggest; each switch is another reading of them.
type Contract struct {
	ReplayCurrent      bool `toml:"replay_current" json:"replay_current"`             // a client token used again gives the request's current event, not the first
	TokenConflictsPass bool `toml:"token_conflicts_pass" json:"token_conflicts_pass"` // a client token with other parameters is answered like a replay
	SchemaFaultsLate   bool `toml:"schema_faults_late" json:"schema_faults_late"`     // an invalid model is a FAILED event, not a ValidationException
	PatchFaultsLate    bool `toml:"patch_faults_late" json:"patch_faults_late"`       // so are a patch that can't be applied and a create-only property changed
	ExistsAtOnce       bool `toml:"exists_at_once" json:"exists_at_once"`             // a create of what exists is an AlreadyExistsException, not a FAILED event
	MissingDeleteSync  bool `toml:"missing_delete_sync" json:"missing_delete_sync"`   // a delete of what doesn't exist is a ResourceNotFoundException
	MissingUpdateLate  bool `toml:"missing_update_late" json:"missing_update_late"`   // an update of what doesn't exist is a FAILED event
	CreatesOverlap     bool `toml:"creates_overlap" json:"creates_overlap"`           // a create with a known identifier doesn't take part in one operation per resource
	ConditionalRefused bool `toml:"conditional_refused" json:"conditional_refused"`   // conditionalCreateOnly properties can't be updated
	WriteOnlyReset     bool `toml:"write_only_reset" json:"write_only_reset"`         // an update without a write-only value unsets it
	OrphansAllowed     bool `toml:"orphans_allowed" json:"orphans_allowed"`           // a list parent can be deleted before its children
	ReferencesRequired bool `toml:"references_required" json:"references_required"`   // a create demands that what it refers to exists
	NoDefaults         bool `toml:"no_defaults" json:"no_defaults"`                   // the schema's defaults aren't filled in

	CancelLeaves bool     `toml:"cancel_leaves" json:"cancel_leaves"` // a cancelled handler had done its work all the same
	CancelLoses  bool     `toml:"cancel_loses" json:"cancel_loses"`   // handlers are faster than a cancellation
	CancelDelay  Duration `toml:"cancel_delay" json:"cancel_delay"`   // how long CANCEL_IN_PROGRESS lasts
}
