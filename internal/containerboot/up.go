package containerboot

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/talos-tsbridge/talos-tsbridge/internal/quote"
	"github.com/talos-tsbridge/talos-tsbridge/internal/tailaddr"
)

// Up are the flags of tailscale up on Linux.
var Up = Flags{
	program: "tailscale up",
	kinds: map[string]flagKind{
		"accept-dns":                 boolFlag,
		"accept-risk":                stringFlag,
		"accept-routes":              boolFlag,
		"advertise-connector":        boolFlag,
		"advertise-exit-node":        boolFlag,
		"advertise-routes":           stringFlag,
		"advertise-tags":             stringFlag,
		"audience":                   stringFlag,
		"auth-key":                   stringFlag,
		"client-id":                  stringFlag,
		"client-secret":              stringFlag,
		"exit-node":                  stringFlag,
		"exit-node-allow-lan-access": boolFlag,
		"force-reauth":               boolFlag,
		"host-routes":                boolFlag,
		"hostname":                   stringFlag,
		"id-token":                   stringFlag,
		"json":                       boolFlag,
		"login-server":               stringFlag,
		"netfilter-mode":             stringFlag,
		"operator":                   stringFlag,
		"qr":                         boolFlag,
		"qr-format":                  stringFlag,
		"report-posture":             boolFlag,
		"reset":                      boolFlag,
		"shields-up":                 boolFlag,
		"snat-subnet-routes":         boolFlag,
		"ssh":                        boolFlag,
		"stateful-filtering":         boolFlag,
		"timeout":                    durationFlag,
	},
	aliases: map[string]string{"authkey": "auth-key", "posture-checking": "report-posture"},
}

// CheckUpValue says what tailscale up refuses in the value of a flag, or returns "".
func CheckUpValue(argument Argument) string {
	switch argument.Name {
	case "advertise-tags":
		if _, err := tailaddr.ParseTags([]string{argument.Value}); err != nil {
			return strings.ReplaceAll(err.Error(), "\n", "; ")
		}
	case "advertise-routes":
		if _, _, err := ParseRoutes("", []string{argument.Value}); err != nil {
			return strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", "; ")
		}
	case "hostname":
		if reason := CheckHostname(argument.Value); reason != "" && argument.Value != "" {
			return quote.Value(argument.Value) + " " + reason
		}
	case "login-server":
		return CheckURL(argument.Value)
	case "exit-node":
		return checkExitNode(argument.Value)
	case "netfilter-mode":
		return oneOf(argument.Value, "on", "nodivert", "off")
	case "qr-format":
		return oneOf(argument.Value, "auto", "ascii", "large", "small")
	case "host-routes":
		if argument.Value != "true" {
			return "can only be true: leave it out"
		}
	}

	return ""
}

// checkExitNode refuses names: tailscale cannot resolve one while it starts, and containerboot fails with it.
func checkExitNode(value string) string {
	if _, err := netip.ParseAddr(value); err == nil || value == "" || strings.HasPrefix(value, "auto:") {
		return ""
	}

	return quote.Value(value) + " is a name, which cannot be resolved while tailscale starts: write the tailnet address of the exit node, or auto:any"
}

func oneOf(value string, values ...string) string {
	if slices.Contains(values, value) {
		return ""
	}

	return quote.Value(value) + " is unknown: write one of " + strings.Join(values, ", ")
}

// CheckUpCombination says which flags tailscale up does not take together, or returns "". The first name is that of the flag
// that lacks another one, or that excludes it.
func CheckUpCombination(arguments []Argument) (name, reason string) {
	exitNode, _ := Find(arguments, "exit-node")

	switch {
	case exitNode == "" && IsTrue(arguments, "exit-node-allow-lan-access"):
		return "exit-node-allow-lan-access", "needs --exit-node: add it"
	case exitNode != "" && IsTrue(arguments, "advertise-exit-node"):
		return "advertise-exit-node", "and --exit-node exclude each other: a node is or uses an exit node"
	}

	return "", ""
}

// IsTrue reports whether a boolean flag is set.
func IsTrue(arguments []Argument, name string) bool {
	value, ok := Find(arguments, name)
	is, err := strconv.ParseBool(value)

	return ok && err == nil && is
}
