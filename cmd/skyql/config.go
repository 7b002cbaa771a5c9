package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/BurntSushi/toml"

	"github.com/skyql/skyql/internal/session"
	"github.com/skyql/skyql/internal/sqlerr"
)

// configName is the file of settings in the configuration folder.
const configName = "config.toml"

// configKeys are what the file may hold beside the settings that SET knows.
var configKeys = []string{"assume_role", "external_id", "role_session_name", "profile", "format"}

func configDir() string { return folder("SKYQL_CONFIG_DIR", "XDG_CONFIG_HOME", os.UserConfigDir) }

// readConfig reads the configuration file, if there is one. Lists are joined
// by commas.
func readConfig() (map[string]string, error) {
	path := filepath.Join(configDir(), configName)
	var raw map[string]any
	if _, err := toml.DecodeFile(path, &raw); err != nil {
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) { // a daemon's home may be /dev/null
			return nil, nil
		}
		return nil, sqlerr.New(sqlerr.InvalidParameter, "%s: %v", path, err)
	}
	known := slices.Concat(session.SettingNames(), configKeys)
	out := map[string]string{}
	for k, v := range raw {
		if !slices.Contains(known, k) {
			e := session.NoSetting(k, known)
			e.Message = path + ": " + e.Message
			return nil, e
		}
		if list, ok := v.([]any); ok {
			var parts []string
			for _, x := range list {
				parts = append(parts, fmt.Sprint(x))
			}
			out[k] = strings.Join(parts, ",")
			continue
		}
		out[k] = fmt.Sprint(v)
	}
	return out, nil
}
