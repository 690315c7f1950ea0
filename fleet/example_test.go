package fleet_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/talos-tsbridge/talos-tsbridge/fleet"
)

// printed is a sink that shows the hostname in each patch.
type printed struct{}

func (printed) Deliver(_ context.Context, delivery *fleet.Delivery) error {
	text, err := delivery.Patch.Redacted()
	if err != nil {
		return err
	}

	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, "TS_HOSTNAME") {
			fmt.Println(delivery.Node.Address, strings.TrimSpace(line))
		}
	}

	return nil
}

// The patch of each node of a file goes to a sink, here without keys.
func Example() {
	file, err := fleet.Parse("bridge.yaml", []byte(`
advertiseTags: [tag:k8s]
authKey: {source: none}
nodes:
  lab-cp-1: {address: 192.168.1.10, role: controlplane}
  lab-worker-1: {address: 192.168.1.11}
`))
	if err != nil {
		fmt.Println(err)

		return
	}

	plan, err := file.Plan(fleet.PlanOptions{})
	if err != nil {
		fmt.Println(err)

		return
	}

	summary, err := fleet.Run(context.Background(), plan, printed{}, fleet.RunOptions{Parallel: 1})
	fmt.Println(summary.Delivered, "delivered", err)

	// Output:
	// 192.168.1.10 - TS_HOSTNAME=lab-cp-1
	// 192.168.1.11 - TS_HOSTNAME=lab-worker-1
	// 2 delivered <nil>
}
