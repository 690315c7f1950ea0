package fleet

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/talos-tsbridge/talos-tsbridge/internal/atomicfile"
)

// Files is a sink that writes the patch of each node to a file NAME.yaml, which its owner alone can read and which is there
// as a whole or not at all. What is lost with the power of the machine is made again.
type Files struct {
	// Dir is the folder, which is there already or is made for its owner alone.
	Dir string
	// Redacted writes patches with the key redacted.
	Redacted bool
}

const (
	ownerOnly    = 0o600
	ownerOnlyDir = 0o700
)

// Prepare makes the folder.
func (f *Files) Prepare() error {
	if err := os.MkdirAll(f.Dir, ownerOnlyDir); err != nil {
		return fmt.Errorf("output folder: %w", err)
	}

	return nil
}

// Path returns the file of a node.
func (f *Files) Path(node *Node) string { return filepath.Join(f.Dir, node.Name+".yaml") }

// Deliver writes the file.
func (f *Files) Deliver(ctx context.Context, delivery *Delivery) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}

	encode := delivery.Patch.Bytes
	if f.Redacted {
		encode = delivery.Patch.Redacted
	}

	text, err := encode()
	if err != nil {
		return err
	}

	return atomicfile.WriteUnsynced(f.Path(delivery.Node), text, ownerOnly)
}
