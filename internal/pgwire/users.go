package pgwire

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/xdg-go/scram"

	"github.com/skyql/skyql/internal/sqlerr"
)

// Users are those who may connect. They are kept in a file of lines "name
// verifier", verifiers as PostgreSQL writes them: passwords are in none. It is
// safe for concurrent use.
type Users struct {
	path   string
	secret [32]byte // makes the salts of names that are unknown

	mu    sync.Mutex // guards the rest
	users map[string]scram.StoredCredentials
}

// iterations is what PostgreSQL uses.
const iterations = 4096

// OpenUsers reads a file of users; there need not be one. A file that others
// may read is refused.
func OpenUsers(path string) (*Users, error) {
	u := &Users{path: path, users: map[string]scram.StoredCredentials{}}
	if _, err := rand.Read(u.secret[:]); err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return u, nil
	}
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 && os.PathSeparator == '/' {
		return nil, sqlerr.New(sqlerr.InvalidParameter, "%s may be read by others", path).WithHint("chmod 600 %s", path)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(bytes.NewReader(data))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, verifier, _ := strings.Cut(line, " ")
		c, err := parseVerifier(verifier)
		if err != nil {
			return nil, fmt.Errorf("%s, line %d: %w", path, n, err)
		}
		u.users[name] = c
	}
	return u, lines.Err()
}

// parseVerifier reads SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey.
func parseVerifier(text string) (c scram.StoredCredentials, err error) {
	part := strings.FieldsFunc(text, func(r rune) bool { return r == '$' || r == ':' })
	if len(part) != 5 || part[0] != scramPlain {
		return c, errors.New("no SCRAM-SHA-256 verifier")
	}
	if c.Iters, err = strconv.Atoi(part[1]); err != nil || c.Iters < iterations {
		return c, fmt.Errorf("%q is no number of iterations from %d", part[1], iterations)
	}
	var salt []byte
	for _, x := range []struct {
		to   *[]byte
		text string
	}{{&salt, part[2]}, {&c.StoredKey, part[3]}, {&c.ServerKey, part[4]}} {
		if *x.to, err = base64.StdEncoding.DecodeString(x.text); err != nil {
			return c, errors.New("a verifier that is not base64")
		}
	}
	c.Salt = string(salt)
	return c, nil
}

// Empty reports whether there are no users. A nil Users has none.
func (u *Users) Empty() bool {
	if u == nil {
		return true
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.users) == 0
}

// Names are the users' names, sorted.
func (u *Users) Names() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	var out []string
	for name := range u.users {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

func (u *Users) has(name string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	_, ok := u.users[name]
	return ok
}

// credentials gives a user's verifier. A name that is unknown has one too,
// always the same, which no password fits.
func (u *Users) credentials(name string) scram.StoredCredentials {
	u.mu.Lock()
	defer u.mu.Unlock()
	if c, ok := u.users[name]; ok {
		return c
	}
	made := func(what string) []byte {
		h := hmac.New(sha256.New, u.secret[:])
		h.Write([]byte(what + "\x00" + name))
		return h.Sum(nil)
	}
	return scram.StoredCredentials{KeyFactors: scram.KeyFactors{Salt: string(made("salt")[:16]), Iters: iterations}, StoredKey: made("stored"), ServerKey: made("server")}
}

// Add adds a user, or gives one another password, and writes the file.
func (u *Users) Add(name, password string) error {
	if name == "" || strings.ContainsAny(name, " \t\r\n#") {
		return sqlerr.New(sqlerr.InvalidParameter, "%q can't be a user's name: it is a word without blanks", name)
	}
	if len(password) < 8 {
		return sqlerr.New(sqlerr.InvalidParameter, "the password is shorter than 8 characters")
	}
	var salt [16]byte
	if _, err := rand.Read(salt[:]); err != nil {
		return err
	}
	client, err := scram.SHA256.NewClient(name, password, "")
	if err != nil {
		// RFC 5802 prepares a password as SASLprep does; PostgreSQL takes one
		// that can't be as it is.
		if client, err = scram.SHA256.NewClientUnprepped(name, password, ""); err != nil {
			return err
		}
	}
	credentials, err := client.GetStoredCredentialsWithError(scram.KeyFactors{Salt: string(salt[:]), Iters: iterations})
	if err != nil {
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.users[name] = credentials
	return u.write()
}

// Remove takes a user away, and writes the file.
func (u *Users) Remove(name string) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if _, ok := u.users[name]; !ok {
		return sqlerr.New(sqlerr.UndefinedObject, "there is no user %q", name).WithHint("skyql server user list")
	}
	delete(u.users, name)
	return u.write()
}

// write puts the file in place whole, readable by its owner only.
func (u *Users) write() error {
	var b strings.Builder
	var names []string
	for name := range u.users {
		names = append(names, name)
	}
	slices.Sort(names)
	text := base64.StdEncoding.EncodeToString
	for _, name := range names {
		c := u.users[name]
		fmt.Fprintf(&b, "%s %s$%d:%s$%s:%s\n", name, scramPlain, c.Iters, text([]byte(c.Salt)), text(c.StoredKey), text(c.ServerKey))
	}
	if err := os.MkdirAll(filepath.Dir(u.path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(u.path), ".users-*") // 0600
	if err != nil {
		return err
	}
	_, err = f.WriteString(b.String())
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), u.path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}
