//go:build !unix

package atomicfile

import (
	"io/fs"
	"os"
)

func tryLock(*os.File) (bool, error) { return true, nil }

func hardLinks(fs.FileInfo) uint64 { return 1 }

func keepOwner(string, *os.File, fs.FileInfo) error { return nil }

func syncDirectory(string) error { return nil }
