package tailnet

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestRetryAfter(t *testing.T) {
	const date = "Mon, 02 Mar 2026 10:00:00 GMT"

	for _, test := range []struct {
		value, date string
		want        time.Duration
	}{
		{"", "", 0},
		{"7", "", 7 * time.Second},
		{"0", "", 0},
		{"-3", "", 0},
		{"99999999999999999999", "", 0},
		{"999999999", "", 24 * time.Hour},
		{"soon", "", 0},
		// The server's own clock counts, wherever this machine's stands.
		{"Mon, 02 Mar 2026 10:00:30 GMT", date, 30 * time.Second},
		{"Mon, 02 Mar 2026 09:00:00 GMT", date, 0},
		{"Mon, 02 Mar 2020 10:00:00 GMT", "", 0},
	} {
		header := http.Header{}
		header.Set("Retry-After", test.value)
		header.Set("Date", test.date)

		require.Equal(t, test.want, retryAfter(header), "%q", test.value)
	}
}
