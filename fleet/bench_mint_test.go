package fleet_test

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/authkey/mint"
	"github.com/talos-tsbridge/talos-tsbridge/fleet"
	"github.com/talos-tsbridge/talos-tsbridge/tailnet/tailnettest"
)

// limited is the way to a server that takes so many creations of a key a second, and answers further ones with status 429.
type limited struct {
	http.RoundTripper

	aSecond int

	guard   sync.Mutex
	began   time.Time
	taken   int
	refused int
}

func (l *limited) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Method == http.MethodPost && strings.HasSuffix(request.URL.Path, "/keys") && !l.take() {
		time.Sleep(mintLatency)

		return &http.Response{
			StatusCode: http.StatusTooManyRequests, Header: http.Header{"Content-Type": {"application/json"}},
			Body: io.NopCloser(strings.NewReader(`{"message":"rate limit"}`)), Request: request,
		}, nil
	}

	return l.RoundTripper.RoundTrip(request)
}

func (l *limited) take() bool {
	l.guard.Lock()
	defer l.guard.Unlock()

	if l.began.IsZero() {
		l.began = time.Now()
	}

	const burst = 10

	if float64(l.taken) >= time.Since(l.began).Seconds()*float64(l.aSecond)+burst {
		l.refused++

		return false
	}

	l.taken++

	return true
}

const mintLatency = 50 * time.Millisecond

// BenchmarkRunMinted makes the patches of 1,000 nodes with a key of its own for each, against a server that takes 50 ms for
// each answer and makes 100 keys a second. The ratio is to what that limit alone takes, ten seconds; at most 1.15 is the aim.
func BenchmarkRunMinted(b *testing.B) {
	const (
		nodes   = 1000
		aSecond = 100
	)

	plan := planOf(b, nodes)

	var took time.Duration

	for b.Loop() {
		server := tailnettest.NewServer(b)
		server.SetLatency(mintLatency)

		minter, err := mint.FromEnv(server.LookupEnv(server.AddAPIToken()))
		require.NoError(b, err)

		way := &limited{RoundTripper: &http.Transport{MaxIdleConnsPerHost: fleet.DefaultDeliveries}, aSecond: aSecond}
		minter.Client.HTTPClient = &http.Client{Transport: way}

		start := time.Now()

		_, err = fleet.Run(b.Context(), plan, discard{}, fleet.RunOptions{
			Keys: fleet.MintedKeys(minter, func(int) mint.Options { return mint.Options{Tags: []string{"tag:k8s"}} }, nil),
		})
		require.NoError(b, err)

		took += time.Since(start)

		b.Logf("%d creations were refused", way.refused)
		require.Len(b, server.LiveKeys(), nodes)
	}

	b.ReportMetric(took.Seconds()*aSecond/nodes/float64(b.N), "ratio")
}
