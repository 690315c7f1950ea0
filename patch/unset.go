package patch

import (
	"slices"
	"strings"

	"github.com/talos-tsbridge/talos-tsbridge/internal/containerboot"
	"github.com/talos-tsbridge/talos-tsbridge/internal/quote"
)

// WithUnset takes settings out of the machine config that the patch is applied to, whoever set them: variables of the service by
// their names, and arguments of tailscale up or tailscaled as --NAME. What has a variable and a flag, such as TS_HOSTNAME and
// --hostname, goes in both forms. --node-ip-subnet and --etcd-subnet stand for their lists. What has a default gets it again;
// routes are written as an empty TS_ROUTES, because a node that has joined keeps those that are only left out. It is for
// [Patch.Apply]. Default: none.
func WithUnset(names ...string) Option {
	return func(o *options) { add(&o.unset, names...) }
}

// flagVariables are the variables of flags of this package that are none of tailscale up's.
var flagVariables = map[string]string{
	"state-dir": "TS_STATE_DIR", "auth-once": "TS_AUTH_ONCE", "userspace": "TS_USERSPACE", "serve-config": serveVariable,
}

// removeUnset removes what is to be unset.
func (c *composer) removeUnset() {
	const option = "unset"

	for _, name := range c.unset {
		flag, isFlag := strings.CutPrefix(name, "-")
		flag = strings.TrimPrefix(flag, "-")

		switch {
		case !isFlag && !variableName().MatchString(name):
			c.faults.add(CodeInvalid, option, "`unset` %s is no name: write a variable, such as TS_HOSTNAME, or a flag, such as --hostname", quote.Value(name))
		case !isFlag:
			c.unsetVariable(name)
		case flag == nodeIPFlag || flag == etcdFlag:
		case flagVariables[flag] != "":
			c.unsetVariable(flagVariables[flag])
		default:
			if !c.unsetFlag(flag) {
				c.faults.add(CodeInvalid, option, "`unset` %s is no flag of tailscale up or tailscaled that the config has: write a variable, such as "+
					"TS_HOSTNAME, or a flag, such as --hostname", quote.Value(name))
			}
		}
	}
}

func (c *composer) unsetVariable(name string) {
	for _, spelling := range containerboot.Spellings() {
		if spelling.Variable == name {
			c.unsetSetting(spelling)

			return
		}
	}

	c.removeVariable(name)
}

func (c *composer) removeVariable(name string) {
	if mount, isFile := strings.CutPrefix(c.environment.Get(name), "file:"); isFile {
		c.removeFile(mount)
	}

	if name == serveVariable {
		c.removeFile(c.environment.Get(name))
	}

	c.environment.Remove(name)
}

// unsetSetting removes a setting in both of its forms.
func (c *composer) unsetSetting(spelling containerboot.Spelling) {
	had := c.environment.Has(spelling.Variable)
	had = c.removeTokens(containerboot.UpVariable, containerboot.Up, spelling.Flag) || had

	if spelling.Variable == "TS_ROUTES" {
		if had {
			c.environment.Set(spelling.Variable, "")
		}

		return
	}

	c.removeVariable(spelling.Variable)

	if spelling.Variable == "TS_AUTHKEY" {
		c.removeVariable("TS_AUTH_KEY")
	}
}

// unsetFlag removes an argument. It reports whether there can be one of that name.
func (c *composer) unsetFlag(flag string) bool {
	flag = strings.TrimPrefix(flag, "tailscaled-") // --tailscaled-port is the --port of tailscaled

	for _, spelling := range containerboot.Spellings() {
		if spelling.Flag == containerboot.Up.Canonical(flag) {
			c.unsetSetting(spelling)

			return true
		}
	}

	ofUp := c.removeTokens(containerboot.UpVariable, containerboot.Up, flag)
	ofDaemon := c.removeTokens(containerboot.DaemonVariable, containerboot.Daemon, flag)

	return ofUp || ofDaemon || containerboot.Up.Has(flag) || containerboot.Daemon.Has(flag)
}

// removeTokens takes arguments that set a flag out of a variable, also such as the program does not know.
func (c *composer) removeTokens(variable string, flags containerboot.Flags, flag string) bool {
	value, ok := c.environment.Lookup(variable)
	tokens := strings.Fields(value)

	kept := containerboot.Without(flags, tokens, flag)
	if !ok || len(kept) == len(tokens) {
		return false
	}

	if len(kept) == 0 {
		c.environment.Remove(variable)
	} else {
		c.environment.Set(variable, strings.Join(kept, " "))
	}

	return true
}

// checkUnset refuses to give what is unset.
func (c *composer) checkUnset() {
	const option = "unset"

	if len(c.unset) > 0 && c.target == nil {
		c.faults.add(CodeUnsupported, option, "`unset` takes settings out of a machine config: it is for apply")
	}

	for _, name := range c.unset {
		if c.given[name] && name != containerboot.UpVariable {
			c.faults.add(CodeConflict, option, "`unset` %s takes out what is given: leave one of them out", name)
		}
	}
}

// isUnset reports whether a flag of this package is among those to unset.
func (o *options) isUnset(flag string) bool {
	return slices.ContainsFunc(o.unset, func(name string) bool { return strings.TrimLeft(name, "-") == flag })
}

const (
	nodeIPFlag = "node-ip-subnet"
	etcdFlag   = "etcd-subnet"
)
