package lazyregexp_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/talos-tsbridge/talos-tsbridge/internal/lazyregexp"
)

func TestNew(t *testing.T) {
	t.Parallel()

	pattern := lazyregexp.New(`^a+$`)

	assert.True(t, pattern().MatchString("aa"))
	assert.Same(t, pattern(), pattern())
	assert.Panics(t, func() { lazyregexp.New(`(`) }, "a test finds a wrong pattern of a package that it only imports")
}
