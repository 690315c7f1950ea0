package nodes

import "github.com/cosi-project/runtime/pkg/resource"

// Resources that are read as the YAML that the node sends beside the typed form. The packages of machinery that hold their
// types register much else at the start of the program, which every command would pay for: half a millisecond of ten.
var (
	machineType     = resource.NewMetadata("config", "MachineTypes.config.talos.dev", "machine-type", resource.VersionUndefined)
	addressStatuses = resource.NewMetadata("network", "AddressStatuses.net.talos.dev", "", resource.VersionUndefined)
)
