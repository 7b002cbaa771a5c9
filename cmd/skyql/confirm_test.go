package main

import (
	"fmt"
	"os"

	"github.com/skyql/skyql/internal/shell"
)

// confirm is a command for tests: it shows a plan as a statement would.
func confirm() {
	s := shell.New(shell.Options{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
	plan := "sandbox · account 111122223333 · us-east-1\n\n~ aws.connect.users  abara\n    phone_config.AutoAccept   false → true\n\n1 to change\n"
	yes, err := s.Confirm(plan)
	fmt.Println("agreed:", yes, err)
}
