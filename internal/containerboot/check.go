package containerboot

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/talos-tsbridge/talos-tsbridge/internal/quote"
)

// Bools are the variables that containerboot reads as booleans. What it cannot read is the default to it, without a word.
func Bools() []string {
	return []string{
		"EXPERIMENTAL_ALLOW_PROXYING_CLUSTER_TRAFFIC_VIA_INGRESS",
		"TS_ACCEPT_DNS",
		"TS_AUTH_ONCE",
		"TS_ENABLE_HEALTH_CHECK",
		"TS_ENABLE_METRICS",
		"TS_EXPERIMENTAL_CERT_SHARE",
		"TS_EXPERIMENTAL_ENABLE_FORWARDING_OPTIMIZATIONS",
		"TS_EXPERIMENTAL_SERVICE_AUTO_ADVERTISEMENT",
		"TS_USERSPACE",
	}
}

// CheckVariable checks the value of a variable by the way the programs read it. An empty value is the same to them as none. No
// error repeats a value that may be a secret.
func CheckVariable(v Variable) error {
	switch {
	case v.Value == "":
		return nil
	case strings.ContainsFunc(v.Value, unicode.IsControl):
		return errors.New("has a value with a line break or control character: leave it out")
	case slices.Contains(Bools(), v.Name):
		if _, err := strconv.ParseBool(v.Value); err != nil {
			return errors.New("is read as a boolean, and as its default when it is none: write true or false")
		}

		return nil
	}

	switch v.Name {
	case "TS_CLIENT_SECRET", "TS_ID_TOKEN":
		if !strings.HasPrefix(v.Value, "file:") {
			return errors.New("is a secret, which does not belong into an argument: put it into a file of the service by `config-file` and write file:PATH")
		}
	case "TS_HOSTNAME":
		if reason := CheckHostname(v.Value); reason != "" {
			return fmt.Errorf("has the value %s, which %s", quote.Value(v.Value), reason)
		}
	case "TS_ROUTES":
		return checkRoutes(v.Value)
	case "TS_DEST_IP", "TS_TAILNET_TARGET_IP":
		if _, err := netip.ParseAddr(v.Value); err != nil {
			return fmt.Errorf("has the value %s, which is not an IP address: write one such as 100.82.13.87", quote.Value(v.Value))
		}
	case "TS_LOCAL_ADDR_PORT", "TS_DEBUG_ADDR_PORT", "TS_HEALTHCHECK_ADDR_PORT":
		if _, err := netip.ParseAddrPort(v.Value); err != nil {
			return fmt.Errorf("has the value %s, which is not IP:PORT: write one such as 127.0.0.1:9002", quote.Value(v.Value))
		}
	case "TS_SOCKS5_SERVER", "TS_OUTBOUND_HTTP_PROXY_LISTEN":
		if _, _, err := net.SplitHostPort(v.Value); err != nil {
			return fmt.Errorf("has the value %s, which is not HOST:PORT: write one such as localhost:1055", quote.Value(v.Value))
		}
	case "TS_BOOT_TIMEOUT":
		if _, err := time.ParseDuration(v.Value); err != nil {
			return fmt.Errorf("has the value %s, which is not a duration: write one such as 90s", quote.Value(v.Value))
		}
	case "POD_IPS":
		return checkPodIPs(v.Value)
	case UpVariable:
		return checkUp(v.Value)
	case DaemonVariable:
		return checkDaemon(v.Value)
	}

	return nil
}

// checkRoutes is stricter than [ParseRoutes], which tidies what a user wrote: containerboot takes no blanks and no host bits.
func checkRoutes(text string) error {
	const example = "write CIDRs such as 10.0.0.0/24,10.1.0.0/24, without blanks or host bits"

	for one := range strings.SplitSeq(text, ",") {
		prefix, err := netip.ParsePrefix(one)

		switch {
		case err != nil:
			return fmt.Errorf("has %s in it, which is not a CIDR: %s", quote.Value(one), example)
		case prefix != prefix.Masked():
			return fmt.Errorf("has %s in it, which has host bits set: %s", prefix, example)
		}
	}

	if _, _, err := ParseRoutes("", []string{text}); err != nil {
		return fmt.Errorf("is refused: %s", strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", "; "))
	}

	return nil
}

func checkPodIPs(text string) error {
	const most = 2

	addresses := strings.Split(text, ",")
	if len(addresses) > most || slices.ContainsFunc(addresses, func(a string) bool { _, err := netip.ParseAddr(a); return err != nil }) {
		return errors.New("is not one or two IP addresses: leave it out, it is for pods")
	}

	return nil
}

func checkUp(text string) error {
	arguments, err := Up.Parse("", strings.Fields(text))
	if err != nil {
		return fmt.Errorf("has arguments that tailscale up refuses:%s", strings.ReplaceAll(err.Error(), "\n", ";"))
	}

	for i, argument := range arguments {
		if reason := CheckUpValue(argument); reason != "" {
			return fmt.Errorf("has --%s, which %s", argument.Name, reason)
		}

		if _, twice := Find(arguments[:i], argument.Name); twice {
			return fmt.Errorf("has --%s twice, which tailscale up refuses: give it once", argument.Name)
		}

		// containerboot takes out --accept-dns with two dashes, and gives its own
		if argument.Name == "accept-dns" && (!strings.HasPrefix(argument.Tokens[0], "--") || len(argument.Tokens) > 1) {
			return errors.New("has -accept-dns with one dash, which containerboot gives a second time: write --accept-dns=false or --accept-dns=true")
		}
	}

	if name, reason := CheckUpCombination(arguments); name != "" {
		return fmt.Errorf("is refused: --%s %s", name, reason)
	}

	return nil
}

func checkDaemon(text string) error {
	arguments, err := Daemon.Parse("", strings.Fields(text))
	if err != nil {
		return fmt.Errorf("has arguments that tailscaled refuses:%s", strings.ReplaceAll(err.Error(), "\n", ";"))
	}

	for i, argument := range arguments {
		if reason := reservedDaemonFlags[argument.Name]; reason != "" {
			return fmt.Errorf("has --%s, which %s: leave it out", argument.Name, reason)
		}

		if _, twice := Find(arguments[:i], argument.Name); twice {
			return fmt.Errorf("has --%s twice: give it once", argument.Name)
		}
	}

	return nil
}

// ReservedVariable says why a variable has no place in the document of the service, or returns "": the system extension sets
// it, or it is for pods and makes containerboot fail elsewhere.
func ReservedVariable(name string) string { return reservedVariables[name] }

var reservedVariables = map[string]string{
	"PATH":           "belongs to the system extension, which finds tailscaled by it: leave it out",
	"TS_SOCKET":      "belongs to the system extension, which mounts its directory: leave it out",
	"TS_KUBE_SECRET": onKubernetes, "KUBERNETES_SERVICE_HOST": onKubernetes,
	"TS_EGRESS_PROXIES_CONFIG_PATH":        onKubernetes,
	"TS_INGRESS_PROXIES_CONFIG_PATH":       onKubernetes,
	"TS_EXPERIMENTAL_VERSIONED_CONFIG_DIR": "replaces the whole environment, so containerboot refuses it beside the rest: leave it out",
}

const onKubernetes = "makes the service look for a Kubernetes service account, which only a pod has: leave it out"

// Problem is variables that containerboot refuses together.
type Problem struct {
	// Variables are those that cause it.
	Variables []string
	// Missing tells that something has to be added; else one of them has to go.
	Missing bool
	// IsValue tells that the value of the one variable is wrong, whatever stands beside it.
	IsValue bool
	Text    string
}

// combinations returns what containerboot refuses in an environment, beside the values of single variables.
func combinations(e Environment) []Problem {
	set := func(name string) bool { return e.Get(name) != "" }

	var problems []Problem

	add := func(wrong bool, text string, variables ...string) {
		if wrong {
			problems = append(problems, Problem{Variables: variables, Text: text})
		}
	}

	hasKey := set("TS_AUTHKEY") || set("TS_AUTH_KEY")

	for _, name := range []string{"TS_CLIENT_ID", "TS_CLIENT_SECRET", "TS_ID_TOKEN", "TS_AUDIENCE"} {
		add(set(name) && hasKey, "variable "+name+" and an auth key exclude each other: the node logs in one way", name)
	}

	for _, name := range []string{"TS_ID_TOKEN", "TS_AUDIENCE"} {
		if set(name) && !set("TS_CLIENT_ID") {
			problems = append(problems, Problem{Variables: []string{name}, Missing: true, Text: "variable " + name + " needs TS_CLIENT_ID: set it"})
		}
	}

	for _, pair := range [][2]string{
		{"TS_CLIENT_SECRET", "TS_ID_TOKEN"},
		{"TS_AUDIENCE", "TS_ID_TOKEN"},
		{"TS_AUDIENCE", "TS_CLIENT_SECRET"},
		{"TS_DEST_IP", "TS_EXPERIMENTAL_DEST_DNS_NAME"},
		{"TS_TAILNET_TARGET_FQDN", "TS_TAILNET_TARGET_IP"},
	} {
		add(set(pair[0]) && set(pair[1]), "variables "+pair[0]+" and "+pair[1]+" exclude each other", pair[0], pair[1])
	}

	if e.Userspace() {
		for _, name := range []string{"TS_DEST_IP", "TS_EXPERIMENTAL_DEST_DNS_NAME", "TS_TAILNET_TARGET_FQDN", "TS_TAILNET_TARGET_IP"} {
			add(set(name), "variable "+name+" does not work with `userspace`: leave one of them out", name, "TS_USERSPACE")
		}

		const optimizations = "TS_EXPERIMENTAL_ENABLE_FORWARDING_OPTIMIZATIONS"
		add(e.Bool(optimizations, false), "variable "+optimizations+" does not work with `userspace`: leave one of them out", optimizations, "TS_USERSPACE")
	}

	const ingress = "EXPERIMENTAL_ALLOW_PROXYING_CLUSTER_TRAFFIC_VIA_INGRESS"
	add(e.Bool(ingress, false), "variable "+ingress+" is for proxies that the Kubernetes operator runs: leave it out", ingress)

	add(e.Bool("TS_ENABLE_HEALTH_CHECK", false) && set("TS_HEALTHCHECK_ADDR_PORT"), "variables TS_ENABLE_HEALTH_CHECK and TS_HEALTHCHECK_ADDR_PORT "+
		"exclude each other: TS_LOCAL_ADDR_PORT sets the address of the former", "TS_ENABLE_HEALTH_CHECK", "TS_HEALTHCHECK_ADDR_PORT")

	return problems
}

// Fatal returns what stops the service in a whole environment, wherever it comes from. Unlike [CheckVariable] it lets through
// what containerboot only misreads or does not use.
func Fatal(e Environment) []Problem {
	var problems []Problem

	add := func(name, text string) {
		problems = append(problems, Problem{Variables: []string{name}, IsValue: true, Text: "variable " + name + " " + text})
	}

	listens := e.Bool("TS_ENABLE_METRICS", false) || e.Bool("TS_ENABLE_HEALTH_CHECK", false)

	for _, v := range e {
		switch {
		case v.Name == "POD_IPS" && v.Value == "" && !v.Removes:
			add(v.Name, "is empty, and is read where it is set: leave it out")
		case v.Value == "", v.Name == "TS_LOCAL_ADDR_PORT" && !listens:
		case v.Name == "TS_SOCKET":
			if !isWritable(v.Value) {
				add(v.Name, "names a socket in a directory that the service cannot write to: leave it out")
			}
		case ReservedVariable(v.Name) != "":
			add(v.Name, ReservedVariable(v.Name))
		default:
			if err := fatal(v); err != nil {
				add(v.Name, err.Error())
			}
		}
	}

	problems = append(problems, combinations(e)...)

	arguments, err := e.UpArguments()
	if err != nil {
		return problems
	}

	for _, spelling := range Spellings() {
		_, twice := Find(arguments, spelling.Flag)

		// empty routes are given too, to withdraw others
		isGiven := e.Get(spelling.Variable) != "" || spelling.Variable == "TS_ROUTES" && e.Has(spelling.Variable)

		// containerboot lets --accept-dns override its variable
		if twice && isGiven && spelling.Flag != "accept-dns" {
			problems = append(problems, Problem{Variables: []string{spelling.Variable}, Text: "variable " + spelling.Variable + " and --" + spelling.Flag +
				" in " + UpVariable + " are the same flag of tailscale up, which refuses it given twice"})
		}
	}

	if tags, _ := Find(arguments, "advertise-tags"); tags == "" && len(problems) == 0 {
		for _, name := range []string{"TS_CLIENT_SECRET", "TS_ID_TOKEN", "TS_AUDIENCE"} {
			if e.Get(name) != "" {
				problems = append(problems, Problem{
					Variables: []string{name, UpVariable}, Missing: true,
					Text: "variable " + name + " needs tags for the key that the node makes with it: set `advertise-tags` to the tags of the client",
				})
			}
		}
	}

	return problems
}

// isWritable reports whether a file lies where the service can write: its root is read-only.
func isWritable(file string) bool {
	return slices.ContainsFunc([]string{"/var/run/tailscale/", "/var/lib/tailscale/", "/run/", "/dev/shm/"}, func(dir string) bool {
		return strings.HasPrefix(file, dir)
	})
}

// parsed are the variables in whose value a line break stops the service.
var parsed = []string{
	"TS_HOSTNAME", "TS_ROUTES", "TS_DEST_IP", "TS_TAILNET_TARGET_IP", "TS_LOCAL_ADDR_PORT", "TS_DEBUG_ADDR_PORT", "TS_HEALTHCHECK_ADDR_PORT",
	"TS_SOCKS5_SERVER", "TS_OUTBOUND_HTTP_PROXY_LISTEN", "TS_BOOT_TIMEOUT", "POD_IPS",
}

// fatal returns why the service stops over the value of a variable, or nil.
func fatal(v Variable) error {
	switch {
	case v.Name == UpVariable:
		return checkUp(v.Value) // white space of any kind parts the arguments
	case v.Name == DaemonVariable:
		return checkDaemon(v.Value)
	case slices.Contains(parsed, v.Name):
		return CheckVariable(v)
	}

	return nil
}
