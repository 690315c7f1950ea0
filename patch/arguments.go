package patch

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/siderolabs/go-pointer"

	"github.com/talos-tsbridge/talos-tsbridge/authkey"
	"github.com/talos-tsbridge/talos-tsbridge/internal/containerboot"
	"github.com/talos-tsbridge/talos-tsbridge/internal/tailaddr"
)

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

// setArguments gives the arguments of tailscale up. Those of the config keep their order, new ones come after them: first those
// of options in a fixed order, then the free ones as they are given.
func (c *composer) setArguments() {
	kept, err := c.environment.UpArguments()
	if err != nil && c.earlier != nil {
		c.faultInConfig([]string{containerboot.UpVariable}, "variable "+containerboot.UpVariable+" has arguments that tailscale up refuses: "+oneLine(err))
	}

	// a setting that a variable gives has no other place
	c.arguments = slices.DeleteFunc(slices.Clone(kept), func(a containerboot.Argument) bool {
		return slices.ContainsFunc(containerboot.Spellings(), func(s containerboot.Spelling) bool { return s.Flag == a.Name && c.given[s.Variable] })
	})

	composed := c.composedArguments()
	free := c.freeArguments(composed)

	for _, arguments := range [][]containerboot.Argument{composed, free} {
		for _, argument := range arguments {
			c.setArgument(argument)
		}
	}

	if _, ok := containerboot.Find(c.arguments, "accept-routes"); !ok {
		// before what comes after it in a new environment
		at := 0
		if c.earlier != nil {
			at = len(c.arguments)
		} else if _, hasTags := containerboot.Find(c.arguments, "advertise-tags"); hasTags && len(c.AdvertiseTags) > 0 {
			at = 1
		}

		c.arguments = slices.Insert(c.arguments, at, containerboot.NewArgument("accept-routes", "false"))
	}

	if text := containerboot.Join(c.arguments); text != containerboot.Join(kept) || !c.environment.Has(containerboot.UpVariable) {
		c.environment.Set(containerboot.UpVariable, text)
	}

	c.given[containerboot.UpVariable] = len(composed)+len(free) > 0 || c.earlier == nil

	c.checkTags()
}

// setArgument gives an argument at the place of an earlier one, or at the end. One that says the same stays as it is written.
func (c *composer) setArgument(argument containerboot.Argument) {
	i := slices.IndexFunc(c.arguments, func(a containerboot.Argument) bool { return a.Name == argument.Name })

	switch {
	case i < 0:
		c.arguments = append(c.arguments, argument)

		return
	case c.arguments[i].Value != argument.Value:
		c.arguments[i] = argument
	}

	// tailscale up refuses a flag that is there twice
	j := i + 1
	c.arguments = append(c.arguments[:j:j], slices.DeleteFunc(slices.Clone(c.arguments[j:]), func(a containerboot.Argument) bool {
		return a.Name == argument.Name
	})...)
}

// composedArguments are those that options give.
func (c *composer) composedArguments() []containerboot.Argument {
	var composed []containerboot.Argument

	if len(c.AdvertiseTags) > 0 {
		given, texts := c.placeholders("advertise-tags", c.AdvertiseTags)

		tags, err := tailaddr.ParseTags(given)
		c.faults.addError(CodeInvalid, "advertise-tags", "`advertise-tags`: ", err)

		composed = append(composed, containerboot.NewArgument("advertise-tags", strings.Join(slices.Concat(tags, texts), ",")))
	}

	if c.AcceptRoutes != nil {
		composed = append(composed, containerboot.NewArgument("accept-routes", strconv.FormatBool(*c.AcceptRoutes)))
	}

	switch server := pointer.SafeDeref(c.LoginServer); {
	case c.LoginServer == nil:
	case server == "":
		c.removeArgument("login-server")
	default:
		if text, ok := c.placeholder("login-server", server); ok {
			server = text
		} else if reason := containerboot.CheckURL(server); reason != "" {
			c.faults.add(CodeInvalid, "login-server", "`login-server` %s", reason)
		}

		composed = append(composed, containerboot.NewArgument("login-server", server))
	}

	for _, flag := range []struct {
		name  string
		given *bool
	}{
		{"advertise-exit-node", c.AdvertiseExitNode},
		{"shields-up", c.ShieldsUp},
		{"snat-subnet-routes", c.SNATSubnetRoutes},
		{"ssh", c.SSH},
	} {
		if flag.given != nil {
			composed = append(composed, containerboot.NewArgument(flag.name, strconv.FormatBool(*flag.given)))
		}
	}

	return composed
}

func (c *composer) removeArgument(name string) {
	c.arguments = slices.DeleteFunc(c.arguments, func(a containerboot.Argument) bool { return a.Name == name })
}

// freeArguments are the free ones, as they are written, checked against each other and against the composed ones.
func (c *composer) freeArguments(composed []containerboot.Argument) []containerboot.Argument {
	const option = "extra-arg"

	given, texts := c.placeholders(option, c.ExtraArgs)

	parsed, err := containerboot.Up.Parse("`"+option+"`", given)
	c.faults.addError(CodeInvalid, option, "", err)

	var free []containerboot.Argument

	for _, argument := range parsed {
		if instead, ok := ownUpFlags[argument.Name]; ok {
			c.faults.add(CodeReserved, option, "`extra-arg` --%s: use %s instead", argument.Name, instead)

			continue
		}

		if _, twice := containerboot.Find(slices.Concat(composed, free), argument.Name); twice {
			c.faults.add(CodeDuplicate, option, "`extra-arg` --%s is set already, and tailscale up refuses a flag given twice: give it once", argument.Name)

			continue
		}

		if reason := containerboot.CheckUpValue(argument); reason != "" {
			c.faults.add(CodeInvalid, option, "`extra-arg` --%s %s", argument.Name, reason)
		}

		free = append(free, argument)
	}

	was, _ := containerboot.CheckUpCombination(c.arguments) // what the config has is judged as a whole

	switch name, reason := containerboot.CheckUpCombination(slices.Concat(c.arguments, composed, free)); name {
	case "", was:
	case "advertise-exit-node":
		c.faults.add(CodeConflict, name, "`advertise-exit-node` %s", reason)
	default:
		c.faults.add(CodeMissing, option, "`extra-arg` --%s %s", name, reason)
	}

	for _, text := range texts {
		free = append(free, containerboot.Argument{Name: text, Tokens: []string{text}})
	}

	return free
}

const clientNeedsTags = "an OAuth client secret needs tags, which the nodes get: set `advertise-tags` to the tags of the OAuth client"

// checkTags refuses a client secret without tags: the key that the node makes with it has to have some.
func (c *composer) checkTags() {
	tags, _ := containerboot.Find(c.arguments, "advertise-tags")

	if c.AuthKey.Kind() == authkey.KindClientSecret && tags == "" {
		c.faults.add(CodeMissing, "advertise-tags", clientNeedsTags)
	}
}

// setDaemonArguments gives the arguments of tailscaled. A firewall needs to know the port.
func (c *composer) setDaemonArguments() {
	const port = "port"

	if given, ok := c.Env[containerboot.DaemonVariable]; ok {
		if c.TailscaledPort != nil {
			c.faults.add(CodeConflict, "tailscaled-port", "variable %s and `tailscaled-port` exclude each other: add --port=N to the variable",
				containerboot.DaemonVariable)
		}

		c.give(containerboot.DaemonVariable, given)

		return
	}

	arguments, err := c.environment.DaemonArguments()
	if err != nil && c.earlier != nil {
		c.faultInConfig([]string{containerboot.DaemonVariable},
			"variable "+containerboot.DaemonVariable+" has arguments that tailscaled refuses: "+oneLine(err))

		return
	}

	wanted := c.TailscaledPort

	if fixed := portOf(arguments); wanted == nil && pointer.SafeDeref(c.Firewall) && pointer.SafeDeref(fixed) == 0 {
		wanted = pointer.To(uint16(tailscaledPort))
	}

	if wanted == nil || portOf(arguments) != nil && *portOf(arguments) == *wanted {
		return
	}

	given := containerboot.NewArgument(port, strconv.Itoa(int(*wanted)))

	if i := slices.IndexFunc(arguments, func(a containerboot.Argument) bool { return a.Name == port }); i >= 0 {
		arguments[i] = given
	} else {
		arguments = append(arguments, given)
	}

	c.give(containerboot.DaemonVariable, containerboot.Join(arguments))
}

// port is that of tailscaled, nil where its arguments name none.
func (c *composer) port() *uint16 {
	arguments, _ := c.environment.DaemonArguments()

	return portOf(arguments)
}

func portOf(arguments []containerboot.Argument) *uint16 {
	value, ok := containerboot.Find(arguments, "port")
	if !ok {
		return nil
	}

	number, err := strconv.ParseUint(value, 10, 16)
	if err != nil {
		return nil
	}

	return pointer.To(uint16(number))
}

func oneLine(err error) string { return strings.ReplaceAll(fmt.Sprint(err), "\n", "; ") }
