package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

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
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		return nil, sqlerr.New(sqlerr.InvalidParameter, "%s: %v", path, err)
	}
	known := slices.Concat(session.SettingNames(), configKeys)
	out := map[string]string{}
	for k, v := range raw {
		if !slices.Contains(known, k) {
			return nil, sqlerr.New(sqlerr.UndefinedObject, "%s: there is no setting %q", path, k).WithHint("%s", strings.Join(known, ", "))
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
