package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"html"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/siderolabs/talos/pkg/machinery/config/machine"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/internal/talostest"
	"github.com/talos-tsbridge/talos-tsbridge/tailnet/tailnettest"
)

// The text of the README's picture, which .ci/picture draws.
const (
	pictureText = "../../docs/picture.txt"
	picture     = "../../docs/picture.svg"
)

// varying is what differs from run to run: times, and how much space columns of them take.
var varying = regexp.MustCompile(`\b(\d+h)?(\d+m)?\d+(\.\d+)?(ms|s)\b|[ \x{a0}]+`)

func steady(text string) string { return varying.ReplaceAllString(text, " ") }

// The picture shows what the program prints today. Run with -update, then .ci/picture.
func TestPicture(t *testing.T) {
	t.Parallel()

	env := pictureCluster(t)

	var shown strings.Builder

	const (
		soon    = " --settle 40ms"
		patient = " --timeout 2m" // the machine may have much else to do
	)

	for _, line := range []string{
		"up" + soon, "up" + soon, "verify --nodes 192.168.1.10,192.168.1.11" + patient,
	} {
		var stdout, stderr bytes.Buffer

		code := run(t.Context(), append(strings.Fields(line), "--quiet"), env, strings.NewReader(""), &stdout, &stderr)
		require.Equal(t, exitDone, code, "%s\n%s\n%s", line, stdout.String(), stderr.String())

		shown.WriteString("$ talos-tsbridge " + strings.NewReplacer(soon, "", patient, "").Replace(line) + "\n" + stdout.String() + "\n")
	}

	text, err := os.ReadFile(pictureText)
	require.NoError(t, err)

	if *updateReference && steady(shown.String()) != steady(string(text)+"\n") {
		text = []byte(strings.TrimSuffix(shown.String(), "\n"))
		require.NoError(t, os.WriteFile(pictureText, text, 0o644))
	}

	assert.Equal(t, steady(shown.String()), steady(string(text)+"\n"), "run go test ./cmd/talos-tsbridge -run TestPicture -update, then .ci/picture")

	drawn, err := os.ReadFile(picture)
	require.NoError(t, err)
	assert.Equal(t, strings.Join(strings.Fields(steady(string(text))), " "), strings.Join(strings.Fields(steady(letters(t, drawn))), " "), "run .ci/picture")
}

// pictureCluster starts two nodes that are not on the tailnet yet, and returns an environment that leads to them.
func pictureCluster(t *testing.T) []string {
	t.Helper()

	cluster, err := talostest.Start()
	require.NoError(t, err)
	t.Cleanup(cluster.Close)

	for _, node := range []struct {
		name, address, tailnet string
		role                   machine.Type
	}{
		{"lab-cp-1", "192.168.1.10", "100.82.13.10", machine.TypeControlPlane}, {"lab-worker-1", "192.168.1.11", "100.82.13.11", machine.TypeWorker},
	} {
		config, err := talostest.Config(node.role)
		require.NoError(t, err)

		_, err = cluster.AddLive(&talostest.Live{Name: node.name, Address: node.address, TailnetAddress: node.tailnet}, config, false)
		require.NoError(t, err)
	}

	talosconfig, err := cluster.Talosconfig(talostest.RoleAdmin)
	require.NoError(t, err)

	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "talosconfig"), talosconfig, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "bridge.yaml"), []byte(`advertiseTags: [tag:k8s]
nodeIPSubnets: [192.168.1.0/24]
nodes:
  lab-cp-1: {address: 192.168.1.10, role: controlplane}
  lab-worker-1: {address: 192.168.1.11, role: worker}
`), 0o600))

	tailnet := tailnettest.NewServer(t)

	return append(tailnet.Environ(tailnet.AddAPIToken()),
		"TALOSCONFIG="+filepath.Join(folder, "talosconfig"), "TSBRIDGE_TALOSCONFIG="+filepath.Join(folder, "talosconfig"),
		"TSBRIDGE_FILE="+filepath.Join(folder, "bridge.yaml"))
}

// letters returns the text of an SVG.
func letters(t *testing.T, drawn []byte) string {
	t.Helper()

	var (
		text    strings.Builder
		decoder = xml.NewDecoder(bytes.NewReader(drawn))
		inText  int
	)

	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return html.UnescapeString(text.String())
		}

		require.NoError(t, err)

		switch token := token.(type) {
		case xml.StartElement:
			if token.Name.Local == "text" {
				inText++

				text.WriteByte('\n')
			}
		case xml.EndElement:
			if token.Name.Local == "text" {
				inText--
			}
		case xml.CharData:
			if inText > 0 {
				text.Write(token)
			}
		}
	}
}
