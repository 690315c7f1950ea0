package talosapi

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"

	"github.com/siderolabs/talos/pkg/machinery/api/common"
	"github.com/siderolabs/talos/pkg/machinery/constants"
)

// Log returns the last lines of the log of the extension's service. They may hold a key: what is shown of them goes
// through verify/nodes.ReadLog.
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
