package patch

import (
	"path"
	"slices"
	"strings"
	"unicode"

	coreconfig "github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/config"
	"github.com/siderolabs/talos/pkg/machinery/config/types/runtime/extensions"

	"github.com/talos-tsbridge/talos-tsbridge/authkey"
	"github.com/talos-tsbridge/talos-tsbridge/internal/containerboot"
	"github.com/talos-tsbridge/talos-tsbridge/internal/machineconfig"
	"github.com/talos-tsbridge/talos-tsbridge/internal/quote"
	"github.com/talos-tsbridge/talos-tsbridge/internal/secret"
)

const (
	// ServiceName is the name of the system extension's service, and so of its ExtensionServiceConfig document.
	ServiceName = "tailscale"

	// stateDir is the directory that the system extension mounts from the node, so that it outlives the service.
	stateDir = "/var/lib/tailscale"
)

// service is the feature that all others go with: the checked content of the ExtensionServiceConfig document.
type service struct {
	key      authkey.Key
	keyMount string
	// environment is in the order in which it is written. The value of TS_AUTHKEY is left out where the key is given.
	environment containerboot.Environment
	// files are those beside the one of the key.
	files extensions.ConfigFileList

	// forwardIPv6 tells that the node forwards IPv6 packets, for routes or destinations.
	forwardIPv6 bool
	// acceptsRoutes tells that it uses routes of others.
	acceptsRoutes bool
	// port is that of tailscaled in its arguments, nil where they name none.
	port *uint16
}

var _ feature = service{}

func (s service) documents(_ *coreconfig.VersionContract, redacted bool) []config.Document {
	return []config.Document{s.document(redacted)}
}

func (service) deletions() []string {
	return []string{`apiVersion: v1alpha1
kind: ExtensionServiceConfig
name: ` + ServiceName + `
$patch: delete
`}
}

// owned is the service as a whole: its environment changes by name, its config files by mount path.
func (service) owned() []machineconfig.Field {
	return []machineconfig.Field{wholeDocument(extensions.ServiceConfigKind, ServiceName)}
}

// apply puts the document in the place of an earlier one. Where there are no config files any more, their field goes.
func (s service) apply(m *merging) error {
	ours := s.document(m.redacted)

	earlier, err := findDocument[*extensions.ServiceConfigV1Alpha1](m, extensions.ServiceConfigKind, ServiceName)
	if err != nil {
		return err
	}

	if earlier == nil {
		return m.add(ours)
	}

	d := m.find(extensions.ServiceConfigKind, ServiceName)

	if len(ours.ServiceConfigFiles) == 0 {
		m.edit.Remove(d, "configFiles")
	} else if !slices.Equal(earlier.ServiceConfigFiles, ours.ServiceConfigFiles) {
		m.edit.Set(d, ours.ServiceConfigFiles, "configFiles")
	}

	m.set(d, earlier.ServiceEnvironment, ours.ServiceEnvironment, "environment")

	return nil
}

// document makes the document. This is the one place where the key leaves its type, unless it is redacted here.
func (s service) document(redacted bool) *extensions.ServiceConfigV1Alpha1 {
	document := extensions.NewServicesConfigV1Alpha1()
	document.ServiceName = ServiceName

	document.ServiceEnvironment = make([]string, 0, len(s.environment))

	for _, v := range s.environment {
		switch {
		case v.Name == authkey.EnvAuthKey && !s.key.IsZero():
			v.Value = s.keyValue(redacted)
		case redacted && v.Value != "" && !strings.HasPrefix(v.Value, "file:") && (secret.IsVariable(v.Name) || secret.Looks(v.Value)):
			v.Value = authkey.Redacted
		}

		document.ServiceEnvironment = append(document.ServiceEnvironment, v.String())
	}

	if !s.key.IsZero() && s.keyMount != "" {
		document.ServiceConfigFiles = append(document.ServiceConfigFiles, extensions.ConfigFile{
			ConfigFileContent: s.secret(redacted), ConfigFileMountPath: s.keyMount,
		})
	}

	for _, file := range s.files {
		if redacted && (secret.Looks(file.ConfigFileContent) || s.isSecretFile(file.ConfigFileMountPath)) {
			file.ConfigFileContent = authkey.Redacted
		}

		document.ServiceConfigFiles = append(document.ServiceConfigFiles, file)
	}

	return document
}

func (s service) keyValue(redacted bool) string {
	if s.keyMount != "" {
		return "file:" + s.keyMount
	}

	return s.secret(redacted)
}

func (s service) secret(redacted bool) string {
	if redacted {
		return authkey.Redacted
	}

	return s.key.Reveal()
}

// isSecretFile reports whether a variable that holds a secret names the file.
func (s service) isSecretFile(mount string) bool {
	return slices.ContainsFunc(s.environment, func(v containerboot.Variable) bool {
		return secret.IsVariable(v.Name) && v.Value == "file:"+mount
	})
}

// checkMount says what is wrong with the path of a config file inside of the service, or returns "". The system
// extension mounts directories of the node over some paths, most of them read-only, where no file can be created.
func checkMount(file string) string {
	if reason := checkPath(file); reason != "" {
		return reason
	}

	for _, dir := range []string{"/lib", "/usr/lib", "/usr/local/bin", "/sbin", "/dev", "/proc", "/sys", stateDir, "/var/run/tailscale"} {
		if file == dir || strings.HasPrefix(file, dir+"/") {
			return "lies in " + dir + ", which belongs to the system extension"
		}
	}

	return ""
}

// checkPath says what is wrong with an absolute path, or returns "".
func checkPath(text string) string {
	switch {
	case !path.IsAbs(text):
		return "is not an absolute path"
	case path.Clean(text) != text:
		return "is not in its shortest form " + quote.Value(path.Clean(text))
	case text == "/":
		return "is the root directory"
	case strings.ContainsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }):
		return "contains a blank or control character"
	}

	return ""
}
