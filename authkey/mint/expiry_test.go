package mint_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/authkey/mint"
)

func TestParseExpiry(t *testing.T) {
	for text, want := range map[string]time.Duration{"90d": 90 * 24 * time.Hour, "1d": 24 * time.Hour, "1h30m": 90 * time.Minute, "15m": 15 * time.Minute} {
		got, err := mint.ParseExpiry(text)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}

	for _, text := range []string{"", "d", "-1d", "1.5d", "90D", "7776000", "soon", "99999d"} {
		_, err := mint.ParseExpiry(text)
		require.Error(t, err, text)
	}
}
