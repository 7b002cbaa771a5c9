//go:build !windows

package cloudcontrol

import "syscall"

// What the system says of a connection that nobody took, and of one that ended.
var (
	refused = []error{syscall.ECONNREFUSED}
	ended   = []error{syscall.ECONNRESET, syscall.EPIPE}
)
