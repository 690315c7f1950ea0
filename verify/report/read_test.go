package report_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/verify"
	"github.com/talos-tsbridge/talos-tsbridge/verify/report"
)

// A Job waits, and says at each try what became of a target: the last one counts. Other places are others.
func TestReadTakesTheLast(t *testing.T) {
	t.Parallel()

	results, err := report.Read([]byte(`2026-11-30T06:00:00Z {"target":"tcp://a:1","kind":"tcp","from":"pod","outcome":"timeout"}
{"target":"tcp://b:1","kind":"tcp","from":"pod","outcome":"ok"}
{"target":"tcp://a:1","kind":"tcp","from":"node","outcome":"ok"}
pod/check {"target":"tcp://a:1","kind":"tcp","from":"pod","outcome":"refused"}
{"target":"tcp://a:1", broken off
`))
	require.NoError(t, err)

	outcomes := map[string]verify.Outcome{}
	for _, result := range results {
		outcomes[result.Target+" "+string(result.From)] = result.Outcome
	}

	assert.Len(t, results, 3)
	assert.Equal(t, map[string]verify.Outcome{
		"tcp://a:1 pod": verify.OutcomeRefused, "tcp://a:1 node": verify.OutcomeOK, "tcp://b:1 pod": verify.OutcomeOK,
	}, outcomes)

	for _, text := range []string{"", "{}", `{"results":[]}`, `{"target":"tcp://a:1"}`} {
		_, err := report.Read([]byte(text))
		require.ErrorIs(t, err, report.ErrNoResults, text)
	}
}
