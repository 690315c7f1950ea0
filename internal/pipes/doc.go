// Package pipes runs a command that reads texts which are on no disk, in no argument and in no environment: it opens each
// by a name under /dev/fd that stands among its arguments.
//
// On Linux a text is a sealed memfd. Every reader gets the whole of it from the start, at any size, as often as it is
// opened, and inotify tells how often that was. Elsewhere a text is a pipe, which the first reader empties: a second one
// finds nothing, and Talos takes an empty patch for one that changes nothing.
//
// # Security
//
// A text is in memory alone, and readable for this process, the command and what inherits the descriptor from it. A memfd
// can be swapped out, as any memory can. Run neither logs nor returns a text.
package pipes
