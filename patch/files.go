package patch

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/siderolabs/go-pointer"
	"github.com/siderolabs/talos/pkg/machinery/config/types/runtime/extensions"

	"github.com/talos-tsbridge/talos-tsbridge/internal/quote"
	"github.com/talos-tsbridge/talos-tsbridge/internal/secret"
)

const (
	// serveVariable names the file with what the node serves in the tailnet.
	serveVariable = "TS_SERVE_CONFIG"
	// serveMount is where WithServeConfig puts it.
	serveMount = "/etc/tailscale/serve.json"

	// largestFile bounds a config file, which is a part of the machine config.
	largestFile = 512 << 10
)

// WithConfigFile puts a file with this content beside the service, at path inside of it. A file that the machine config has at
// the same path is replaced. Default: none.
func WithConfigFile(path, content string) Option {
	return func(o *options) { put(&o.contents, path, content) }
}

// WithServeConfig makes the node serve what the content says (TS_SERVE_CONFIG): a serve configuration of Tailscale in JSON.
// Default: none.
func WithServeConfig(content string) Option {
	return func(o *options) {
		put(&o.contents, serveMount, content)
		o.serves = true
	}
}

// WithReadFile reads the files that [Settings.ConfigFiles] and [Settings.ServeConfig] name with this function, which returns no
// more than the file holds. Default: [os.ReadFile], up to the size that a config file may have.
func WithReadFile(read func(name string) ([]byte, error)) Option {
	return func(o *options) { o.readFile = read }
}

// readFiles reads the files that the settings name, once.
func (o *options) readFiles(faults *Faults) {
	readFile := o.readFile
	if readFile == nil {
		readFile = readBounded
	}

	read := func(option, mount, name string) {
		content, reason := contentOf(readFile(name))
		if reason != "" {
			faults.add(CodeInvalid, option, "`%s` %s: %s %s", option, mount, quote.Value(name), reason)

			return
		}

		put(&o.contents, mount, content)
	}

	for _, mount := range sortedKeys(o.ConfigFiles) {
		read("config-file", mount, o.ConfigFiles[mount])
	}

	if name := pointer.SafeDeref(o.ServeConfig); name != "" {
		if _, twice := o.ConfigFiles[serveMount]; twice {
			faults.add(CodeConflict, "serve-config", "`serve-config` and a `config-file` at %s exclude each other", serveMount)
		}

		read("serve-config", serveMount, name)
		o.serves = true
	}

	o.ConfigFiles, o.ServeConfig = nil, nil
}

// readBounded reads a file, or the beginning of one that is too large.
func readBounded(name string) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}

	defer file.Close() //nolint:errcheck // nothing was written

	return io.ReadAll(io.LimitReader(file, largestFile+1))
}

// contentOf returns the content of a file that was read, or why it is none of a config file.
func contentOf(text []byte, err error) (content, reason string) {
	failed, isPath := errors.AsType[*fs.PathError](err)

	switch {
	case isPath && failed.Op == "open":
		return "", "cannot be opened: " + failed.Err.Error()
	case err != nil:
		return "", "cannot be read"
	case len(text) > largestFile:
		return "", "is larger than 512 KiB, and it would be a part of the machine config"
	}

	return string(text), ""
}

// setFiles puts the given files beside the service, in the place of earlier ones at their paths.
func (c *composer) setFiles(further *map[string]string) {
	for _, mount := range sortedKeys(c.contents) {
		content := c.contents[mount]

		reason := checkMount(mount)
		if reason == "" {
			reason = checkContent(content)
		}

		if reason != "" {
			c.faults.add(CodeInvalid, "config-file", "`config-file` %s %s", quote.Value(mount), reason)
		}

		if mount == pointer.SafeDeref(c.AuthKeyMount) {
			c.faults.add(CodeConflict, "config-file", "`config-file` and `auth-key-mount` exclude each other at %s", quote.Value(mount))
		}

		file := extensions.ConfigFile{ConfigFileContent: content, ConfigFileMountPath: mount}

		if i := slices.IndexFunc(c.files, func(f extensions.ConfigFile) bool { return f.ConfigFileMountPath == mount }); i >= 0 {
			c.files[i] = file
		} else {
			c.files = append(c.files, file)
		}
	}

	if !c.serves {
		return
	}

	if _, twice := c.Env[serveVariable]; twice {
		c.faults.add(CodeConflict, "serve-config", "`serve-config` and the variable %s exclude each other", serveVariable)
	}

	put(further, serveVariable, serveMount)
}

// checkContent says what is wrong with the text of a config file, or returns "".
func checkContent(content string) string {
	switch {
	case content == "":
		return "is empty: leave it out"
	case len(content) > largestFile:
		return "is larger than 512 KiB, and it would be a part of the machine config"
	case !utf8.ValidString(content) || strings.ContainsRune(content, 0):
		return "is no text in UTF-8, which a machine config can hold alone"
	}

	return ""
}

// checkFiles looks at the files that variables name: whether they are there, and whether what containerboot reads as JSON is
// some.
func (c *composer) checkFiles() {
	for _, v := range c.environment {
		mount, isFile := strings.CutPrefix(v.Value, "file:")
		if v.Name == serveVariable {
			mount, isFile = v.Value, v.Value != ""
		}

		if !isFile || !secret.IsVariable(v.Name) && v.Name != serveVariable || mount == pointer.SafeDeref(c.AuthKeyMount) {
			continue
		}

		i := slices.IndexFunc(c.files, func(f extensions.ConfigFile) bool { return f.ConfigFileMountPath == mount })

		switch {
		case i < 0 && !strings.HasPrefix(mount, stateDir+"/"):
			c.notes.add(NoteFileMissing, "variable %s names the file %s, and nothing puts it there: give it with `config-file` %s=FILE", v.Name,
				quote.Value(mount), mount)
		case i < 0 || v.Name != serveVariable || isJSONObject(c.files[i].ConfigFileContent):
		case c.contents[mount] == "" && !c.given[serveVariable]:
			c.faultInConfig([]string{serveVariable}, "variable "+serveVariable+" names the file "+quote.Value(mount)+", which is no JSON")
		default:
			c.faults.add(CodeInvalid, "serve-config", "`serve-config`: what is at %s is not a JSON object, which containerboot reads there", quote.Value(mount))
		}
	}
}

func isJSONObject(text string) bool {
	var object map[string]json.RawMessage

	return json.Unmarshal(bytes.TrimSpace([]byte(text)), &object) == nil && object != nil
}
