//go:build !unix

package ctxio

import (
	"context"
	"os"
)

// OpenWriter opens the device at path for writing.
func OpenWriter(_ context.Context, path string) (*os.File, error) {
	return os.OpenFile(path, os.O_WRONLY, 0)
}

func writeFile(ctx context.Context, file *os.File, text []byte) (int, error) {
	return 0, writeTo(ctx, file, text)
}
