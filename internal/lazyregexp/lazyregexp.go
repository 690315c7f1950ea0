// Package lazyregexp compiles regular expressions when they are first used. The program starts for one command and needs few
// of its patterns; compiling all of them would be a tenth of the time that printing a patch takes.
package lazyregexp

import (
	"os"
	"regexp"
	"strings"
	"sync"
)

// New returns a function that returns the compiled pattern. A pattern that is no regular expression panics: in a test at
// once, elsewhere at its first use.
func New(pattern string) func() *regexp.Regexp {
	compiled := sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })

	if program := strings.TrimSuffix(os.Args[0], ".exe"); strings.HasSuffix(program, ".test") {
		compiled()
	}

	return compiled
}
