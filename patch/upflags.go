package patch

import (
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/talos-tsbridge/talos-tsbridge/internal/quote"
	"github.com/talos-tsbridge/talos-tsbridge/internal/tailaddr"
)

// upFlags are the flags of tailscale up on Linux, as of 1.102. tailscale up refuses any other, and containerboot fails
// with it.
var upFlags = flagSet{
	field:   "`extra-arg`",
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

// ownUpFlags are flags that are always set, or set through a variable that does more than the flag: given freely they
// would be given twice, which tailscale up refuses, or override the variable without a word. The values say what to use.
var ownUpFlags = map[string]string{
	"accept-dns":       "`accept-dns`",
	"accept-routes":    "`accept-routes`",
	"advertise-routes": "`advertise-routes`",
	"audience":         "the variable TS_AUDIENCE",
	"auth-key":         "the source of the `auth-key`",
	"client-id":        "the variable TS_CLIENT_ID",
	"client-secret":    "the variable TS_CLIENT_SECRET",
	"hostname":         "`hostname`",
	"id-token":         "the variable TS_ID_TOKEN",
}

// checkUpArguments checks the free arguments against each other and against the composed ones, and returns all of them.
func checkUpArguments(composed, free []flagArgument, faults *Faults) []flagArgument {
	all := slices.Clip(composed)

	for _, argument := range free {
		if instead, ok := ownUpFlags[argument.name]; ok {
			faults.add(CodeReserved, "extra-arg", "`extra-arg` --%s: use %s instead", argument.name, instead)

			continue
		}

		if slices.ContainsFunc(all, func(a flagArgument) bool { return a.name == argument.name }) {
			faults.add(CodeDuplicate, "extra-arg", "`extra-arg` --%s is set already, and tailscale up refuses a flag given twice: give it once",
				argument.name)

			continue
		}

		if reason := checkUpValue(argument); reason != "" {
			faults.add(CodeInvalid, "extra-arg", "`extra-arg` --%s %s", argument.name, reason)
		}

		all = append(all, argument)
	}

	checkUpCombinations(all, faults)

	return all
}

// valueOf returns the value of a flag, or "" where it is not set.
func valueOf(arguments []flagArgument, name string) string {
	for _, argument := range arguments {
		if argument.name == name {
			return argument.value
		}
	}

	return ""
}

// checkUpValue says what is wrong with the value of a free argument, or returns "".
func checkUpValue(argument flagArgument) string {
	switch argument.name {
	case "advertise-tags":
		if _, err := tailaddr.ParseTags([]string{argument.value}); err != nil {
			return strings.ReplaceAll(err.Error(), "\n", "; ")
		}
	case "login-server":
		return checkURL(argument.value)
	case "exit-node":
		return checkExitNode(argument.value)
	case "netfilter-mode":
		return oneOf(argument.value, "on", "nodivert", "off")
	case "qr-format":
		return oneOf(argument.value, "auto", "ascii", "large", "small")
	case "host-routes":
		if argument.value != "true" {
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

// checkUpCombinations finds flags that tailscale up does not take together.
func checkUpCombinations(arguments []flagArgument, faults *Faults) {
	exitNode := valueOf(arguments, "exit-node")

	if isTrue(valueOf(arguments, "exit-node-allow-lan-access")) && exitNode == "" {
		faults.add(CodeMissing, "extra-arg", "`extra-arg` --exit-node-allow-lan-access needs --exit-node: add it")
	}

	if exitNode != "" && isTrue(valueOf(arguments, "advertise-exit-node")) {
		faults.add(CodeConflict, "advertise-exit-node", "`extra-arg` --exit-node and `advertise-exit-node` exclude each other: a node is or uses an exit node")
	}
}

func isTrue(value string) bool {
	if value == "" {
		return false
	}

	is, err := strconv.ParseBool(value)

	return err == nil && is
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
