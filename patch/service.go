package patch

import (
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/siderolabs/go-pointer"
	"github.com/siderolabs/talos/pkg/machinery/config/types/runtime/extensions"

	"github.com/talos-tsbridge/talos-tsbridge/authkey"
	"github.com/talos-tsbridge/talos-tsbridge/internal/quote"
	"github.com/talos-tsbridge/talos-tsbridge/internal/tailaddr"
)

const (
	// ServiceName is the name of the system extension's service, and so of its ExtensionServiceConfig document.
	ServiceName = "tailscale"

	// stateDir is the directory that the system extension mounts from the node, so that it outlives the service.
	stateDir = "/var/lib/tailscale"
)

// service is the checked content of the ExtensionServiceConfig document.
type service struct {
	key      authkey.Key
	keyMount string
	// environment is in the order in which it is written, and without the auth key.
	environment []variable
	// ipv6Routes tells that it advertises routes to IPv6 subnets.
	ipv6Routes bool
}

type variable struct{ name, value string }

func (v variable) String() string { return v.name + "=" + v.value }

// document makes the document. This is the one place where the key leaves its type, unless it is redacted here.
func (s service) document(redacted bool) *extensions.ServiceConfigV1Alpha1 {
	secret := authkey.Redacted
	if !redacted {
		secret = s.key.Reveal()
	}

	document := extensions.NewServicesConfigV1Alpha1()
	document.ServiceName = ServiceName

	switch {
	case s.key.IsZero():
	case s.keyMount != "":
		document.ServiceConfigFiles = extensions.ConfigFileList{{ConfigFileContent: secret, ConfigFileMountPath: s.keyMount}}
		document.ServiceEnvironment = append(document.ServiceEnvironment, authkey.EnvAuthKey+"=file:"+s.keyMount)
	default:
		document.ServiceEnvironment = append(document.ServiceEnvironment, authkey.EnvAuthKey+"="+secret)
	}

	for _, v := range s.environment {
		document.ServiceEnvironment = append(document.ServiceEnvironment, v.String())
	}

	return document
}

// newService checks what the options say about the service. The order of the environment is a promise: the variables in
// their fixed order, then the further ones by name.
func newService(o *options) (service, notes, Faults) {
	const usualVariables = 8

	c := &composer{options: o, environment: make([]variable, 0, usualVariables)}

	c.checkKey()

	c.set("TS_AUTH_ONCE", strconv.FormatBool(orDefault(o.AuthOnce, true)))
	c.setStateDir()
	c.setHostname()
	c.setRoutes()
	c.set("TS_ACCEPT_DNS", strconv.FormatBool(pointer.SafeDeref(o.AcceptDNS)))
	c.setExtraArgs()
	c.setTailscaledExtraArgs()
	c.setFurther()
	c.checkSecrets()

	return service{key: o.AuthKey, keyMount: pointer.SafeDeref(o.AuthKeyMount), environment: c.environment, ipv6Routes: c.ipv6Routes}, c.notes, c.faults
}

func orDefault[T any](given *T, otherwise T) T {
	if given == nil {
		return otherwise
	}

	return *given
}

// composer collects the environment, notes and faults of one service.
type composer struct {
	*options

	environment []variable
	ipv6Routes  bool
	notes       notes
	faults      Faults
}

func (c *composer) set(name, value string) {
	c.environment = append(c.environment, variable{name, value})
}

func (c *composer) checkKey() {
	mount := pointer.SafeDeref(c.AuthKeyMount)

	if c.AuthKey.IsZero() {
		c.notes.add(NoteNoKey, "no auth key: only a node that kept its state joins the tailnet")
	}

	if c.AuthKey.Kind() == authkey.KindPreAuth && pointer.SafeDeref(c.LoginServer) == "" && !slices.ContainsFunc(c.ExtraArgs, isLoginServer) {
		c.notes.add(NoteHeadscaleKey, "the key does not start with tskey-auth-, so it looks like a Headscale key, and `login-server` is not set: the node "+
			"would ask Tailscale")
	}

	if c.AuthKey.Kind() == authkey.KindClientSecret {
		c.notes.add(NoteClientSecret, "the key is an OAuth client secret: it is long-lived, and every node that gets this patch can mint keys with it")
	}

	if !orDefault(c.AuthOnce, true) && !c.AuthKey.IsZero() {
		c.notes.add(NoteAuthEveryStart, "the node logs in at every start: once its key is used up, expired or revoked, the service fails after the next reboot")
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
}

func isLoginServer(argument string) bool {
	return strings.HasPrefix(strings.TrimLeft(argument, "-"), "login-server")
}

// checkMount says what is wrong with the path of a config file inside of the service, or returns "". The system
// extension mounts directories of the node over some paths, most of them read-only, where no file can be created.
func checkMount(file string) string {
	if reason := checkPath(file); reason != "" {
		return reason
	}

	for _, dir := range []string{"/lib", "/usr/lib", "/usr/local/bin", "/sbin", "/dev", "/proc", "/sys", stateDir, "/var/run/tailscale"} {
		if file == dir || strings.HasPrefix(file, dir+"/") {
			return "lies in " + dir + ", which belongs to the system extension"
		}
	}

	return ""
}

// checkPath says what is wrong with an absolute path, or returns "".
func checkPath(text string) string {
	switch {
	case !path.IsAbs(text):
		return "is not an absolute path"
	case path.Clean(text) != text:
		return "is not in its shortest form " + quote.Value(path.Clean(text))
	case text == "/":
		return "is the root directory"
	case strings.ContainsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }):
		return "contains a blank or control character"
	}

	return ""
}

func (c *composer) setStateDir() {
	dir := orDefault(c.StateDir, stateDir)

	if dir == "" {
		c.faults.add(CodeInvalid, "state-dir", "`state-dir` is empty, which keeps the state in memory, and the node registers anew at every start: write %s",
			stateDir)
	} else if reason := checkPath(dir); reason != "" {
		c.faults.add(CodeInvalid, "state-dir", "`state-dir` %s %s: write one such as %s", quote.Value(dir), reason, stateDir)
	} else if dir != stateDir && !strings.HasPrefix(dir, stateDir+"/") {
		c.notes.add(NoteStateLost, "`state-dir` %s is lost: the system extension keeps only %s across restarts", quote.Value(dir), stateDir)
	}

	c.set("TS_STATE_DIR", dir)
}

func (c *composer) setHostname() {
	name := pointer.SafeDeref(c.Hostname)
	if name == "" {
		return
	}

	if reason := checkHostname(name); reason != "" {
		c.faults.add(CodeInvalid, "hostname", "`hostname` %s %s: use letters, digits and dashes, at most %d to a label", quote.Value(name), reason, longestLabel)
	}

	c.set("TS_HOSTNAME", name)
}

func (c *composer) setRoutes() {
	if c.AdvertiseRoutes == nil {
		return
	}

	routes, changed, err := parseRoutes(c.AdvertiseRoutes)
	c.faults.addError(CodeInvalid, "advertise-routes", "", err)

	for _, note := range changed {
		c.notes.add(NoteRoutes, "%s", note)
	}

	if c.ipv6Routes = slices.ContainsFunc(routes, isIPv6); c.ipv6Routes {
		c.notes.add(NoteForwarding, "`advertise-routes`: an IPv6 route needs forwarding, so the patch sets the sysctl %s=1", forwardingSysctl)
	}

	c.set("TS_ROUTES", joinRoutes(routes))
}

func (c *composer) setExtraArgs() {
	composed := []flagArgument{}

	if len(c.AdvertiseTags) > 0 {
		tags, err := tailaddr.ParseTags(c.AdvertiseTags)
		c.faults.addError(CodeInvalid, "advertise-tags", "`advertise-tags`: ", err)

		composed = append(composed, flagArgument{"advertise-tags", strings.Join(tags, ",")})
	}

	composed = append(composed, flagArgument{"accept-routes", strconv.FormatBool(pointer.SafeDeref(c.AcceptRoutes))})

	if server := pointer.SafeDeref(c.LoginServer); server != "" {
		if reason := checkURL(server); reason != "" {
			c.faults.add(CodeInvalid, "login-server", "`login-server` %s", reason)
		}

		composed = append(composed, flagArgument{"login-server", server})
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
			composed = append(composed, flagArgument{flag.name, strconv.FormatBool(*flag.given)})
		}
	}

	free, err := upFlags.parse(c.ExtraArgs)
	c.faults.addError(CodeInvalid, "extra-arg", "", err)

	all := checkUpArguments(composed, free, &c.faults)

	if c.AuthKey.Kind() == authkey.KindClientSecret && valueOf(all, "advertise-tags") == "" {
		c.faults.add(CodeMissing, "advertise-tags", "an OAuth client secret needs tags, which the nodes get: set `advertise-tags` to the tags of the OAuth client")
	}

	arguments := make([]string, 0, len(composed)+len(c.ExtraArgs))
	for _, argument := range composed {
		arguments = append(arguments, argument.String())
	}

	c.set("TS_EXTRA_ARGS", strings.Join(append(arguments, c.ExtraArgs...), " "))
}

// checkSecrets refuses an otherwise faultless environment with a key where none belongs: in a hostname, which the tailnet
// would show to everyone, or in an argument.
func (c *composer) checkSecrets() {
	if len(c.faults) > 0 {
		return
	}

	for _, v := range c.environment {
		if quote.LooksSecret(v.value) {
			c.faults.add(CodeSecret, optionOf(v.name), "%s would hold what looks like a key: give the auth key through its source, and no other key at all", v.name)
		}
	}
}

// checkBeside returns the faults of variables that a machine config has beside ours.
func (s service) checkBeside(variables []variable) Faults {
	values := map[string]string{}
	for _, v := range variables {
		values[v.name] = v.value
	}

	userspace := slices.ContainsFunc(slices.Concat(s.environment, variables), func(v variable) bool { return v == variable{"TS_USERSPACE", "true"} })

	return checkCombinations(!s.key.IsZero(), userspace, values)
}

// checkURL says what is wrong with the URL of a control server, or returns "". It repeats the URL only where that can
// hold no password.
func checkURL(text string) string {
	u, err := url.Parse(text)

	switch {
	case err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http"):
		return "is not a URL: write one such as https://headscale.example.com"
	case u.User != nil:
		return "contains a user name or password: a control server takes none, leave it out"
	case u.RawQuery != "" || u.Fragment != "":
		return quote.Value(u.Scheme+"://"+u.Host) + " has a query or fragment: leave out what follows the path"
	case strings.ContainsFunc(text, unicode.IsSpace):
		return "contains a blank: leave it out"
	}

	return ""
}

// variables are the further ones, by name.
func (o *options) variables() []variable {
	given := make([]variable, 0, len(o.Env))
	for _, name := range sortedKeys(o.Env) {
		given = append(given, variable{name, o.Env[name]})
	}

	return given
}

func (c *composer) setTailscaledExtraArgs() {
	if port := c.fixedPort(); port != nil {
		c.set(tailscaledExtraArgs, "--port="+strconv.Itoa(int(*port)))
	}
}

func (c *composer) setFurther() {
	given := c.variables()
	further := slices.Clone(given)

	if pointer.SafeDeref(c.Userspace) {
		c.notes.add(NoteUserspace, "userspace networking: pods do not reach the tailnet through the node")

		further = append(further, variable{"TS_USERSPACE", "true"})
	}

	c.faults = append(c.faults, checkEnvironment(c.options, given, c.environment)...)

	slices.SortFunc(further, func(a, b variable) int { return strings.Compare(a.name, b.name) })

	// the one variable with a fixed place that can also be given freely
	if i := slices.IndexFunc(further, func(v variable) bool { return v.name == tailscaledExtraArgs }); i >= 0 {
		c.environment = append(c.environment, further[i])
		further = slices.Delete(further, i, i+1)
	}

	c.environment = append(c.environment, further...)
}
