package patch

import (
	"slices"
	"strconv"
	"strings"

	"github.com/talos-tsbridge/talos-tsbridge/internal/containerboot"
)

// noteKept says what stays in the machine config although the patch would have chosen differently, and what a node that has
// joined does not take.
func (c *composer) noteKept() {
	if names, ok := c.target.oldVariables(); ok {
		c.notes.add(NoteOldAuthEnv, "machine.files of the machine config has %s, which nothing reads since Talos 1.7, and a key may be in it: take it out, and give "+
			"what it sets as options (%s)", oldAuthEnv, strings.Join(names, ", "))
	}

	if c.earlier == nil {
		return
	}

	if c.AcceptRoutes == nil && containerboot.IsTrue(c.arguments, "accept-routes") {
		c.notes.add(NoteKept, "--accept-routes stays on, as the machine config has it: whoever may advertise routes in the tailnet may redirect the traffic "+
			"of the node; `accept-routes`=false turns it off")
	}

	if c.Userspace == nil && c.environment.Userspace() {
		c.notes.add(NoteKept, "TS_USERSPACE stays on, as the machine config has it: pods do not reach the tailnet through the node; `userspace`=false turns it off")
	}

	if c.AcceptDNS == nil && (c.environment.Bool("TS_ACCEPT_DNS", false) || containerboot.IsTrue(c.arguments, "accept-dns")) {
		c.notes.add(NoteKept, "--accept-dns stays on, as the machine config has it: the node uses the DNS configuration of the tailnet; `accept-dns`=false turns it off")
	}

	for _, v := range c.environment {
		if v.Removes {
			c.notes.add(NoteKept, "variable %s stays without =, as the machine config has it, which takes away what the system extension sets: write %s=VALUE, or "+
				"take it out with `unset` %s", v.Name, v.Name, v.Name)
		}
	}

	c.noteKeptKey()

	if c.AuthOnce == nil && !c.environment.Bool("TS_AUTH_ONCE", false) {
		c.notes.add(NoteKept, "TS_AUTH_ONCE stays off, as the machine config has it: the node logs in at every start; `auth-once`=true turns it on")
	}

	if _, given := containerboot.Find(c.givenArguments(), "reset"); !given && containerboot.IsTrue(c.arguments, "reset") {
		c.notes.add(NoteKept, "--reset stays among the arguments, as the machine config has it: it is for one start alone; `unset` --reset takes it out")
	}

	for _, name := range containerboot.Bools() {
		value := c.environment.Get(name)
		if _, err := strconv.ParseBool(value); value != "" && err != nil {
			c.notes.add(NoteKept, "variable %s stays as the machine config has it, and containerboot takes what it cannot read as a boolean for its default: write "+
				"true or false, or take it out with `unset` %s", name, name)
		}
	}

	switch dir := c.environment.Get("TS_STATE_DIR"); {
	case c.StateDir != nil:
	case dir == "":
		c.notes.add(NoteStateLost, "TS_STATE_DIR stays empty, as the machine config has it: the state is kept in memory, and the node registers anew at every "+
			"start; `state-dir` %s keeps it", stateDir)
	case !isStateDir(dir):
		c.faultInConfig([]string{"TS_STATE_DIR"}, "variable TS_STATE_DIR names a directory that the system extension cannot write to")
	}

	c.noteJoined()
}

func (c *composer) givenArguments() []containerboot.Argument {
	parsed, _ := containerboot.Up.Parse("", c.ExtraArgs)

	return parsed
}

// noteJoined says what a node that has joined goes on with, whatever its variables say.
func (c *composer) noteJoined() {
	if c.environment.Bool("TS_AUTH_ONCE", false) && !sameSettings(c.earlierArguments, c.arguments) {
		c.notes.add(NoteJoined, "TS_EXTRA_ARGS changes, and a node that has joined does not take that while TS_AUTH_ONCE is true: apply once with "+
			"`auth-once`=false, `auth-key` none and `extra-arg` --reset, and once it is back, with `auth-once`=true and `unset` --reset")
	}

	if c.earlier.Get("TS_HOSTNAME") != "" && c.environment.Get("TS_HOSTNAME") == "" {
		c.notes.add(NoteJoined, "TS_HOSTNAME goes, and a node that has joined keeps the name that it gave: give another `hostname` to change it")
	}
}

// sameSettings reports whether arguments mean the same to tailscale up. What is for one start, --reset, and defaults do not
// count.
func sameSettings(a, b []containerboot.Argument) bool {
	meant := func(arguments []containerboot.Argument) []string {
		var texts []string

		for _, argument := range arguments {
			value := argument.Value
			if is, err := strconv.ParseBool(value); err == nil {
				value = strconv.FormatBool(is)
			}

			if slices.ContainsFunc(containerboot.Spellings(), func(s containerboot.Spelling) bool { return s.Flag == argument.Name }) {
				continue // its variable takes effect on a node that has joined, too
			}

			switch argument.Name {
			case "reset", "timeout", "qr", "qr-format", "json", "force-reauth", "accept-risk":
			case "accept-routes", "ssh", "shields-up", "advertise-exit-node", "exit-node-allow-lan-access", "report-posture", "advertise-connector":
				if value == "true" {
					texts = append(texts, argument.Name)
				}
			default:
				texts = append(texts, argument.Name+"="+value)
			}
		}

		slices.Sort(texts)

		return texts
	}

	return strings.Join(meant(a), " ") == strings.Join(meant(b), " ")
}
