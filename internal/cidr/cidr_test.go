package cidr_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/internal/cidr"
)

func TestParse(t *testing.T) {
	t.Parallel()

	for text, want := range map[string]string{
		"192.168.1.0/24": "192.168.1.0/24", "192.168.1.7/24": "192.168.1.7/24", "192.168.1.7": "192.168.1.7/32", "2001:db8::1": "2001:db8::1/128", "::/0": "::/0",
	} {
		prefix, err := cidr.Parse("subnet", text)
		require.NoError(t, err, text)
		assert.Equal(t, want, prefix.String())
	}

	prefix, err := cidr.Parse("subnet", " 10.0.0.0/8 ")
	require.NoError(t, err)
	assert.Equal(t, "10.0.0.0/8", prefix.String())

	for _, text := range []string{"", "lan", "192.168.1.0/33", "fe80::1%eth0", "::ffff:10.0.0.0/104", "10.0.0.0-10.0.0.9"} {
		_, err := cidr.Parse("subnet", text)
		require.Error(t, err, text)
		assert.Regexp(t, "^subnet ", err.Error())
	}
}

func TestMask(t *testing.T) {
	t.Parallel()

	masked, note := cidr.Mask("subnet", netip.MustParsePrefix("192.168.1.7/24"))
	assert.Equal(t, "192.168.1.0/24", masked.String())
	assert.NotEmpty(t, note)

	_, note = cidr.Mask("subnet", masked)
	assert.Empty(t, note)
}

func TestContains(t *testing.T) {
	t.Parallel()

	for _, tt := range []struct {
		outer, inner string
		want         bool
	}{
		{"10.0.0.0/8", "10.1.0.0/16", true},
		{"10.0.0.0/8", "10.0.0.0/8", true},
		{"10.1.0.0/16", "10.0.0.0/8", false},
		{"0.0.0.0/0", "::/0", false},
		{"::/0", "10.0.0.0/8", false},
	} {
		assert.Equal(t, tt.want, cidr.Contains(netip.MustParsePrefix(tt.outer), netip.MustParsePrefix(tt.inner)), "%s %s", tt.outer, tt.inner)
	}
}
