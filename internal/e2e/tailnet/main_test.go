package tailnet

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/talos-tsbridge/talos-tsbridge/internal/e2e/tailnet/lab"
)

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "nc" {
		os.Exit(netcat(os.Args[1:], os.Stderr))
	}

	os.Exit(lab.Run(m))
}
