package containerboot

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Variable is an environment variable.
type Variable struct {
	Name, Value string
	// Removes tells that it is written without "=": containerd takes it for a variable that is to go, such as one that the
	// system extension sets.
	Removes bool
}

// String returns the variable as an environment has it.
func (v Variable) String() string {
	if v.Removes {
		return v.Name
	}

	return v.Name + "=" + v.Value
}

// Environment is the variables of the service, each name once.
type Environment []Variable

// ParseEnvironment reads variables as they are given to the service. Of a name that is there twice the last value counts, at
// the place of the first, as runc has it.
func ParseEnvironment(list []string) Environment {
	environment := make(Environment, 0, len(list))

	for _, assignment := range list {
		name, value, isAssignment := strings.Cut(assignment, "=")
		if isAssignment {
			environment.Set(name, value)

			continue
		}

		environment.Remove(name)
		environment = append(environment, Variable{Name: name, Removes: true})
	}

	return environment
}

// Lookup returns the value of a variable, and whether it is there.
func (e Environment) Lookup(name string) (value string, ok bool) {
	if i := e.index(name); i >= 0 && !e[i].Removes {
		return e[i].Value, true
	}

	return "", false
}

// Get returns the value of a variable, "" where it is not there, which is the same to most of them.
func (e Environment) Get(name string) string {
	value, _ := e.Lookup(name)

	return value
}

// Has reports whether a variable is there.
func (e Environment) Has(name string) bool {
	_, ok := e.Lookup(name)

	return ok
}

// Removes reports whether a variable is written without "=", which takes away what the system extension sets.
func (e Environment) Removes(name string) bool {
	i := e.index(name)

	return i >= 0 && e[i].Removes
}

// Set sets a variable at its place, or at the end.
func (e *Environment) Set(name, value string) {
	if i := e.index(name); i >= 0 {
		(*e)[i] = Variable{Name: name, Value: value}
	} else {
		*e = append(*e, Variable{Name: name, Value: value})
	}
}

// Remove takes variables out.
func (e *Environment) Remove(names ...string) {
	*e = slices.DeleteFunc(*e, func(v Variable) bool { return slices.Contains(names, v.Name) })
}

// Strings returns the variables as an environment has them.
func (e Environment) Strings() []string {
	list := make([]string, 0, len(e))
	for _, v := range e {
		list = append(list, v.String())
	}

	return list
}

func (e Environment) index(name string) int {
	return slices.IndexFunc(e, func(v Variable) bool { return v.Name == name })
}

// Bool returns a variable as containerboot reads a boolean: by strconv.ParseBool, and as the default where that fails.
func (e Environment) Bool(name string, otherwise bool) bool {
	if value, err := strconv.ParseBool(e.Get(name)); err == nil {
		return value
	}

	return otherwise
}

// Userspace reports whether tailscaled runs without a network device. The system extension sets TS_USERSPACE=false; a variable
// that is there but no boolean means true, and so does one that is taken away.
func (e Environment) Userspace() bool {
	return (e.Has("TS_USERSPACE") || e.Removes("TS_USERSPACE")) && e.Bool("TS_USERSPACE", true)
}

// UpArguments returns what stands in TS_EXTRA_ARGS, as far as it can be read, and its faults.
func (e Environment) UpArguments() ([]Argument, error) {
	return Up.Parse(UpVariable, strings.Fields(e.Get(UpVariable)))
}

// DaemonArguments returns what stands in TS_TAILSCALED_EXTRA_ARGS, as far as it can be read, and its faults.
func (e Environment) DaemonArguments() ([]Argument, error) {
	return Daemon.Parse(DaemonVariable, strings.Fields(e.Get(DaemonVariable)))
}

// The variables that hold arguments.
const (
	UpVariable     = "TS_EXTRA_ARGS"
	DaemonVariable = "TS_TAILSCALED_EXTRA_ARGS"
)

// Spelling is a setting that both a variable and a flag of tailscale up give. containerboot makes the flag of the variable, and
// tailscale up refuses a flag that is given twice.
type Spelling struct{ Variable, Flag string }

// Spellings are the settings that have both.
func Spellings() []Spelling {
	return []Spelling{
		{"TS_AUTHKEY", "auth-key"},
		{"TS_CLIENT_ID", "client-id"},
		{"TS_CLIENT_SECRET", "client-secret"},
		{"TS_ID_TOKEN", "id-token"},
		{"TS_AUDIENCE", "audience"},
		{"TS_HOSTNAME", "hostname"},
		{"TS_ROUTES", "advertise-routes"},
		{"TS_ACCEPT_DNS", "accept-dns"},
	}
}

// Logins are the variables by which a node logs in.
func Logins() []string {
	return []string{"TS_AUTHKEY", "TS_AUTH_KEY", "TS_CLIENT_ID", "TS_CLIENT_SECRET", "TS_ID_TOKEN", "TS_AUDIENCE"}
}

// HasLogin reports whether the environment has a way to log in, whatever became of the key in it.
func (e Environment) HasLogin() bool {
	for _, name := range []string{"TS_AUTHKEY", "TS_AUTH_KEY", "TS_CLIENT_SECRET", "TS_ID_TOKEN", "TS_AUDIENCE"} {
		if e.Get(name) != "" {
			return true
		}
	}

	arguments, _ := e.UpArguments()

	for _, name := range []string{"auth-key", "client-secret", "id-token", "audience"} {
		if value, _ := Find(arguments, name); value != "" {
			return true
		}
	}

	return false
}

// IsIPv6 reports whether a text is an IPv6 address.
func IsIPv6(text string) bool {
	address, err := netip.ParseAddr(text)

	return err == nil && address.Is6()
}
