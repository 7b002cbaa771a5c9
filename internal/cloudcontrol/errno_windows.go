package cloudcontrol

import (
	"syscall"

	"golang.org/x/sys/windows"
)

// What the system says of a connection that nobody took, and of one that ended.
// Windows has numbers of its own: Go's names of Unix are never what a call gives
// there.
var (
	refused = []error{syscall.ECONNREFUSED, windows.WSAECONNREFUSED}
	ended   = []error{syscall.ECONNRESET, syscall.EPIPE, windows.WSAECONNRESET, windows.WSAECONNABORTED}
)
