package ctxio

import (
	"context"
	"errors"
	"io"
	"os"
)

// ErrCut says that ctx ended when a part of a text was written, and the reader has that part.
var ErrCut = errors.New("cut off")

// Write writes text to w.
//
// A write that can go on goes on: ctx ends one only while the reader lets it wait, so that what the reader has whole is
// never an error. Then the error is the cause of ctx, and wraps [ErrCut] if a part of the text was written. The pipe
// that w may be is enlarged to hold the text, as far as the system allows.
//
// A w that is no [os.File] gets the text in one call, which goes on when ctx has ended.
func Write(ctx context.Context, w io.Writer, text []byte) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}

	file, ok := w.(*os.File)
	if !ok {
		return writeTo(ctx, w, text)
	}

	written, err := writeFile(ctx, file, text)
	if err != nil && written > 0 && context.Cause(ctx) != nil {
		return &cutError{err}
	}

	return err
}

func writeTo(ctx context.Context, w io.Writer, text []byte) error {
	written := make(chan error, 1)

	go func() {
		_, err := w.Write(text)
		written <- err
	}()

	select {
	case err := <-written:
		return err
	case <-ctx.Done():
	}

	select {
	case err := <-written: // both at the same time
		return err
	default:
		return context.Cause(ctx)
	}
}

// cutError is a text that was cut off. It reads as what cut it.
type cutError struct{ cause error }

func (e *cutError) Error() string   { return e.cause.Error() }
func (e *cutError) Unwrap() []error { return []error{e.cause, ErrCut} }
