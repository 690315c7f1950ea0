package patch

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/siderolabs/go-pointer"

	"github.com/talos-tsbridge/talos-tsbridge/internal/quote"
)

const tailscaledExtraArgs = "TS_TAILSCALED_EXTRA_ARGS"

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// refusedVariables are not for users to set. The values say why and what to do instead.
var refusedVariables = map[string]string{
	"TS_AUTHKEY":     "is set from the auth key: use the source of the `auth-key`",
	"TS_AUTH_KEY":    "is another name of TS_AUTHKEY: use the source of the `auth-key`",
	"TS_AUTH_ONCE":   "has an option: use `auth-once`",
	"TS_STATE_DIR":   "has an option: use `state-dir`",
	"TS_HOSTNAME":    "has an option: use `hostname`",
	"TS_ROUTES":      "has an option: use `advertise-routes`",
	"TS_ACCEPT_DNS":  "has an option: use `accept-dns`",
	"TS_EXTRA_ARGS":  "is composed from the options: use them, or `extra-arg`",
	"TS_USERSPACE":   "has an option: use `userspace`",
	"PATH":           "belongs to the system extension, which finds tailscaled by it: leave it out",
	"TS_SOCKET":      "belongs to the system extension, which mounts its directory: leave it out",
	"TS_KUBE_SECRET": onKubernetes, "KUBERNETES_SERVICE_HOST": onKubernetes,
	"TS_EGRESS_PROXIES_CONFIG_PATH":        onKubernetes,
	"TS_INGRESS_PROXIES_CONFIG_PATH":       onKubernetes,
	"TS_EXPERIMENTAL_VERSIONED_CONFIG_DIR": "replaces the whole environment, so containerboot refuses it beside the rest: leave it out",
}

const onKubernetes = "makes the service look for a Kubernetes service account, which only a pod has: leave it out"

// optionOf names the choice that a variable comes from.
func optionOf(variable string) string {
	option, ok := map[string]string{
		"TS_STATE_DIR": "state-dir", "TS_HOSTNAME": "hostname", "TS_ROUTES": "advertise-routes", "TS_EXTRA_ARGS": "extra-arg",
	}[variable]
	if !ok {
		return "env"
	}

	return option
}

// boolVariables are the ones that containerboot reads as booleans. What it cannot read is the default to it, without a
// word.
var boolVariables = []string{
	"EXPERIMENTAL_ALLOW_PROXYING_CLUSTER_TRAFFIC_VIA_INGRESS",
	"TS_ENABLE_HEALTH_CHECK",
	"TS_ENABLE_METRICS",
	"TS_EXPERIMENTAL_CERT_SHARE",
	"TS_EXPERIMENTAL_ENABLE_FORWARDING_OPTIMIZATIONS",
	"TS_EXPERIMENTAL_SERVICE_AUTO_ADVERTISEMENT",
}

// tailscaledFlags are the flags of tailscaled on Linux, as of 1.102.
var tailscaledFlags = flagSet{
	field:   tailscaledExtraArgs,
	program: "tailscaled",
	kinds: map[string]flagKind{
		"bird-socket":                stringFlag,
		"cleanup":                    boolFlag,
		"config":                     stringFlag,
		"debug":                      stringFlag,
		"encrypt-state":              boolFlag,
		"hardware-attestation":       boolFlag,
		"no-logs-no-support":         boolFlag,
		"outbound-http-proxy-listen": stringFlag,
		"port":                       intFlag,
		"socket":                     stringFlag,
		"socks5-server":              stringFlag,
		"state":                      stringFlag,
		"statedir":                   stringFlag,
		"syslog":                     boolFlag,
		"syspolicy-file":             stringFlag,
		"tun":                        stringFlag,
		"verbose":                    intFlag,
		"version":                    boolFlag,
	},
}

// refusedTailscaledFlags are set by containerboot, or end tailscaled at once.
var refusedTailscaledFlags = map[string]string{
	"cleanup":                    "ends tailscaled at once",
	"config":                     "replaces the configuration by environment",
	"debug":                      "is set by the variable TS_DEBUG_ADDR_PORT",
	"outbound-http-proxy-listen": "is set by the variable TS_OUTBOUND_HTTP_PROXY_LISTEN",
	"socket":                     "is set by the system extension",
	"socks5-server":              "is set by the variable TS_SOCKS5_SERVER",
	"state":                      "is set by the option `state-dir`",
	"statedir":                   "is set by the option `state-dir`",
	"tun":                        "is set by the option `userspace`",
	"version":                    "ends tailscaled at once",
}

// checkEnvironment returns the faults of the further variables, alone and beside what the other options set.
func checkEnvironment(o *options, given, composed []variable) Faults {
	var (
		faults Faults
		values map[string]string
	)

	if len(given) > 0 {
		values = make(map[string]string, len(given))
	}

	for _, v := range given {
		switch reason, refused := refusedVariables[v.name]; {
		case !variableName.MatchString(v.name):
			faults.add(CodeInvalid, "env", "variable %s is not a name: use letters, digits and underscores, as in NAME=VALUE", quote.Value(v.name))

			continue
		case refused:
			faults.add(CodeReserved, "env", "variable %s %s", v.name, reason)
		case v.name == tailscaledExtraArgs && slices.ContainsFunc(composed, func(c variable) bool { return c.name == v.name }):
			faults.add(CodeConflict, "tailscaled-port", "variable %s and `tailscaled-port` exclude each other: add --port=N to the variable", v.name)
		default:
			if err := checkVariable(v); err != nil {
				faults.add(CodeInvalid, "env", "variable %s %s", v.name, err)
			}
		}

		values[v.name] = v.value
	}

	return append(faults, checkCombinations(!o.AuthKey.IsZero(), pointer.SafeDeref(o.Userspace), values)...)
}

// checkVariable checks the value of a variable by the way containerboot reads it. An empty value is the same to it as
// none. No error repeats a value that may be a secret.
func checkVariable(v variable) error {
	switch {
	case v.value == "":
		return nil
	case strings.ContainsFunc(v.value, unicode.IsControl):
		return errors.New("has a value with a line break or control character: leave it out")
	case slices.Contains(boolVariables, v.name):
		if v.value != "true" && v.value != "false" {
			return errors.New("is read as a boolean, and as its default when it is none: write true or false")
		}

		return nil
	}

	switch v.name {
	case "TS_CLIENT_SECRET", "TS_ID_TOKEN":
		if !strings.HasPrefix(v.value, "file:") {
			return errors.New("is a secret, which does not belong into an argument: put it into a file of the service and write file:PATH")
		}
	case "TS_DEST_IP", "TS_TAILNET_TARGET_IP":
		if _, err := netip.ParseAddr(v.value); err != nil {
			return fmt.Errorf("has the value %s, which is not an IP address: write one such as 100.82.13.87", quote.Value(v.value))
		}
	case "TS_LOCAL_ADDR_PORT", "TS_DEBUG_ADDR_PORT", "TS_HEALTHCHECK_ADDR_PORT":
		if _, err := netip.ParseAddrPort(v.value); err != nil {
			return fmt.Errorf("has the value %s, which is not IP:PORT: write one such as 127.0.0.1:9002", quote.Value(v.value))
		}
	case "TS_SOCKS5_SERVER", "TS_OUTBOUND_HTTP_PROXY_LISTEN":
		if _, _, err := net.SplitHostPort(v.value); err != nil {
			return fmt.Errorf("has the value %s, which is not HOST:PORT: write one such as localhost:1055", quote.Value(v.value))
		}
	case "TS_BOOT_TIMEOUT":
		if _, err := time.ParseDuration(v.value); err != nil {
			return fmt.Errorf("has the value %s, which is not a duration: write one such as 90s", quote.Value(v.value))
		}
	case tailscaledExtraArgs:
		return checkTailscaledArgs(v.value)
	}

	return nil
}

func checkTailscaledArgs(text string) error {
	arguments, err := tailscaledFlags.parse(strings.Fields(text))
	if err != nil {
		return fmt.Errorf("has arguments that tailscaled refuses: %s", strings.ReplaceAll(err.Error(), "\n", "; "))
	}

	for i, argument := range arguments {
		if reason, ok := refusedTailscaledFlags[argument.name]; ok {
			return fmt.Errorf("has --%s, which %s: leave it out", argument.name, reason)
		}

		if slices.ContainsFunc(arguments[:i], func(a flagArgument) bool { return a.name == argument.name }) {
			return fmt.Errorf("has --%s twice: give it once", argument.name)
		}
	}

	return nil
}

// checkCombinations returns the faults of variables that containerboot refuses together.
func checkCombinations(hasKey, userspace bool, values map[string]string) Faults {
	if len(values) == 0 {
		return nil
	}

	set := func(name string) bool { return values[name] != "" }

	var faults Faults

	check := func(wrong bool, format string, args ...any) {
		if wrong {
			faults.add(CodeConflict, "env", format, args...)
		}
	}

	for _, name := range []string{"TS_CLIENT_ID", "TS_CLIENT_SECRET", "TS_ID_TOKEN", "TS_AUDIENCE"} {
		check(set(name) && hasKey, "an auth key and the variable %s exclude each other: the node logs in one way", name)
	}

	for _, name := range []string{"TS_ID_TOKEN", "TS_AUDIENCE"} {
		if set(name) && !set("TS_CLIENT_ID") {
			faults.add(CodeMissing, "env", "variable %s needs TS_CLIENT_ID: set it", name)
		}
	}

	for _, pair := range [][2]string{
		{"TS_CLIENT_SECRET", "TS_ID_TOKEN"},
		{"TS_AUDIENCE", "TS_ID_TOKEN"},
		{"TS_AUDIENCE", "TS_CLIENT_SECRET"},
		{"TS_DEST_IP", "TS_EXPERIMENTAL_DEST_DNS_NAME"},
		{"TS_TAILNET_TARGET_FQDN", "TS_TAILNET_TARGET_IP"},
	} {
		check(set(pair[0]) && set(pair[1]), "variables %s and %s exclude each other", pair[0], pair[1])
	}

	if userspace {
		for _, name := range []string{"TS_DEST_IP", "TS_EXPERIMENTAL_DEST_DNS_NAME", "TS_TAILNET_TARGET_FQDN", "TS_TAILNET_TARGET_IP"} {
			check(set(name), "variable %s does not work with `userspace`: leave one of them out", name)
		}

		const optimizations = "TS_EXPERIMENTAL_ENABLE_FORWARDING_OPTIMIZATIONS"
		check(values[optimizations] == "true", "variable %s does not work with `userspace`: leave one of them out", optimizations)
	}

	const ingress = "EXPERIMENTAL_ALLOW_PROXYING_CLUSTER_TRAFFIC_VIA_INGRESS"
	check(values[ingress] == "true", "variable %s is for proxies that the Kubernetes operator runs: leave it out", ingress)

	check(values["TS_ENABLE_HEALTH_CHECK"] == "true" && set("TS_HEALTHCHECK_ADDR_PORT"),
		"variables TS_ENABLE_HEALTH_CHECK and TS_HEALTHCHECK_ADDR_PORT exclude each other: TS_LOCAL_ADDR_PORT sets the address of the former")

	return faults
}
