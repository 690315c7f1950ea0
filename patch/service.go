package patch

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode"

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
func newService(o *options) (service, []string, error) {
	const usualVariables = 8

	c := &composer{options: o, environment: make([]variable, 0, usualVariables)}

	c.checkKey()

	c.set("TS_AUTH_ONCE", strconv.FormatBool(o.authOnce))
	c.setStateDir()
	c.setHostname()
	c.setRoutes()
	c.set("TS_ACCEPT_DNS", strconv.FormatBool(o.acceptDNS))
	c.setExtraArgs()
	c.setTailscaledExtraArgs()
	c.setFurther()
	c.checkSecrets()

	return service{key: o.key, keyMount: o.keyMount, environment: c.environment, ipv6Routes: c.ipv6Routes}, c.notes, errors.Join(c.faults...)
}

// composer collects the environment, notes and faults of one service.
type composer struct {
	*options

	environment []variable
	ipv6Routes  bool
	notes       []string
	faults      []error
}

func (c *composer) set(name, value string) {
	c.environment = append(c.environment, variable{name, value})
}

func (c *composer) fault(format string, args ...any) {
	c.faults = append(c.faults, fmt.Errorf(format, args...))
}

func (c *composer) note(format string, args ...any) {
	c.notes = append(c.notes, fmt.Sprintf(format, args...))
}

func (c *composer) checkKey() {
	if c.key.IsZero() {
		c.note("no auth key: only a node that kept its state joins the tailnet")
	}

	if c.key.Kind() == authkey.KindPreAuth && c.loginServer == "" && !slices.ContainsFunc(c.extraArgs, isLoginServer) {
		c.note("the key is none of Tailscale's (tskey-auth-...), and there is no login-server: a Headscale key needs the URL of its server")
	}

	if c.key.Kind() == authkey.KindClientSecret {
		c.note("the key is an OAuth client secret: it is long-lived, and every node that gets this patch can mint keys with it")
	}

	if !c.authOnce && !c.key.IsZero() {
		c.note("the node logs in at every start: once its key is used up, expired or revoked, the service fails after the next reboot")
	}

	if c.keyMount == "" {
		return
	}

	if c.key.IsZero() {
		c.fault("auth key mount %s: there is no auth key to put there, leave it out", quote.Value(c.keyMount))
	}

	if reason := checkMount(c.keyMount); reason != "" {
		c.fault("auth key mount %s %s: write one such as /etc/tailscale/authkey", quote.Value(c.keyMount), reason)
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
	if c.stateDir == "" {
		c.fault("state directory is empty, which keeps the state in memory, and the node registers anew at every start: write %s", stateDir)
	} else if reason := checkPath(c.stateDir); reason != "" {
		c.fault("state directory %s %s: write one such as %s", quote.Value(c.stateDir), reason, stateDir)
	} else if c.stateDir != stateDir && !strings.HasPrefix(c.stateDir, stateDir+"/") {
		c.note("state directory %s is lost: the system extension keeps only %s across restarts", quote.Value(c.stateDir), stateDir)
	}

	c.set("TS_STATE_DIR", c.stateDir)
}

func (c *composer) setHostname() {
	if c.hostname == "" {
		return
	}

	if reason := checkHostname(c.hostname); reason != "" {
		c.fault("hostname %s %s: use letters, digits and dashes, at most %d to a label", quote.Value(c.hostname), reason, longestLabel)
	}

	c.set("TS_HOSTNAME", c.hostname)
}

func (c *composer) setRoutes() {
	if c.routes == nil {
		return
	}

	routes, notes, err := parseRoutes(*c.routes)
	c.notes = append(c.notes, notes...)

	if err != nil {
		c.faults = append(c.faults, err)
	}

	if c.ipv6Routes = slices.ContainsFunc(routes, isIPv6); c.ipv6Routes {
		c.note("advertise-routes: an IPv6 route needs forwarding, so the patch sets the sysctl %s=1", forwardingSysctl)
	}

	c.set("TS_ROUTES", joinRoutes(routes))
}

func (c *composer) setExtraArgs() {
	composed := []flagArgument{}

	if len(c.tags) > 0 {
		tags, err := tailaddr.ParseTags(c.tags)
		if err != nil {
			c.faults = append(c.faults, prefixed("advertise-tags", err)...)
		}

		composed = append(composed, flagArgument{"advertise-tags", strings.Join(tags, ",")})
	}

	composed = append(composed, flagArgument{"accept-routes", strconv.FormatBool(c.acceptRoutes)})

	if c.loginServer != "" {
		if reason := checkURL(c.loginServer); reason != "" {
			c.fault("login-server %s", reason)
		}

		composed = append(composed, flagArgument{"login-server", c.loginServer})
	}

	for _, name := range sortedKeys(c.upBools) {
		composed = append(composed, flagArgument{name, strconv.FormatBool(c.upBools[name])})
	}

	free, err := upFlags.parse(c.extraArgs)
	if err != nil {
		c.faults = append(c.faults, err)
	}

	all, err := checkUpArguments(composed, free)
	if err != nil {
		c.faults = append(c.faults, err)
	}

	if c.key.Kind() == authkey.KindClientSecret && valueOf(all, "advertise-tags") == "" {
		c.fault("an OAuth client secret needs tags, which the nodes get: set advertise-tags to the tags of the OAuth client")
	}

	arguments := make([]string, 0, len(composed)+len(c.extraArgs))
	for _, argument := range composed {
		arguments = append(arguments, argument.String())
	}

	c.set("TS_EXTRA_ARGS", strings.Join(append(arguments, c.extraArgs...), " "))
}

// checkSecrets refuses an otherwise faultless environment with a key where none belongs: in a hostname, which the tailnet
// would show to everyone, or in an argument.
func (c *composer) checkSecrets() {
	if len(c.faults) > 0 {
		return
	}

	for _, v := range c.environment {
		if quote.LooksSecret(v.value) {
			c.fault("%s would hold what looks like a key: give the auth key through its source, and no other key at all", v.name)
		}
	}
}

// checkBeside returns the faults of variables that a machine config has beside ours.
func (s service) checkBeside(variables []variable) error {
	values := map[string]string{}
	for _, v := range variables {
		values[v.name] = v.value
	}

	userspace := slices.ContainsFunc(slices.Concat(s.environment, variables), func(v variable) bool { return v == variable{"TS_USERSPACE", "true"} })

	return errors.Join(checkCombinations(!s.key.IsZero(), userspace, values)...)
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

func (c *composer) setTailscaledExtraArgs() {
	if port := c.fixedPort(); port != nil {
		c.set(tailscaledExtraArgs, "--port="+strconv.Itoa(int(*port)))
	}
}

func (c *composer) setFurther() {
	further := slices.Clone(c.options.environment)

	if c.userspace {
		c.note("userspace networking: pods do not reach the tailnet through the node")

		further = append(further, variable{"TS_USERSPACE", "true"})
	}

	c.faults = append(c.faults, checkEnvironment(c.options, c.environment)...)

	slices.SortStableFunc(further, func(a, b variable) int { return strings.Compare(a.name, b.name) })

	// the one variable with a fixed place that can also be given freely
	if i := slices.IndexFunc(further, func(v variable) bool { return v.name == tailscaledExtraArgs }); i >= 0 {
		c.environment = append(c.environment, further[i])
		further = slices.Delete(further, i, i+1)
	}

	c.environment = append(c.environment, further...)
}
