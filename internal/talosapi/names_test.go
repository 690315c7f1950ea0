package talosapi

import (
	"testing"

	"github.com/siderolabs/talos/pkg/machinery/resources/config"
	"github.com/siderolabs/talos/pkg/machinery/resources/k8s"
	"github.com/siderolabs/talos/pkg/machinery/resources/network"
	"github.com/siderolabs/talos/pkg/machinery/resources/runtime"
	"github.com/stretchr/testify/assert"
)

// What is spelled out for the sake of a quick start is what machinery calls it.
func TestUntypedNames(t *testing.T) {
	t.Parallel()

	assert.Equal(t, []string{config.NamespaceName, config.MachineConfigType, config.ActiveID}, []string{activeConfig.Namespace(), activeConfig.Type(), activeConfig.ID()})
	assert.Equal(t, config.PersistentID, persistedConfig.ID())
	assert.Equal(t, []string{runtime.NamespaceName, runtime.ExtensionStatusType}, []string{extensionStatus.Namespace(), extensionStatus.Type()})
	assert.Equal(t, []string{network.NamespaceName, network.AddressStatusType}, []string{addressStatus.Namespace(), addressStatus.Type()})
	assert.Equal(t, []string{network.HostnameStatusType, network.HostnameID}, []string{hostnameStatus.Type(), hostnameStatus.ID()})
	assert.Equal(t, []string{k8s.NamespaceName, k8s.NodeIPType, k8s.KubeletID}, []string{kubeletNodeIP.Namespace(), kubeletNodeIP.Type(), kubeletNodeIP.ID()})
	assert.Equal(t, []string{k8s.NodeIPConfigType, k8s.KubeletID}, []string{kubeletNodeRules.Type(), kubeletNodeRules.ID()})
}
