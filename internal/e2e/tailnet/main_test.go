package tailnet

import (
	"os"
	"testing"

	"github.com/talos-tsbridge/talos-tsbridge/internal/e2e/tailnet/lab"
)

func TestMain(m *testing.M) { os.Exit(lab.Run(m)) }
