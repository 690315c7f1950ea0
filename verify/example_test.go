package verify_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"

	"github.com/talos-tsbridge/talos-tsbridge/verify"
)

// A port that nothing listens on, and what that means.
func Example() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)

		return
	}

	targets, err := verify.ParseTargets("tcp://" + listener.Addr().String())
	if err != nil {
		fmt.Println(err)

		return
	}

	var checker verify.Checker

	fmt.Println(checker.Check(context.Background(), targets)[0].Outcome)

	_ = listener.Close()
	results := checker.Check(context.Background(), targets)

	fmt.Println(results[0].Outcome)
	fmt.Println(verify.Diagnose(results)[0].Code)
	// Output:
	// ok
	// refused
	// port-refused
}

// Results from a pod and from its node, looked at together, tell why only the pod fails.
func ExampleDiagnose() {
	vault := netip.MustParseAddr("100.82.13.87")

	findings := verify.Diagnose([]verify.Result{
		{Target: "tcp://100.82.13.87:8200", Kind: verify.KindTCP, From: verify.PlacePod, Outcome: verify.OutcomeTimeout, Address: vault, Port: 8200},
		{Target: "tcp://100.82.13.87:8200", Kind: verify.KindTCP, From: verify.PlaceNode, Outcome: verify.OutcomeOK, Address: vault, Port: 8200},
	})

	fmt.Println(findings[0].Code)
	fmt.Println(findings[0].Cause)
	// Output:
	// no-masquerade
	// the node reaches the address and its pods do not: their packets leave with the pod's address, to which the tailnet has no way back, or a NetworkPolicy drops them
}
