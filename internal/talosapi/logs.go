package talosapi

import (
	"bytes"
	"context"
	"errors"
	"io"
	"regexp"
	"strings"
	"sync"

	"github.com/siderolabs/talos/pkg/machinery/api/common"
	"github.com/siderolabs/talos/pkg/machinery/constants"

	"github.com/talos-tsbridge/talos-tsbridge/internal/secret"
)

// Log returns the last lines of the log of the extension's service. They may hold a key: only [Cause] of them may be shown.
func (n *Node) Log(ctx context.Context) ([]string, error) {
	const (
		lines = 200
		most  = 1 << 20
	)

	stream, err := n.machinery.Logs(n.in(ctx), constants.SystemContainerdNamespace, common.ContainerDriver_CONTAINERD, ServiceName, false, lines)
	if err != nil {
		return nil, n.failure(err)
	}

	var text bytes.Buffer

	for {
		part, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return strings.Split(strings.TrimRight(text.String(), "\n"), "\n"), nil
		}

		if err != nil {
			return nil, n.failure(err)
		}

		text.Write(part.GetBytes())

		if text.Len() > most {
			return nil, errors.New("the log of the service has lines without end")
		}
	}
}

// causes are what the programs of the extension say when a login fails, the most telling first. What they say last is how
// tailscaled shuts down, which is no cause.
var causes = sync.OnceValue(func() []*regexp.Regexp {
	return []*regexp.Regexp{
		regexp.MustCompile(`(?i)(requested tags .* (?:invalid|not permitted).*)`),
		regexp.MustCompile(`(?i)(invalid pre ?auth key.*|(?:invalid|expired|already used|revoked) (?:auth ?)?key.*|auth ?key (?:is )?(?:expired|already used|invalid|not found|does not exist).*)`),
		regexp.MustCompile(`(changing settings via 'tailscale up' requires .*)`),
		regexp.MustCompile(`(flag provided .*|invalid boolean value .*|flag needs an argument.*)`),
		regexp.MustCompile(`(?i)(backend error: .*|register request: http \d+: .*|fetch control key: .*|node not approved.*|machine .*authorized.*)`),
		regexp.MustCompile(`(boot: \d{4}/\d\d/\d\d \S+ (?:failed|error|invalid).*|failed to (?:auth tailscale|start tailscaled|watch).*)`),
		regexp.MustCompile(`(no such host|x509: .*|dial tcp .*: (?:connect: .*|i/o timeout))`),
	}
})

// Cause finds in a log why the service does not come up, or returns "". It returns no secret.
func Cause(log []string) string {
	for _, cause := range causes() {
		for i := len(log) - 1; i >= 0; i-- {
			match := cause.FindString(log[i])

			switch {
			case match == "":
			case secret.Looks(match):
				return secret.Redacted
			default:
				const longest = 200

				return strings.TrimSpace(match[:min(len(match), longest)])
			}
		}
	}

	return ""
}
