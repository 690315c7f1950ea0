package authkey_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/authkey"
	"github.com/talos-tsbridge/talos-tsbridge/authkey/authkeytest"
)

// mintMany makes keys keys, atATime at a time, against a server that takes latency for each answer. It returns the time
// as a multiple of what the answers alone take.
func mintMany(t testing.TB, keys, atATime int, latency time.Duration) (ratio float64) {
	server := newServer(t)
	server.SetLatency(latency)

	minter := newMinter(t, server, authkey.CredentialOAuthClient)
	minter.Timeout = authkey.DefaultTimeout

	queue := make(chan struct{}, keys)
	for range keys {
		queue <- struct{}{}
	}

	close(queue)

	var workers sync.WaitGroup

	started := time.Now()

	for range atATime {
		workers.Go(func() {
			for range queue {
				if _, err := minter.Mint(t.Context(), authkey.Options{Tags: []string{"k8s"}}); err != nil {
					t.Error(err)
				}
			}
		})
	}

	workers.Wait()

	took := time.Since(started)

	require.Len(t, server.LiveKeys(), keys)
	require.Len(t, server.Requests(authkeytest.OAuthToken), 1, "one access token serves all keys")

	return float64(took) / float64(latency*time.Duration((keys+atATime-1)/atATime))
}

// BenchmarkMint makes 200 keys, 8 at a time, against a server that takes 50 ms for each answer. That takes 25 rounds of
// 50 ms at best, and one more for the access token; "ratio" is how much longer it took than the 25 rounds, and may be
// 1.2.
func BenchmarkMint(b *testing.B) {
	const (
		keys, atATime = 200, 8
		latency       = 50 * time.Millisecond
		highest       = 1.2
	)

	var (
		sum, worst float64
		rounds     int
	)

	for b.Loop() {
		ratio := mintMany(b, keys, atATime, latency)
		sum, worst, rounds = sum+ratio, max(worst, ratio), rounds+1
	}

	mean := sum / float64(rounds)

	b.ReportMetric(mean, "ratio")
	b.ReportMetric(worst, "worst-ratio")

	if mean > highest {
		b.Errorf("ratio %.2f, at most %.2f", mean, highest)
	}
}

// TestMintManyTakesRounds is the benchmark in short. The bound is wide: tests run beside each other.
func TestMintManyTakesRounds(t *testing.T) {
	require.Less(t, mintMany(t, 40, 8, 20*time.Millisecond), 5.0, "keys are made at the same time, not one after the other")
}
