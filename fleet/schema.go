package fleet

import (
	_ "embed" // the schema
	"slices"
)

//go:embed bridge.schema.json
var schema []byte

// Schema returns the JSON schema of the file, for editors and other programs that read it.
func Schema() []byte { return slices.Clone(schema) }

// SchemaComment is the first line of a file, by which editors find the schema.
const SchemaComment = "# yaml-language-server: $schema=https://raw.githubusercontent.com/talos-tsbridge/talos-tsbridge/main/fleet/bridge.schema.json"
