package change

import (
	"strings"

	"github.com/skyql/skyql/internal/cloudcontrol"
)

// Advice says in plain words what to do about a failure, by its code: one of
// the handlers' sixteen, one of the service's own (with or without "Exception"
// at its end), or one of skyql's. "" for a code that nothing is known of.
func Advice(code string, op cloudcontrol.Operation) string {
	code = handlerCode(strings.TrimSpace(code))
	creates := op == cloudcontrol.OpCreate
	switch code {
	case "AlreadyExists":
		if creates {
			return "a resource of this name is there already: UPDATE it, or choose another name. If it is just as wanted, a slow handler may have made it for this very request"
		}
		return "another resource has this name: choose another one"
	case "NotFound":
		if creates {
			return "something that the resource refers to is not there: make that first"
		}
		return "the resource is gone, or in a state that AWS can't recover: SELECT it to see"
	case "NotUpdatable":
		return "the property can't be changed once the resource is made: SET replace = 'allow' deletes it and makes it anew"
	case "InvalidRequest":
		if op == cloudcontrol.OpDelete {
			return "the service doesn't let it go: the message says why; what depends on it has to go first"
		}
		return "the service refuses the values: the message says which; change them and run the statement again"
	case "Validation":
		return "the values don't fit the type's schema in this region: the message says where; skyql catalog update gets the newest schemas"
	case "AccessDenied":
		return "the credentials lack a permission of the handler: EXPLAIN PERMISSIONS of the statement prints the policy that it needs"
	case "UnauthorizedTaggingOperation":
		return "the credentials may not tag: leave the tags out, or ask for the type's tagging permissions, which DESCRIBE EXTENDED lists"
	case "InvalidCredentials":
		return "the credentials were refused or have expired in the meantime: sign in again (aws sso login), then run the statement again"
	case "ServiceLimitExceeded":
		return "a quota of the service is used up: ask for more in Service Quotas, or delete what is not needed"
	case "NotStabilized":
		if creates {
			return "the resource was made but never became ready: SELECT it by its identifier, then DELETE it or wait"
		}
		return "the resource never became ready after the change: SELECT it to see how it is"
	case "GeneralServiceException":
		return "the service failed for a reason that Cloud Control has no code for: the message is all there is"
	case "InternalFailure":
		return "the type's handler broke: SELECT the resource to see what was done; trying again seldom helps, the service's own API may"
	case "ResourceConflict":
		return "something else is at work on the resource, or it is in use: let that end, then run the statement again"
	case "Throttling":
		return "the service takes fewer requests than it was sent: run the statement again later, or with less at once"
	case "ServiceInternalError":
		return "the service had a fault of its own: SELECT the resource, then run the statement again"
	case "ServiceTimeout":
		return "the service didn't answer the handler in time: what was asked may have been done; SELECT the resource first"
	case "NetworkFailure":
		return "the handler couldn't reach the service: run the statement again later"
	case "HandlerFailure":
		return "the handler ended without a code, or took too long: SELECT the resource to see what was done"
	case "ClientTokenConflict":
		return "another request has used this change's token: SELECT the resource to see what was done, then run the statement anew"
	case "ConcurrentOperation":
		return "another Cloud Control request is at work on the resource: SELECT * FROM aws.cloud_control.requests shows it; let it end, then run the statement again"
	case "ConcurrentModification":
		return "the request was just changing its state: ask again"
	case "PrivateType":
		return "the private type's handler or configuration is faulty: its author has to look at it"
	case "RequestTokenNotFound":
		return "AWS keeps requests for seven days and knows this one no more: SELECT the resource to see what was done"
	case "TypeNotFound":
		return "the type isn't offered in this region, or has to be activated in the account first"
	case "UnsupportedAction":
		return "the type can't do this in this region"
	}
	return ownAdvice(code)
}

// ownAdvice is about codes of skyql's own.
func ownAdvice(code string) string {
	switch code {
	case Drifted:
		return "run the statement again: it reads the resource anew and shows a new plan"
	case NeverArrived:
		return "nothing was changed: run the statement again"
	case "Cancelled":
		return "SELECT the resource to see how far it came"
	case "NotCanceled":
		return "only a request that is under way can be canceled: WHERE operation_status IN ('PENDING', 'IN_PROGRESS')"
	case "NoCredentials":
		return "skyql doctor says which credentials are found"
	case "NoAnswer", "ConnectionLost", "TimedOut", "MalformedAnswer":
		return "skyql recover finds out what became of it"
	}
	return ""
}
