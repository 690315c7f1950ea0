package nodes

import "github.com/cosi-project/runtime/pkg/resource"

// machineType is read as the YAML that the node sends beside the typed form. The package of machinery that holds its type
// registers much else at the start of the program, which every command would pay for: half a millisecond of ten.
var machineType = resource.NewMetadata("config", "MachineTypes.config.talos.dev", "machine-type", resource.VersionUndefined)
