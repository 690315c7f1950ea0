package report_test

import (
	"fmt"

	"github.com/talos-tsbridge/talos-tsbridge/verify"
	"github.com/talos-tsbridge/talos-tsbridge/verify/report"
)

// The log of a Job in a cluster, whose results are in lines among others, and what they mean.
func ExampleRead() {
	results, err := report.Read([]byte(`tcp://100.82.13.87:8200: timeout
{"target":"tcp://100.82.13.87:8200","kind":"tcp","from":"pod","outcome":"timeout","host":"100.82.13.87","address":"100.82.13.87","port":8200}
`))
	if err != nil {
		fmt.Println(err)

		return
	}

	for _, finding := range verify.Diagnose(results) {
		fmt.Println(finding.Severity, finding.Code, finding.Subjects)
	}

	// Output:
	// fault tailnet-unreachable [tcp://100.82.13.87:8200]
}
