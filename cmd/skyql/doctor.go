package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/skyql/skyql/internal/session"
)

func newDoctor(s streams) *cobra.Command {
	c := &connection{}
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say who you are, what is reachable and what is missing",
		Long: "Look at the catalog, the folders, the credentials, and Cloud Control in each account and region of the settings.\n" +
			"The exit status is 1 if something that statements need is missing.",
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			found := c.local()
			sess, stop, err := c.open(cmd.Context(), s)
			if err != nil {
				return err
			}
			defer stop()
			found = append(found, sess.Doctor(cmd.Context())...)
			if err := cmd.Context().Err(); err != nil {
				return err
			}
			return diagnose(s, found)
		},
	}
	c.register(cmd.Flags())
	return cmd
}

// local looks at what is on this machine.
func (c *connection) local() []session.Finding {
	var out []session.Finding
	cat, err := openCatalog()
	if err != nil {
		out = append(out, session.Finding{What: "catalog", Text: err.Error(), Hint: "skyql catalog update"})
	} else {
		i := cat.Info()
		out = append(out, session.Finding{What: "catalog", OK: true, Text: fmt.Sprintf("%s, %d types, %s", i.Origin, i.Types, i.Date)})
	}
	for _, f := range []struct{ what, path string }{{"config", filepath.Join(configDir(), configName)}, {"cache", cacheDir()}} {
		text := f.path
		if _, err := os.Stat(f.path); err != nil {
			text += " (not there yet)"
		}
		out = append(out, session.Finding{What: f.what, OK: true, Text: text})
	}
	state := session.Finding{What: "state", OK: true, Text: stateFolder(c.sandbox)}
	if err := writable(state.Text); err != nil {
		state = session.Finding{What: "state", Text: state.Text + ": nothing can be changed without a journal\n" + err.Error(), Hint: "SKYQL_STATE_DIR=… for another folder"}
	}
	return append(out, state)
}

// writable tries whether files can be made in a folder, or the folder itself.
func writable(dir string) error {
	for {
		i, err := os.Stat(dir)
		if err != nil && errors.Is(err, fs.ErrNotExist) && filepath.Dir(dir) != dir {
			dir = filepath.Dir(dir)
			continue
		}
		if err == nil && !i.IsDir() {
			err = fmt.Errorf("%s is no folder", dir)
		}
		if err != nil {
			return err
		}
		f, err := os.CreateTemp(dir, ".skyql-*")
		if err != nil {
			return err
		}
		return errors.Join(f.Close(), os.Remove(f.Name()))
	}
}

// diagnose prints findings, and fails if one is wrong.
func diagnose(s streams, found []session.Finding) error {
	width := 0
	for _, f := range found {
		width = max(width, len(f.What))
	}
	wrong := false
	var b strings.Builder
	for _, f := range found {
		state := "ok     "
		if !f.OK {
			state, wrong = "missing", true
		}
		for i, l := range strings.Split(f.Text, "\n") {
			if i == 0 {
				fmt.Fprintf(&b, "%s  %-*s  %s\n", state, width, f.What, l)
				continue
			}
			fmt.Fprintf(&b, "%*s%s\n", len(state)+width+4, "", l)
		}
		if f.Hint != "" {
			fmt.Fprintf(&b, "%*shint: %s\n", len(state)+width+4, "", f.Hint)
		}
	}
	if _, err := io.WriteString(s.out, b.String()); err != nil {
		return err
	}
	if wrong {
		return errShown
	}
	return nil
}
