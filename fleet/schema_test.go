package fleet

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/patch"
)

//go:generate go test -run "^(TestSchema|TestExampleFile)$" -update .

var update = flag.Bool("update", false, "write the schema and the example anew")

const schemaFile = "bridge.schema.json"

// The schema that is committed is the one of the types, and of what package patch says about each choice.
func TestSchema(t *testing.T) {
	t.Parallel()

	root := describe(t, reflect.TypeFor[File](), "")
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "bridge.yaml of talos-tsbridge"
	root["required"] = []string{nodesField}

	node := describe(t, reflect.TypeFor[Node](), "")
	node["description"] = "a node of the cluster: what it says comes in place of what is at the top of the file"
	properties(t, root)[nodesField] = map[string]any{
		"type": "object", "minProperties": 1, "additionalProperties": false, "patternProperties": map[string]any{label().String(): node},
		"description": "the nodes by name, which is their hostname in the tailnet",
	}

	var text bytes.Buffer

	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	require.NoError(t, encoder.Encode(root))

	if *update {
		require.NoError(t, os.WriteFile(schemaFile, text.Bytes(), 0o600))

		return
	}

	assert.Equal(t, text.String(), string(Schema()), "run go generate ./fleet")
}

func properties(t *testing.T, of map[string]any) map[string]any {
	t.Helper()

	found, ok := of["properties"].(map[string]any)
	require.True(t, ok)

	return found
}

// described are the fields that are no choice of package patch.
var described = map[string]string{
	"authKey":         "where the auth key comes from; a literal key is refused",
	"staticHostsFrom": "tags of devices in the tailnet that every node gets static hosts for",
	"unset":           "settings to take out of the machine configs of nodes that run, whoever put them there: variables, such as TS_ROUTES, and flags, such as --ssh",
	"address":         "what the Talos API of the node is called by: an IP address on its LAN or a DNS name, without a port",
	"config":          "the machine config that the node is installed with while it is in maintenance mode, a file beside this one",
	"source":          "mint (a new key for each node), env (the variable TS_AUTHKEY), file:PATH, exec:COMMAND, none, or placeholder:TEXT",
	"expiry":          "how long a minted key can register a node, such as 10m, 1h or 90d",
	"reusable":        "the key serves any number of nodes",
	"ephemeral":       "nodes that stay offline are deleted from the tailnet",
	"preauthorized":   "nodes need no approval",
	"description":     "text that is shown with a minted key",
	"tags":            "tags of the key, where they are not those that the node advertises",
	"tailnet":         "name of the tailnet that the key is made in",
}

// describe returns the schema of a type as the file has it.
func describe(t *testing.T, of reflect.Type, name string) map[string]any {
	t.Helper()

	text := func(kind string) map[string]any { return map[string]any{"type": kind} }

	switch {
	case of == reflect.TypeFor[Duration]():
		return map[string]any{"type": "string", "pattern": `^([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h))+$|^[0-9]+d$`}
	case of.Kind() == reflect.Pointer:
		return describe(t, of.Elem(), name)
	case of.Kind() == reflect.String:
		return text("string")
	case of.Kind() == reflect.Bool:
		return text("boolean")
	case of.Kind() == reflect.Uint16:
		return map[string]any{"type": "integer", "minimum": 0, "maximum": 65535}
	case of.Kind() == reflect.Slice && of.Elem() == reflect.TypeFor[Node]():
		return text("object")
	case of.Kind() == reflect.Slice:
		return map[string]any{"type": "array", "items": describe(t, of.Elem(), name)}
	case of.Kind() == reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": describe(t, of.Elem(), name)}
	case of.Kind() != reflect.Struct:
		require.Fail(t, "no schema for "+of.String())
	}

	fields := map[string]any{}

	for field := range structFields(of) {
		fields[field.name] = describe(t, field.Type, field.name)
		add(t, fields, field.name)
	}

	return map[string]any{"type": "object", "additionalProperties": false, "properties": fields}
}

// add adds what a field is for, and the values that it takes.
func add(t *testing.T, fields map[string]any, name string) {
	t.Helper()

	field, ok := fields[name].(map[string]any)
	require.True(t, ok)

	for _, choice := range patch.Choices() {
		if choice.Field != name {
			continue
		}

		help := strings.NewReplacer("\n", " ", "; can be repeated", "", "a comma-separated list; ", "", ", a comma-separated list", "").
			Replace(strings.ReplaceAll(choice.Help, "`", ""))
		field["description"] = help

		if choice.Values != nil {
			field["enum"] = choice.Values
		}

		return
	}

	if name == nodesField {
		return
	}

	require.Contains(t, described, name, "say what the field is for")
	field["description"] = described[name]
}
