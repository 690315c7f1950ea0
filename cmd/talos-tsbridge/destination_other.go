//go:build !unix

package main

import (
	"errors"
	"os"
)

func isWritable(int) bool { return true }

func isClosed(*os.File) bool { return false }

func duplicate(int) (*os.File, error) { return nil, errors.ErrUnsupported }
