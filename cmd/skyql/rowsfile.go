package main

import (
	"errors"
	"io/fs"
	"os"
)

// A rowsFile is the file of -o. It is opened at once, so that a name that can't
// be written costs nothing, and emptied at the first row: a statement that fails
// before leaves what stood there.
type rowsFile struct {
	f     *os.File
	made  bool // it was not there before
	begun bool
}

func openRows(path string) (*rowsFile, error) {
	_, err := os.Lstat(path)
	f, e := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o600)
	return &rowsFile{f: f, made: errors.Is(err, fs.ErrNotExist)}, e
}

// Write adds rows.
func (r *rowsFile) Write(b []byte) (int, error) {
	if err := r.begin(); err != nil {
		return 0, err
	}
	return r.f.Write(b)
}

func (r *rowsFile) begin() error {
	if r.begun {
		return nil
	}
	r.begun = true
	if i, err := r.f.Stat(); err != nil || !i.Mode().IsRegular() {
		return err
	}
	return r.f.Truncate(0)
}

// close ends the file. After a failure that came before any row it is as it was.
func (r *rowsFile) close(failed bool) error {
	if failed && !r.begun {
		err := r.f.Close()
		if r.made {
			err = errors.Join(err, os.Remove(r.f.Name()))
		}
		return err
	}
	return errors.Join(r.begin(), r.f.Close())
}
