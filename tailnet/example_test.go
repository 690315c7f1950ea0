package tailnet_test

import (
	"context"
	"fmt"

	"github.com/talos-tsbridge/talos-tsbridge/authkey/mint"
	"github.com/talos-tsbridge/talos-tsbridge/tailnet"
	"github.com/talos-tsbridge/talos-tsbridge/tailnet/tailnettest"
)

// The devices with a tag, and what becomes static hosts of a node.
func Example() {
	server := tailnettest.NewServer(nil)
	defer server.Close()

	token := server.AddAPIToken()
	addDevice(server, token, "vault")

	client, err := tailnet.FromEnv(server.LookupEnv(token)) // a program passes os.LookupEnv
	if err != nil {
		fmt.Println(err)

		return
	}

	devices, err := client.DevicesTagged(context.Background(), "tag:vault")
	if err != nil {
		fmt.Println(err)

		return
	}

	for _, device := range devices {
		fmt.Println(device.Name, device.Tags)
	}

	fmt.Println(tailnet.StaticHosts(devices, "")["vault"])

	// Output:
	// vault.tail1234.ts.net [tag:vault]
	// [100.64.0.1 fd7a:115c:a1e0::1]
}

func addDevice(server *tailnettest.Server, credential tailnettest.Credential, name string) {
	minter, err := mint.FromEnv(server.LookupEnv(credential))
	if err != nil {
		panic(err)
	}

	lease, err := minter.Lease(context.Background(), mint.Options{Tags: []string{name}})
	if err != nil {
		panic(err)
	}

	if _, err := server.Register(lease.Key().Reveal(), name); err != nil {
		panic(err)
	}
}
