package patch

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"

	"github.com/talos-tsbridge/talos-tsbridge/authkey"
	"github.com/talos-tsbridge/talos-tsbridge/internal/secret"
)

// Settings are all choices about a patch as data, for a file, a form or a program that has them already: [WithSettings]
// makes an option of them. Every other option of this package sets a field of it.
//
// A nil field was not given, which is not the same as given with its default: a new patch gets the default for either,
// but [Patch.Apply] keeps what the machine config has for a field that was not given. Lists differ in the same way: an
// empty one that is not nil was given. Pointers are made with [github.com/siderolabs/go-pointer.To].
//
// The names in YAML and JSON are those of the command line's flags, in camel case; [Choices] describes each field. The key
// is in neither, and it is printed by nothing: [Settings.String] shows the rest.
type Settings struct {
	TalosVersion *string `json:"talosVersion,omitempty" yaml:"talosVersion,omitempty"`
	Role         *string `json:"role,omitempty"         yaml:"role,omitempty"`

	AuthKey      authkey.Key `json:"-"                      yaml:"-"`
	AuthKeyMount *string     `json:"authKeyMount,omitempty" yaml:"authKeyMount,omitempty"`

	AdvertiseTags     []string `json:"advertiseTags,omitzero"     yaml:"advertiseTags,omitempty"`
	Hostname          *string  `json:"hostname,omitempty"          yaml:"hostname,omitempty"`
	AdvertiseRoutes   []string `json:"advertiseRoutes,omitzero"    yaml:"advertiseRoutes,omitempty"`
	AcceptRoutes      *bool    `json:"acceptRoutes,omitempty"      yaml:"acceptRoutes,omitempty"`
	AcceptDNS         *bool    `json:"acceptDNS,omitempty"         yaml:"acceptDNS,omitempty"`
	LoginServer       *string  `json:"loginServer,omitempty"       yaml:"loginServer,omitempty"`
	SSH               *bool    `json:"ssh,omitempty"               yaml:"ssh,omitempty"`
	AdvertiseExitNode *bool    `json:"advertiseExitNode,omitempty" yaml:"advertiseExitNode,omitempty"`
	SNATSubnetRoutes  *bool    `json:"snatSubnetRoutes,omitempty"  yaml:"snatSubnetRoutes,omitempty"`
	ShieldsUp         *bool    `json:"shieldsUp,omitempty"         yaml:"shieldsUp,omitempty"`

	StateDir       *string           `json:"stateDir,omitempty"       yaml:"stateDir,omitempty"`
	AuthOnce       *bool             `json:"authOnce,omitempty"       yaml:"authOnce,omitempty"`
	Userspace      *bool             `json:"userspace,omitempty"      yaml:"userspace,omitempty"`
	TailscaledPort *uint16           `json:"tailscaledPort,omitempty" yaml:"tailscaledPort,omitempty"`
	ExtraArgs      []string          `json:"extraArgs,omitzero"      yaml:"extraArgs,omitempty"`
	Env            map[string]string `json:"env,omitzero"            yaml:"env,omitempty"`

	ConfigFiles map[string]string `json:"configFiles,omitzero"  yaml:"configFiles,omitempty"`
	ServeConfig *string           `json:"serveConfig,omitempty" yaml:"serveConfig,omitempty"`

	NodeIPSubnets []string `json:"nodeIPSubnets,omitzero" yaml:"nodeIPSubnets,omitempty"`
	NoNodeIP      *bool    `json:"noNodeIP,omitempty"      yaml:"noNodeIP,omitempty"`
	EtcdSubnets   []string `json:"etcdSubnets,omitzero"   yaml:"etcdSubnets,omitempty"`

	StaticHosts    map[string][]string `json:"staticHosts,omitzero"    yaml:"staticHosts,omitempty"`
	MagicDNS       *string             `json:"magicDNS,omitempty"       yaml:"magicDNS,omitempty"`
	Nameservers    []string            `json:"nameservers,omitzero"    yaml:"nameservers,omitempty"`
	CertSANs       []string            `json:"certSANs,omitzero"       yaml:"certSANs,omitempty"`
	MagicDNSDomain *string             `json:"magicDNSDomain,omitempty" yaml:"magicDNSDomain,omitempty"`
	APIServerSANs  []string            `json:"apiServerSANs,omitzero"   yaml:"apiServerSANs,omitempty"`
	Firewall       *bool               `json:"firewall,omitempty"       yaml:"firewall,omitempty"`
	KubeSpanFilter *bool               `json:"kubeSpanFilter,omitempty" yaml:"kubeSpanFilter,omitempty"`
	InstallImage   *string             `json:"installImage,omitempty"   yaml:"installImage,omitempty"`
}

// Equal reports whether both say the same, the key included. A field that was not given differs from one that was given
// its default.
func (s Settings) Equal(other Settings) bool {
	if !s.AuthKey.Equal(other.AuthKey) {
		return false
	}

	s.AuthKey, other.AuthKey = authkey.Key{}, authkey.Key{}

	return reflect.DeepEqual(s, other)
}

// Merge returns the settings with those of over in place of them, wherever over gives one: defaults.Merge(node). A list
// replaces the whole list; of variables, static hosts and other maps, each entry replaces the one of its name.
func (s Settings) Merge(over Settings) Settings {
	merged, upper := reflect.ValueOf(&s).Elem(), reflect.ValueOf(&over).Elem()

	for i := range merged.NumField() {
		given, into := upper.Field(i), merged.Field(i)

		switch {
		case given.IsZero():
		case given.Kind() == reflect.Map && !into.IsNil():
			both := reflect.MakeMap(into.Type())
			for _, entries := range []reflect.Value{into, given} {
				for entry := entries.MapRange(); entry.Next(); {
					both.SetMapIndex(entry.Key(), entry.Value())
				}
			}

			into.Set(both)
		default:
			into.Set(given)
		}
	}

	return s
}

// String returns the settings as one line of JSON. Of the key it shows only that there is one, and nothing of a value that
// looks like a secret.
func (s Settings) String() string {
	shown := struct {
		AuthKey string `json:"authKey,omitempty"`
		Settings
	}{Settings: s.withoutSecrets()}

	if !s.AuthKey.IsZero() {
		shown.AuthKey = authkey.Redacted
	}

	text, err := json.Marshal(shown)
	if err != nil { // no field of it can fail
		return err.Error()
	}

	return string(text)
}

// GoString returns what [Settings.String] returns.
func (s Settings) GoString() string { return s.String() }

// withoutSecrets returns a copy with [authkey.Redacted] for every text that looks like a secret.
func (s Settings) withoutSecrets() Settings {
	conceal := func(text string) string {
		if secret.Looks(text) {
			return authkey.Redacted
		}

		return text
	}

	for _, choice := range Choices() {
		switch field := choice.of(&s).(type) {
		case **string:
			if *field != nil {
				text := conceal(**field)
				*field = &text
			}
		case *[]string:
			*field = slices.Clone(*field)
			for i, text := range *field {
				(*field)[i] = conceal(text)
			}
		case *map[string]string:
			*field = maps.Clone(*field)
			for name, text := range *field {
				if secret.IsVariable(name) {
					text = authkey.Redacted
				}

				(*field)[name] = conceal(text)
			}
		}
	}

	return s
}

func sortedKeys[V any](m map[string]V) []string {
	if len(m) == 0 {
		return nil
	}

	return slices.Sorted(maps.Keys(m))
}
