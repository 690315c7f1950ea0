package mint_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/authkey/mint"
	"github.com/talos-tsbridge/talos-tsbridge/tailnet"
	"github.com/talos-tsbridge/talos-tsbridge/tailnet/tailnettest"
)

// mintMany makes keys keys, atATime at a time, against a server that takes latency for each answer. It returns the time
// as a multiple of what the answers alone take.
func mintMany(t testing.TB, keys, atATime int, latency time.Duration) (ratio float64) {
	server := tailnettest.NewServer(t)
	server.SetLatency(latency)

	minter := newMinter(t, server, tailnet.CredentialOAuthClient)
	minter.Client.Timeout = tailnet.DefaultTimeout

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
				if _, err := minter.Lease(t.Context(), mint.Options{Tags: []string{"k8s"}}); err != nil {
					t.Error(err)
				}
			}
		})
	}

	workers.Wait()

	took := time.Since(started)

	require.Len(t, server.LiveKeys(), keys)
	require.Len(t, server.Requests(tailnettest.OAuthToken), 1, "one access token serves all keys")

	return float64(took) / float64(latency*time.Duration((keys+atATime-1)/atATime))
}

// BenchmarkMint makes 200 keys, 8 at a time, against a server that takes 50 ms for each answer. That takes 25 rounds of
// 50 ms at best, and one more for the access token; "ratio" is how much longer it took than the 25 rounds; at most 1.2
// is the aim.
func BenchmarkMint(b *testing.B) {
	const (
		keys, atATime = 200, 8
		latency       = 50 * time.Millisecond
	)

	var (
		sum, worst float64
		rounds     int
	)

	for b.Loop() {
		ratio := mintMany(b, keys, atATime, latency)
		sum, worst, rounds = sum+ratio, max(worst, ratio), rounds+1
	}

	b.ReportMetric(sum/float64(rounds), "ratio")
	b.ReportMetric(worst, "worst-ratio")
}

// One access token serves all the keys of a run, also when they are made at the same time.
func TestMintManyWithOneToken(t *testing.T) {
	mintMany(t, 40, 8, time.Millisecond)
}
