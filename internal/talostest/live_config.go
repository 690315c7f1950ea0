package talostest

import (
	"fmt"
	"strings"

	"github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/configloader"
	"github.com/siderolabs/talos/pkg/machinery/config/types/runtime/extensions"
)

// liveConfig is a config that a node was given, and what the extension's document in it says.
type liveConfig struct {
	text     []byte
	provider config.Provider

	// key and arguments are what the service logs in with, document is the text of all of it.
	key, arguments, document string
	environment              []string
}

func readConfig(text []byte) (*liveConfig, error) {
	provider, err := configloader.NewFromBytes(text)
	if err != nil {
		return nil, err
	}

	read := &liveConfig{text: text, provider: provider}

	for _, candidate := range provider.Documents() {
		found, ok := candidate.(*extensions.ServiceConfigV1Alpha1)
		if !ok || found.ServiceName != "tailscale" {
			continue
		}

		files := map[string]string{}
		for _, file := range found.ServiceConfigFiles {
			files[file.ConfigFileMountPath] = file.ConfigFileContent
		}

		for _, variable := range found.ServiceEnvironment {
			switch name, value, _ := strings.Cut(variable, "="); name {
			case "TS_AUTHKEY":
				read.key = value
				if path, ok := strings.CutPrefix(value, "file:"); ok {
					read.key = files[path]
				}
			case "TS_EXTRA_ARGS":
				read.arguments = value
			}
		}

		read.environment = found.ServiceEnvironment
		read.document = fmt.Sprint(found.ServiceEnvironment, files)
	}

	return read, nil
}
