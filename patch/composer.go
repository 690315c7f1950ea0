package patch

import (
	"slices"
	"strconv"
	"strings"

	"github.com/siderolabs/go-pointer"
	"github.com/siderolabs/talos/pkg/machinery/config/types/runtime/extensions"

	"github.com/talos-tsbridge/talos-tsbridge/authkey"
	"github.com/talos-tsbridge/talos-tsbridge/internal/containerboot"
	"github.com/talos-tsbridge/talos-tsbridge/internal/quote"
	"github.com/talos-tsbridge/talos-tsbridge/internal/secret"
)

// composer makes the environment of the service: what is given wins; what is not given keeps what the machine config has that
// the patch goes into; only what is in neither gets its default. Without a config that is a new environment, whose order is a
// promise: the variables in their fixed order, then the further ones by name.
type composer struct {
	*options

	// earlier is the environment of the config, nil where there is none, and earlierArguments what stands in its TS_EXTRA_ARGS.
	earlier          containerboot.Environment
	earlierArguments []containerboot.Argument

	environment containerboot.Environment
	arguments   []containerboot.Argument
	files       extensions.ConfigFileList
	// given are the variables that an option gives or takes out.
	given map[string]bool

	notes  notes
	faults Faults
}

// newService checks what the options say about the service.
func newService(d *draft) feature {
	const usual = 12 // variables, so that neither grows

	c := &composer{options: d.options, environment: make(containerboot.Environment, 0, usual), given: make(map[string]bool, usual)}

	c.readTarget()
	c.removeUnset()
	c.setLogin()
	c.setBool("TS_AUTH_ONCE", c.AuthOnce, true)
	c.setStateDir()
	c.setHostname()
	c.setRoutes()
	c.setBool("TS_ACCEPT_DNS", c.AcceptDNS, false)
	c.setArguments()
	c.setDaemonArguments()
	c.setFurther()
	c.checkSecrets()
	c.checkKeptKey()
	c.checkWhole()
	c.checkUnset()

	if c.target != nil {
		c.noteKept()
	}

	d.service = service{
		key: c.AuthKey, keyMount: pointer.SafeDeref(c.AuthKeyMount), environment: c.environment, files: c.files, port: c.port(),
		forwardIPv6: c.forwardsIPv6(), acceptsRoutes: containerboot.IsTrue(c.arguments, "accept-routes"),
	}
	d.notes, d.faults = append(d.notes, c.notes...), append(d.faults, c.faults...)

	return d.service
}

// readTarget begins with what the config has.
func (c *composer) readTarget() {
	if c.target == nil {
		return
	}

	document := c.target.service()
	if document == nil {
		return
	}

	c.earlier = containerboot.ParseEnvironment(document.ServiceEnvironment)
	c.earlierArguments, _ = c.earlier.UpArguments()
	c.environment = slices.Clone(c.earlier)
	c.files = slices.Clone(document.ServiceConfigFiles)
}

// give sets a variable that an option gives.
func (c *composer) give(name, value string) {
	c.given[name] = true
	c.environment.Set(name, value)
}

// isElsewhere reports whether a setting is given by a flag of tailscale up in place of its variable.
func (c *composer) isElsewhere(variable string) bool {
	if !c.environment.Has(containerboot.UpVariable) {
		return false
	}

	for _, spelling := range containerboot.Spellings() {
		if spelling.Variable == variable {
			arguments, _ := c.environment.UpArguments()
			_, ok := containerboot.Find(arguments, spelling.Flag)

			return ok
		}
	}

	return false
}

// setBool gives a boolean variable, or its default. A text that means the same to containerboot stays.
func (c *composer) setBool(name string, given *bool, otherwise bool) {
	switch has := c.environment.Has(name); {
	case given != nil && has && c.environment.Bool(name, !*given) == *given:
		c.given[name] = true
	case given != nil:
		c.give(name, strconv.FormatBool(*given))
	case !has && !c.isElsewhere(name):
		c.environment.Set(name, strconv.FormatBool(otherwise))
	}
}

// setLogin gives the key. It takes the place of every earlier way to log in.
func (c *composer) setLogin() {
	mount := pointer.SafeDeref(c.AuthKeyMount)

	if !c.AuthKey.IsZero() || c.noAuthKey {
		c.removeLogin()
	}

	if !c.AuthKey.IsZero() {
		c.given[authkey.EnvAuthKey] = true

		// the value stays out of here
		if c.environment.Has(authkey.EnvAuthKey) {
			c.environment.Set(authkey.EnvAuthKey, "")
		} else {
			c.environment = slices.Insert(c.environment, 0, containerboot.Variable{Name: authkey.EnvAuthKey})
		}
	}

	if c.AuthKey.Kind() == authkey.KindPreAuth && pointer.SafeDeref(c.LoginServer) == "" && !c.namesLoginServer() {
		c.notes.add(NoteHeadscaleKey, "the key does not start with tskey-auth-, so it looks like a Headscale key, and `login-server` is not set: the node "+
			"would ask Tailscale")
	}

	if c.AuthKey.Kind() == authkey.KindClientSecret {
		c.notes.add(NoteClientSecret, "the key is an OAuth client secret: it is long-lived, and every node that gets this patch can mint keys with it")
	}

	if mount == "" {
		return
	}

	if c.AuthKey.IsZero() {
		c.faults.add(CodeMissing, "auth-key-mount", "`auth-key-mount` %s: there is no auth key to put there, leave it out", quote.Value(mount))
	}

	if reason := checkMount(mount); reason != "" {
		c.faults.add(CodeInvalid, "auth-key-mount", "`auth-key-mount` %s %s: write one such as /etc/tailscale/authkey", quote.Value(mount), reason)
	}

	c.removeFile(mount)
}

// namesLoginServer reports whether a control server is named anywhere but by its option.
func (c *composer) namesLoginServer() bool {
	given, _ := containerboot.Up.Parse("", c.ExtraArgs)
	kept, _ := c.environment.UpArguments()
	server, _ := containerboot.Find(slices.Concat(kept, given), "login-server")

	return server != ""
}

// removeLogin takes out every way to log in, with the files of the secrets. The place of TS_AUTHKEY stays for another key.
func (c *composer) removeLogin() {
	for _, name := range containerboot.Logins() {
		value, ok := c.environment.Lookup(name)
		if mount, isFile := strings.CutPrefix(value, "file:"); ok && isFile {
			c.removeFile(mount)
		}

		c.given[name] = true

		if name != authkey.EnvAuthKey || c.AuthKey.IsZero() {
			c.environment.Remove(name)
		}
	}
}

func (c *composer) removeFile(mount string) {
	c.files = slices.DeleteFunc(c.files, func(f extensions.ConfigFile) bool { return f.ConfigFileMountPath == mount })
}

func (c *composer) setStateDir() {
	if c.StateDir == nil {
		if !c.environment.Has("TS_STATE_DIR") {
			c.environment.Set("TS_STATE_DIR", stateDir)
		}

		return
	}

	dir := *c.StateDir

	if text, ok := c.placeholder("state-dir", dir); ok {
		dir = text
	} else if dir == "" {
		c.faults.add(CodeInvalid, "state-dir", "`state-dir` is empty, which keeps the state in memory, and the node registers anew at every start: write %s",
			stateDir)
	} else if reason := checkPath(dir); reason != "" {
		c.faults.add(CodeInvalid, "state-dir", "`state-dir` %s %s: write one such as %s", quote.Value(dir), reason, stateDir)
	} else if !isStateDir(dir) {
		c.faults.add(CodeInvalid, "state-dir", "`state-dir` %s: the system extension can write to %s alone, elsewhere tailscaled does not start: write "+
			"that, or a directory in it", quote.Value(dir), stateDir)
	}

	c.give("TS_STATE_DIR", dir)
}

func isStateDir(dir string) bool { return dir == stateDir || strings.HasPrefix(dir, stateDir+"/") }

func (c *composer) setHostname() {
	if c.Hostname == nil {
		return
	}

	name := *c.Hostname
	if name == "" {
		c.environment.Remove("TS_HOSTNAME")
		c.given["TS_HOSTNAME"] = true

		return
	}

	if text, ok := c.placeholder("hostname", name); ok {
		name = text
	} else if reason := containerboot.CheckHostname(name); reason != "" {
		c.faults.add(CodeInvalid, "hostname", "`hostname` %s %s: use letters, digits and dashes, at most %d to a label", quote.Value(name), reason,
			containerboot.LongestLabel)
	}

	c.give("TS_HOSTNAME", name)
}

func (c *composer) setRoutes() {
	if c.AdvertiseRoutes == nil {
		return
	}

	given, texts := c.placeholders("advertise-routes", c.AdvertiseRoutes)

	routes, changed, err := containerboot.ParseRoutes("`advertise-routes`", given)
	c.faults.addError(CodeInvalid, "advertise-routes", "", err)

	for _, note := range changed {
		c.notes.add(NoteRoutes, "%s", note)
	}

	if text := containerboot.JoinRoutes(routes); text != "" {
		texts = append([]string{text}, texts...)
	}

	c.give("TS_ROUTES", strings.Join(texts, ","))
}

// checkSecrets refuses an otherwise faultless environment with a key where none belongs: in a hostname, which the tailnet
// would show to everyone, or in an argument. What the config has already is not ours to judge.
func (c *composer) checkSecrets() {
	if len(c.faults) > 0 {
		return
	}

	for _, v := range c.environment {
		if c.given[v.Name] && secret.Looks(v.Value) {
			c.faults.add(CodeSecret, optionOf(v.Name), "%s would hold what looks like a key: give the auth key through its source, and no other key at all", v.Name)
		}
	}
}
