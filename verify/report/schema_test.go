package report_test

import (
	"bytes"
	"encoding"
	"encoding/json"
	"flag"
	"net/netip"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/verify"
	"github.com/talos-tsbridge/talos-tsbridge/verify/nodes"
	"github.com/talos-tsbridge/talos-tsbridge/verify/report"
)

//go:generate go test -run ^(TestSchemaIsThatOfTheTypes|TestExplanations)$ -update .

var update = flag.Bool("update", false, "write the schema anew")

const schemaFile = "report.schema.json"

type object = map[string]any

// named is what the type of a field does not tell by itself.
var named = map[reflect.Type]object{
	reflect.TypeFor[netip.Addr]():      {"type": "string", "description": "an IP address"},
	reflect.TypeFor[time.Time]():       {"type": "string", "format": "date-time"},
	reflect.TypeFor[verify.Duration](): {"type": "string", "description": "a time span as Go writes it, such as 12.5ms"},
	reflect.TypeFor[verify.Place]():    {"enum": []any{verify.PlaceHost, verify.PlacePod, verify.PlaceNode}},
	reflect.TypeFor[verify.Severity](): {"enum": []any{verify.SeverityFault, verify.SeverityUnknown, verify.SeverityWarning}},
	reflect.TypeFor[nodes.Reason]():    {"enum": []any{nodes.ReasonRole, nodes.ReasonFailed}},
	reflect.TypeFor[verify.Code]():     code(),
	reflect.TypeFor[verify.Outcome]():  code(),
	reflect.TypeFor[verify.Kind]():     code(),
	reflect.TypeFor[nodes.Question]():  code(),
}

func code() object { return object{"type": "string", "pattern": "^[a-z0-9-]+$"} }

// describe returns the schema of a type as encoding/json writes it.
func describe(t *testing.T, of reflect.Type, definitions object) object {
	t.Helper()

	if known, ok := named[of]; ok {
		return known
	}

	if of.Implements(reflect.TypeFor[encoding.TextMarshaler]()) {
		return object{"type": "string"}
	}

	switch of.Kind() {
	case reflect.Pointer:
		return describe(t, of.Elem(), definitions)
	case reflect.Slice:
		return object{"type": "array", "items": describe(t, of.Elem(), definitions)}
	case reflect.String:
		return object{"type": "string"}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Int, reflect.Int64, reflect.Uint16, reflect.Uint32:
		return object{"type": "integer"}
	case reflect.Float64:
		return object{"type": "number"}
	case reflect.Struct:
		if _, ok := definitions[of.Name()]; !ok {
			definitions[of.Name()] = nil // against a circle
			definitions[of.Name()] = describeFields(t, of, definitions)
		}

		return object{"$ref": "#/$defs/" + of.Name()}
	}

	require.Fail(t, "no schema for "+of.String())

	return nil
}

func describeFields(t *testing.T, of reflect.Type, definitions object) object {
	t.Helper()

	properties, required := object{}, []any{}

	for i := range of.NumField() {
		name, options, _ := strings.Cut(of.Field(i).Tag.Get("json"), ",")
		if name == "-" || !of.Field(i).IsExported() {
			continue
		}

		require.NotEmpty(t, name, "%s.%s has no name in JSON", of, of.Field(i).Name)

		properties[name] = describe(t, of.Field(i).Type, definitions)

		if !strings.Contains(options, "omit") {
			required = append(required, name)
		}
	}

	return object{"type": "object", "properties": properties, "required": required}
}

func TestSchemaIsThatOfTheTypes(t *testing.T) {
	definitions := object{}
	root := describe(t, reflect.TypeFor[report.Report](), definitions)

	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "talos-tsbridge verify -o json"
	root["$defs"] = definitions

	var text bytes.Buffer

	encoder := json.NewEncoder(&text)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	require.NoError(t, encoder.Encode(root))

	if *update {
		require.NoError(t, os.WriteFile(schemaFile, text.Bytes(), 0o600))

		return
	}

	assert.True(t, text.String() == string(report.Schema()), "%s is not that of the types: run go test ./verify/report -update, and read the difference: fields are never removed", schemaFile) //nolint:testifylint // the whole is no message
}
