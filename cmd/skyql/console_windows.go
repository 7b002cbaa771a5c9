package main

import (
	"os"

	"golang.org/x/sys/windows"
)

// openConsole makes the console act on escape sequences, which one of Windows
// does only when asked (Console Virtual Terminal Sequences, in Microsoft's
// documentation). One that can't is a dumb terminal. closeConsole leaves it as it
// was, since it is also the console of the program that comes next.
func openConsole(streams ...*os.File) (closeConsole func()) {
	var undo []func()
	for _, f := range streams {
		console, before := windows.Handle(f.Fd()), uint32(0)
		if windows.GetConsoleMode(console, &before) != nil {
			continue // a file or a pipe
		}
		if err := windows.SetConsoleMode(console, before|windows.ENABLE_PROCESSED_OUTPUT|windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING); err != nil {
			os.Setenv("TERM", "dumb")
			continue
		}
		undo = append(undo, func() { windows.SetConsoleMode(console, before) })
	}
	return func() {
		for i := len(undo) - 1; i >= 0; i-- {
			undo[i]()
		}
	}
}
