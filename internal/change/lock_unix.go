//go:build !windows

package change

import (
	"errors"
	"os"
	"syscall"
)

// lockFile takes a lock that ends with the process, or says that another one
// has it.
func lockFile(f *os.File) (taken bool, err error) {
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return true, nil
	}
	return false, err
}
