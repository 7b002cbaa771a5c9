//go:build !windows

package render

import "syscall"

var gone = []error{syscall.EPIPE}
