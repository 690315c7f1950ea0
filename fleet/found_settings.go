package fleet

import (
	"slices"
	"strconv"
	"strings"

	"github.com/siderolabs/go-pointer"

	"github.com/talos-tsbridge/talos-tsbridge/internal/containerboot"
	"github.com/talos-tsbridge/talos-tsbridge/internal/secret"
	"github.com/talos-tsbridge/talos-tsbridge/patch"
)

// settingsOf returns what a machine config says of the tailnet, as far as settings can say it: neither its role nor a key.
func settingsOf(config tree) patch.Settings {
	settings := patch.Settings{NodeIPSubnets: config.nodeIPSubnets()}

	if etcd := config.etcdSubnets(); !slices.Equal(etcd, settings.NodeIPSubnets) {
		settings.EtcdSubnets = etcd
	}

	environment := config.environment()

	for name, value := range environment {
		switch name {
		case "TS_HOSTNAME":
			settings.Hostname = &value
		case "TS_ROUTES":
			settings.AdvertiseRoutes = splitList(value)
		case "TS_ACCEPT_DNS":
			settings.AcceptDNS = trueOnly(value)
		case "TS_USERSPACE":
			settings.Userspace = trueOnly(value)
		case "TS_AUTH_ONCE":
			if value == "false" {
				settings.AuthOnce = pointer.To(false)
			}
		case "TS_STATE_DIR":
			if value != "/var/lib/tailscale" {
				settings.StateDir = &value
			}
		case "TS_EXTRA_ARGS":
			setArguments(&settings, value)
		case "TS_TAILSCALED_EXTRA_ARGS":
			if port, ok := strings.CutPrefix(value, "--port="); ok {
				if number, err := strconv.ParseUint(port, 10, 16); err == nil {
					settings.TailscaledPort = pointer.To(uint16(number))

					continue
				}
			}

			setVariable(&settings, name, value)
		default:
			if !secret.IsVariable(name) && !secret.Looks(value) {
				setVariable(&settings, name, value)
			}
		}
	}

	return settings
}

// kept returns the fields that the config of a node says something for before and after, and the settings do not.
func kept(before, after tree, settings patch.Settings) []string {
	had, has := settingsOf(before), settingsOf(after)

	var fields []string

	for _, choice := range patch.Choices() {
		_, wasThere := choice.Text(&had)
		_, isThere := choice.Text(&has)

		if _, given := choice.Text(&settings); wasThere && isThere && !given {
			fields = append(fields, choice.Field)
		}
	}

	return fields
}

func setVariable(settings *patch.Settings, name, value string) {
	if settings.Env == nil {
		settings.Env = map[string]string{}
	}

	settings.Env[name] = value
}

func trueOnly(value string) *bool {
	if value == "true" {
		return pointer.To(true)
	}

	return nil // the default
}

func splitList(text string) []string {
	if text == "" {
		return []string{}
	}

	return strings.Split(text, ",")
}

// setArguments reads the arguments of tailscale up into the settings that make them. Those that cannot be read, and keys, are
// left out.
func setArguments(settings *patch.Settings, text string) {
	arguments, _ := containerboot.Environment{{Name: containerboot.UpVariable, Value: text}}.UpArguments() // as far as they can be read

	for _, argument := range arguments {
		yes := pointer.To(argument.Value != "false")

		switch argument.Name {
		case "advertise-tags":
			settings.AdvertiseTags = splitList(argument.Value)
		case "advertise-routes":
			settings.AdvertiseRoutes = splitList(argument.Value)
		case "hostname":
			settings.Hostname = &argument.Value
		case "accept-dns":
			settings.AcceptDNS = yes
		case "accept-routes":
			settings.AcceptRoutes = trueOnly(argument.Value)
		case "login-server":
			settings.LoginServer = &argument.Value
		case "ssh":
			settings.SSH = yes
		case "advertise-exit-node":
			settings.AdvertiseExitNode = yes
		case "snat-subnet-routes":
			settings.SNATSubnetRoutes = yes
		case "shields-up":
			settings.ShieldsUp = yes
		case "reset", "auth-key", "client-secret", "client-id", "id-token":
		default:
			if !secret.Looks(argument.Value) {
				settings.ExtraArgs = append(settings.ExtraArgs, argument.String())
			}
		}
	}
}
