package patch

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/talos-tsbridge/talos-tsbridge/internal/containerboot"
	"github.com/talos-tsbridge/talos-tsbridge/internal/lazyregexp"
	"github.com/talos-tsbridge/talos-tsbridge/internal/quote"
)

var variableName = lazyregexp.New(`^[A-Za-z_][A-Za-z0-9_]*$`)

// variableOptions are variables that an option sets. The values say which one to use.
var variableOptions = map[string]string{
	"TS_AUTHKEY":             "is set from the auth key: use the source of the `auth-key`",
	"TS_AUTH_KEY":            "is another name of TS_AUTHKEY: use the source of the `auth-key`",
	"TS_AUTH_ONCE":           "has an option: use `auth-once`",
	"TS_STATE_DIR":           "has an option: use `state-dir`",
	"TS_HOSTNAME":            "has an option: use `hostname`",
	"TS_ROUTES":              "has an option: use `advertise-routes`",
	"TS_ACCEPT_DNS":          "has an option: use `accept-dns`",
	containerboot.UpVariable: "is composed from the options: use them, or `extra-arg`",
	"TS_USERSPACE":           "has an option: use `userspace`",
}

// optionOf names the choice that a variable comes from.
func optionOf(variable string) string {
	option, ok := map[string]string{
		"TS_STATE_DIR": "state-dir", "TS_HOSTNAME": "hostname", "TS_ROUTES": "advertise-routes", containerboot.UpVariable: "extra-arg",
	}[variable]
	if !ok {
		return "env"
	}

	return option
}

// setFurther gives the variables that have no option, by name, and those of options that come after all others.
func (c *composer) setFurther() {
	further := c.Env

	if c.Userspace != nil {
		// false is what the system extension sets, so it is written only to replace another value
		if *c.Userspace {
			c.notes.add(NoteUserspace, "userspace networking: pods do not reach the tailnet through the node")
		}

		if *c.Userspace || c.environment.Has("TS_USERSPACE") || c.environment.Removes("TS_USERSPACE") {
			put(&further, "TS_USERSPACE", strconv.FormatBool(*c.Userspace))
		}
	}

	c.setFiles(&further)

	for _, name := range sortedKeys(further) {
		if name == containerboot.DaemonVariable {
			c.checkGiven(name, further[name]) // it is in its place already

			continue
		}

		value := further[name]

		if _, isFree := c.Env[name]; isFree {
			value = c.checkGiven(name, value)
		}

		c.give(name, value)
	}
}

// checkGiven checks a variable that is given freely, alone, and returns its value as it is written.
func (c *composer) checkGiven(name, value string) string {
	const option = "env"

	reason, hasOption := variableOptions[name]
	if !hasOption {
		reason = containerboot.ReservedVariable(name)
	}

	switch {
	case !variableName().MatchString(name):
		c.faults.add(CodeInvalid, option, "variable %s is not a name: use letters, digits and underscores, as in NAME=VALUE", quote.Value(name))
	case reason != "":
		c.faults.add(CodeReserved, option, "variable %s %s", name, reason)
	case strings.HasPrefix(strings.ToUpper(name), "TS_") && name != strings.ToUpper(name):
		c.faults.add(CodeInvalid, option, "variable %s is read by nothing, because of its small letters: write %s", name, strings.ToUpper(name))
	case strings.HasPrefix(value, placeholderPrefix):
		value, _ = c.placeholder(option, value)
	default:
		if err := containerboot.CheckVariable(containerboot.Variable{Name: name, Value: value}); err != nil {
			c.faults.add(CodeInvalid, option, "variable %s %s", name, err)
		}
	}

	if slices.Contains(containerboot.Bools(), name) {
		if is, err := strconv.ParseBool(value); err == nil {
			return strconv.FormatBool(is)
		}
	}

	return value
}

// whole is the environment as containerboot sees it, with a text in place of the key.
func (c *composer) whole() containerboot.Environment {
	environment := slices.Clone(c.environment)
	if !c.AuthKey.IsZero() {
		environment.Set("TS_AUTHKEY", "the key")
	}

	return environment
}

// checkWhole finds what would stop the service: variables that are refused together, and what the config has that was never
// right. Of the values of given ones the faults are known.
func (c *composer) checkWhole() {
	var problems []containerboot.Problem
	if c.earlier != nil || len(c.Env) > 0 { // what options compose is in order
		problems = containerboot.Fatal(c.whole())
	}

	for _, problem := range problems {
		kept := slices.DeleteFunc(slices.Clone(problem.Variables), func(name string) bool { return c.given[name] || !c.earlier.Has(name) })

		switch {
		case len(kept) > 0 && c.isReported(problem):
		case len(kept) > 0:
			c.faultInConfig(kept, problem.Text)
		case problem.IsValue:
		case problem.Missing:
			c.faults.add(CodeMissing, problemOption(problem), "%s", problem.Text)
		default:
			c.faults.add(CodeConflict, problemOption(problem), "%s", problem.Text)
		}
	}

	if c.AuthKey.IsZero() && !c.environment.HasLogin() {
		c.notes.add(NoteNoKey, "no auth key: only a node that kept its state joins the tailnet")
	} else if !c.environment.Bool("TS_AUTH_ONCE", false) {
		c.notes.add(NoteAuthEveryStart, "the node logs in at every start: once its key is used up, expired or revoked, the service fails after the next reboot")
	}

	c.checkFiles()
}

// isReported reports whether the arguments that a problem lies in were found to be wrong before.
func (c *composer) isReported(problem containerboot.Problem) bool {
	return problem.IsValue && slices.ContainsFunc(c.faults, func(f Fault) bool { return f.Code == CodeConfig && f.Option == problem.Variables[0] })
}

func problemOption(problem containerboot.Problem) string {
	if problem.Missing && slices.Contains(problem.Variables, containerboot.UpVariable) {
		return "advertise-tags"
	}

	return "env"
}

// faultInConfig reports variables of the config that would stop the service.
func (c *composer) faultInConfig(variables []string, text string) {
	c.faults.add(CodeConfig, variables[0], "the machine config's own %s; the service would not start: take it out with `unset` %s, or give another value",
		text, variables[0])
}

// forwardsIPv6 reports whether the node has to forward IPv6 packets, and says so. containerboot exits over routes and
// destinations when the kernel does not; for an exit node tailscale only warns, and the IPv6 traffic of its clients goes nowhere.
func (c *composer) forwardsIPv6() bool {
	reason := ""

	switch {
	case containerboot.IsIPv6(c.environment.Get("TS_DEST_IP")), containerboot.IsIPv6(c.environment.Get("TS_TAILNET_TARGET_IP")):
		reason = "an IPv6 destination"
	case c.hasIPv6Route():
		reason = "an IPv6 route"
	case containerboot.IsTrue(c.arguments, "advertise-exit-node"):
		reason = "an exit node, which takes IPv6 traffic too,"
	default:
		return false
	}

	if c.target.forwardsIPv6() {
		return true
	}

	c.notes.add(NoteForwarding, "%s needs forwarding, so the patch sets the sysctl %s=1", reason, forwardingSysctl)

	return true
}

func (c *composer) hasIPv6Route() bool {
	inArguments, _ := containerboot.Find(c.arguments, "advertise-routes")
	if inArguments == "" && c.environment.Get("TS_ROUTES") == "" {
		return false
	}

	routes, _, _ := containerboot.ParseRoutes("", []string{c.environment.Get("TS_ROUTES"), inArguments})

	return slices.ContainsFunc(routes, func(r netip.Prefix) bool { return r.Addr().Is6() })
}
