package report_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/tailnet"
	"github.com/talos-tsbridge/talos-tsbridge/verify"
	"github.com/talos-tsbridge/talos-tsbridge/verify/devices"
	"github.com/talos-tsbridge/talos-tsbridge/verify/nodes"
	"github.com/talos-tsbridge/talos-tsbridge/verify/report"
)

// errAPI is what the API answers where it answers nothing.
var errAPI = errors.New("the API does not answer")

// lookUps answers each call with the next of the answers, and then with the last; nil is an error.
func lookUps(answers ...*devices.Tailnet) (lookUp func(context.Context) (*devices.Tailnet, error), calls *int) {
	calls = new(int)

	return func(context.Context) (*devices.Tailnet, error) {
		answer := answers[min(*calls, len(answers)-1)]
		*calls++

		if answer == nil {
			return nil, errAPI
		}

		return answer, nil
	}, calls
}

func expected([]nodes.Node) []devices.Expected { return []devices.Expected{{Name: "node-1"}} }

// ofTailnet is one with the devices of these names; each is as it should be.
func ofTailnet(names ...string) *devices.Tailnet {
	answer := &devices.Tailnet{Devices: []tailnet.Device{}}
	for _, name := range names {
		answer.Devices = append(answer.Devices, tailnet.Device{ID: "n" + name, Name: name + ".tail1234.ts.net", Authorized: true})
	}

	return answer
}

func TestCheckOfNothing(t *testing.T) {
	t.Parallel()

	found, err := (&report.Check{}).Run(t.Context())
	require.NoError(t, err)

	assert.Equal(t, verify.PlaceHost, found.From)
	assert.Empty(t, found.Findings)
	assert.Nil(t, found.Tailnet, "nobody was asked")

	found, err = (&report.Check{Checker: &verify.Checker{From: verify.PlacePod}}).Run(t.Context())
	require.NoError(t, err)
	assert.Equal(t, verify.PlacePod, found.From)
}

// The devices of the nodes that are checked are in the report, and no others.
func TestCheckDevices(t *testing.T) {
	t.Parallel()

	lookUp, calls := lookUps(ofTailnet("laptop", "node-1"))

	found, err := (&report.Check{LookUp: lookUp, Expected: expected}).Run(t.Context())
	require.NoError(t, err)
	require.NotNil(t, found.Tailnet)
	require.Len(t, found.Tailnet.Devices, 1)
	assert.Equal(t, "node-1", found.Tailnet.Devices[0].ShortName())
	assert.Empty(t, found.Findings)
	assert.Equal(t, 1, *calls)

	// without nodes, the keys alone are of interest
	found, err = (&report.Check{LookUp: lookUp}).Run(t.Context())
	require.NoError(t, err)
	require.NotNil(t, found.Tailnet)
	assert.Empty(t, found.Tailnet.Devices)
}

// A device that is not there yet, and an API that does not answer, are asked for again until the time is over.
func TestCheckWaitsForDevices(t *testing.T) {
	t.Parallel()

	for name, test := range map[string]struct {
		answers  []*devices.Tailnet
		wait     time.Duration
		interval time.Duration
		calls    int
		took     time.Duration
		codes    []verify.Code
		err      error
	}{
		"there at the third try": {
			answers: []*devices.Tailnet{ofTailnet(), nil, ofTailnet("node-1")},
			wait:    time.Minute, interval: 10 * time.Second, calls: 3, took: 20 * time.Second,
		},
		"never there": {
			answers: []*devices.Tailnet{ofTailnet()},
			wait:    25 * time.Second, interval: 10 * time.Second, calls: 4, took: 25 * time.Second, codes: []verify.Code{devices.CodeMissing},
		},
		"no answer": {
			answers: []*devices.Tailnet{nil},
			wait:    25 * time.Second, interval: 10 * time.Second, calls: 4, took: 25 * time.Second, err: errAPI,
		},
		"the interval of verify": {
			answers: []*devices.Tailnet{ofTailnet(), ofTailnet("node-1")},
			wait:    time.Minute, calls: 2, took: verify.DefaultInterval,
		},
		"once": {
			answers: []*devices.Tailnet{ofTailnet()}, calls: 1, codes: []verify.Code{devices.CodeMissing},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			synctest.Test(t, func(t *testing.T) {
				lookUp, calls := lookUps(test.answers...)
				start := time.Now()

				found, err := (&report.Check{LookUp: lookUp, Expected: expected, Wait: test.wait, Interval: test.interval}).Run(t.Context())
				require.ErrorIs(t, err, test.err)
				assert.Equal(t, test.calls, *calls)
				assert.Equal(t, test.took, time.Since(start))

				var codes []verify.Code
				for _, finding := range found.Findings {
					codes = append(codes, finding.Code)
				}

				assert.Equal(t, test.codes, codes)
			})
		})
	}
}

// An end from outside leaves what is known, without a further try.
func TestCheckEnds(t *testing.T) {
	t.Parallel()

	ctx, cancel := context.WithCancel(t.Context())
	cancel()

	lookUp, calls := lookUps(ofTailnet())

	found, err := (&report.Check{LookUp: lookUp, Expected: expected, Wait: time.Hour}).Run(ctx)
	require.NoError(t, err)
	assert.Equal(t, verify.SeverityFault, found.Worst())
	assert.Equal(t, 1, *calls)
}

// What was found in another place counts as what is found here; it is not told as if it were of here.
func TestCheckAlso(t *testing.T) {
	t.Parallel()

	also := []verify.Result{{Target: "tcp://100.82.13.87:8200", Kind: verify.KindTCP, From: verify.PlacePod, Outcome: verify.OutcomeTimeout,
		Host: "100.82.13.87", Port: 8200}}

	found, err := (&report.Check{Also: also}).Run(t.Context())
	require.NoError(t, err)
	assert.Equal(t, verify.SeverityFault, found.Worst())
	assert.Empty(t, found.Results)

	// and a report is read as it was written
	var text bytes.Buffer

	require.NoError(t, (&report.Report{From: verify.PlacePod, Results: also}).WriteJSON(&text))

	read, err := report.Read(text.Bytes())
	require.NoError(t, err)
	assert.Equal(t, also, read)
}
