package fleet

import (
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// otherNames are what other tools that people know call a field: talhelper, topf, k0sctl, inventories of Ansible, variables of
// Terraform, Tailscale's operator. The names are plain ones.
var otherNames = map[string][]string{
	"address":           {"ip", "ipaddress", "ipaddr", "ipv4", "ipv4address", "addresses", "host", "ansiblehost", "privateaddress", "managementip", "endpoint"},
	"role":              {"controlplane", "iscontrolplane", "controller", "iscontroller", "master", "type", "machinetype", "nodetype", "noderole"},
	"config":            {"machineconfig", "machineconfigfile", "configfile", "baseconfig", "base"},
	"advertiseTags":     {"tags", "tag", "devicetags", "defaulttags"},
	"advertiseRoutes":   {"routes", "route", "subnetroutes", "subnetrouter", "cidrs"},
	"advertiseExitNode": {"exitnode", "isexitnode"},
	"loginServer":       {"controlurl", "controlserver", "controlserverurl", "serverurl", "server", "headscale", "headscaleurl"},
	"env":               {"environment", "environmentvariables", "extraenv", "vars", "variables"},
	"extraArgs":         {"args", "upargs", "upflags"},
	"configFiles":       {"files"},
	"serveConfig":       {"serve"},
	"nodeIPSubnets":     {"nodeip", "nodeips", "nodeipvalidsubnets", "validsubnets", "lan", "lansubnet", "nodesubnet"},
	"etcdSubnets":       {"etcdadvertisedsubnets", "advertisedsubnets"},
	"staticHosts":       {"hosts", "extrahosts", "extrahostentries", "hostaliases"},
	"nameservers":       {"dnsservers", "resolvers"},
	"certSANs":          {"additionalmachinecertsans", "machinecertsans"},
	"apiServerSANs":     {"additionalapiservercertsans", "apiservercertsans"},
	"installImage":      {"image", "talosimage", "talosimageurl", "installerimage"},
	"talosVersion":      {"version", "talos"},
	"userspace":         {"userspacenetworking"},
	"ssh":               {"enablessh", "sshenabled"},
	"snatSubnetRoutes":  {"snat"},
	"authKey":           {"auth", "key", "preauthkey"},
}

const (
	hintCommon      = "what nodes have in common stands at the top of the file"
	hintFlag        = "it is a flag of talos-tsbridge up and no field"
	hintCredentials = "credentials are variables of the environment: TAILSCALE_OAUTH_CLIENT_ID and TAILSCALE_OAUTH_CLIENT_SECRET, or TAILSCALE_API_KEY"
	hintNode        = "it belongs to a node, as lab-cp-1: {address: 192.168.1.10, role: controlplane}"
)

// hints are for names that no field has in their place.
var hints = map[string]string{
	"name": "the name of a node stands before its fields, as lab-cp-1: {address: 192.168.1.10}", "nodename": "the name of a node stands before its fields, as lab-cp-1: {address: 192.168.1.10}",
	"defaults": hintCommon, "common": hintCommon, "settings": hintCommon, "global": hintCommon, "globals": hintCommon, "spec": hintCommon,
	"clientid": hintCredentials, "clientsecret": hintCredentials, "oauthclientid": hintCredentials, "oauthclientsecret": hintCredentials,
	"apikey": hintCredentials, "apitoken": hintCredentials,
	"parallel": hintFlag, "wait": hintFlag, "boottimeout": hintFlag, "settle": hintFlag, "dryrun": hintFlag, "keepkey": hintFlag, "movenodeip": hintFlag,
	"continueonerror": hintFlag, "replacedevice": hintFlag, "talosconfig": hintFlag, "certfingerprint": hintFlag,
}

// hintFor says what to write in place of a field that a mapping of this type does not have.
func hintFor(key, value *yaml.Node, want reflect.Type) string {
	fields, name := fieldsOf(want), plain(key.Value)

	if field := nameLike(name, want); field != "" {
		return "did you mean " + field
	}

	switch field := otherName(name); {
	case field == "role" && fields[field] != nil:
		return "write role: controlplane, or role: worker"
	case fields[field] != nil:
		return "did you mean " + field
	}

	if hint := hints[name]; hint != "" {
		return hint
	}

	if hint := elsewhere(name, want); hint != "" {
		return hint
	}

	if field := nearest(name, fields); field != "" {
		return "did you mean " + field
	}

	if want == reflect.TypeFor[File]() && (valueOf(resolved(value), "address") != nil || valueOf(resolved(value), "role") != nil) {
		return "a node stands under nodes: indent it"
	}

	return "the fields are those that talos-tsbridge init lists"
}

func otherName(name string) string {
	for field, others := range otherNames {
		if slices.Contains(others, name) {
			return field
		}
	}

	return ""
}

// elsewhere says where a field belongs that stands in the wrong mapping.
func elsewhere(name string, of reflect.Type) string {
	inKey, inNode := nameLike(name, reflect.TypeFor[Key]()), nameLike(name, reflect.TypeFor[Node]())
	if inKey == "" {
		inKey = nameLike(strings.TrimPrefix(name, "key"), reflect.TypeFor[Key]())
	}

	switch {
	case of == reflect.TypeFor[Key]() && inNode != "":
		return "it stands beside authKey and not in it, as " + inNode
	case of == reflect.TypeFor[Key]():
		return ""
	case inKey != "":
		return "it belongs to the key, as authKey: {" + inKey + ": ...}"
	case of == reflect.TypeFor[Node]() && nameLike(name, reflect.TypeFor[File]()) != "":
		return "it is for all nodes, at the top of the file"
	case inNode != "" || of == reflect.TypeFor[File]() && slices.Contains(slices.Concat(otherNames["address"], otherNames["config"]), name):
		return hintNode
	}

	return ""
}

// nameLike returns the field of a type that differs from a name in how names are written alone.
func nameLike(name string, of reflect.Type) string {
	for field := range fieldsOf(of) {
		if plain(field) == name {
			return field
		}
	}

	return ""
}

// nearest returns the name that a misspelt one probably stands for, or "".
func nearest(given string, fields map[string]reflect.Type) string {
	best, distance := "", max(1, len(given)/3)+1 //nolint:mnd // a third of the letters wrong is still the same word

	for _, name := range sortedNames(fields) {
		if d := editDistance(given, plain(name)); d < distance {
			best, distance = name, d
		}
	}

	return best
}

// plain is a name without what flags, variables and YAML write differently, and without the tailscale that other tools put
// before it.
func plain(name string) string {
	plain := strings.ToLower(strings.NewReplacer("-", "", "_", "").Replace(name))

	for _, prefix := range []string{"ts", "tailscale"} {
		rest, cut := strings.CutPrefix(strings.ToLower(name), prefix)
		if cut && rest != "" && strings.ContainsAny(name[len(prefix):len(prefix)+1], "_-ABCDEFGHIJKLMNOPQRSTUVWXYZ") {
			return strings.TrimPrefix(plain, prefix)
		}
	}

	return plain
}

func sortedNames(fields map[string]reflect.Type) []string {
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}

	slices.Sort(names)

	return names
}

// editDistance is Levenshtein's.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}

	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1

		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}

			diagonal, row[j+1] = row[j+1], cost
		}
	}

	return row[len(b)]
}
