//go:build !unix

package atomicfile_test

import "io/fs"

const locks = false

var errNotDirectory = fs.ErrNotExist
