package printable_test

import (
	"encoding/json"
	"os/exec"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/internal/printable"
)

var hostile = []string{
	"\x1b[2J\x1b]0;title\x07", "a\r\nb", "\u009b31mred", "admin\u202etxt.exe", "\u2066x\u2069", "zero\u200bwidth", "line\u2028break", "\x7f", "\xff\xfe", "\U000e0041tag", "a\u00a0b",
}

func TestLine(t *testing.T) {
	assert.Equal(t, "Grüße, 世界 ✓", printable.Line("Grüße, 世界 ✓"))
	assert.Equal(t, `\x1b[2J`, printable.Line("\x1b[2J"))
	assert.Equal(t, `a\xffb`, printable.Line("a\xffb"), "no character, so it is shown as what it is")

	for _, text := range hostile {
		for _, r := range printable.Line(text) {
			assert.True(t, unicode.IsPrint(r), "%q", text)
		}
	}
}

func TestJSON(t *testing.T) {
	for _, text := range hostile {
		encoded, err := json.Marshal([]string{text})
		require.NoError(t, err)

		var before, after []string

		require.NoError(t, json.Unmarshal(encoded, &before))

		shown := printable.JSON(encoded)
		require.NoError(t, json.Unmarshal(shown, &after), "%s", shown)
		assert.Equal(t, before, after, "it means the same")
		assert.Equal(t, string(shown), printable.Line(string(shown)))
	}
}

func TestWord(t *testing.T) {
	for _, text := range []string{"kABC123", "a b", "$(touch x)", "it's", "`x`", "--flag", "", "a;b", "x\ny"} {
		said, err := exec.CommandContext(t.Context(), "sh", "-c", "printf %s "+printable.Word(text)).Output()
		require.NoError(t, err)
		assert.Equal(t, printable.Line(text), string(said))
	}

	for _, text := range []string{"kABC123", "192.168.1.10", "fd7a:115c:a1e0::1", "factory.talos.dev/metal-installer/0:v1.14.1"} {
		assert.Equal(t, text, printable.Word(text), "what is one word is not quoted")
	}
}

func TestClip(t *testing.T) {
	assert.Equal(t, "größ...", printable.Clip("größer", 4))
	assert.Equal(t, "groß", printable.Clip("groß", 4))
}

// The first of many are shown, and how many are not; what was given stays as it was.
func TestFirst(t *testing.T) {
	t.Parallel()

	given := []string{"a", "b", "c"}

	assert.Equal(t, []string{"a", "b", "c"}, printable.First(3, given))
	assert.Equal(t, []string{"a", "and 2 more"}, printable.First(1, given))
	assert.Equal(t, []string{"a", "b", "c"}, given)
}
