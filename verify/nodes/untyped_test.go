package nodes

import (
	"testing"

	"github.com/siderolabs/talos/pkg/machinery/resources/config"
	"github.com/stretchr/testify/assert"
)

// What is spelled out for the sake of a quick start is what machinery calls it.
func TestUntypedNames(t *testing.T) {
	t.Parallel()

	assert.Equal(t, config.NamespaceName, machineType.Namespace())
	assert.Equal(t, config.MachineTypeType, machineType.Type())
	assert.Equal(t, config.MachineTypeID, machineType.ID())
}
