package devices_test

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/talos-tsbridge/talos-tsbridge/tailnet"
	"github.com/talos-tsbridge/talos-tsbridge/verify/devices"
)

// A node that lost its state and registered again.
func ExampleDiagnose() {
	now := time.Date(2026, time.November, 1, 12, 0, 0, 0, time.UTC)

	fetched := &devices.Tailnet{Devices: []tailnet.Device{
		{Name: "lab.tail1234.ts.net", Hostname: "lab", Addresses: []netip.Addr{netip.MustParseAddr("100.64.0.1")}, Authorized: true, LastSeen: now.Add(-time.Hour)},
		{Name: "lab-1.tail1234.ts.net", Hostname: "lab", Addresses: []netip.Addr{netip.MustParseAddr("100.64.0.2")}, Authorized: true},
	}}

	for _, finding := range devices.Diagnose(fetched, []devices.Expected{{Name: "lab"}}, now) {
		fmt.Println(finding.Code)
		fmt.Println(finding.Cause)
	}
	// Output:
	// device-duplicate
	// the node registered more than once, as lab-1.tail1234.ts.net (100.64.0.2) and lab.tail1234.ts.net (100.64.0.1), last seen 2026-11-01T11:00:00Z: it lost its state, and the name leads to what it was before
}
