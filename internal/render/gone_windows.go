package render

import "golang.org/x/sys/windows"

// Windows says of a pipe that nobody reads that it is being closed, or broken.
var gone = []error{windows.ERROR_NO_DATA, windows.ERROR_BROKEN_PIPE}
