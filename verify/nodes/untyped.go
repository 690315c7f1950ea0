package nodes

import (
	"fmt"

	"github.com/cosi-project/runtime/pkg/resource"
	"github.com/cosi-project/runtime/pkg/resource/protobuf"
	"go.yaml.in/yaml/v4"
)

// Resources that are read as the YAML that the node sends beside the typed form. The packages of machinery that hold their
// types register much else at the start of the program, which every command would pay for: half a millisecond of ten.
var (
	machineType     = resource.NewMetadata("config", "MachineTypes.config.talos.dev", "machine-type", resource.VersionUndefined)
	addressStatuses = resource.NewMetadata("network", "AddressStatuses.net.talos.dev", "", resource.VersionUndefined)
)

// readSpec reads what a resource holds.
func readSpec(answer resource.Resource, into any) error {
	raw, ok := answer.(*protobuf.Resource)
	if !ok {
		return fmt.Errorf("the answer is a %T", answer)
	}

	message, err := raw.Marshal()
	if err != nil {
		return err
	}

	return yaml.Unmarshal([]byte(message.GetSpec().GetYamlSpec()), into)
}
