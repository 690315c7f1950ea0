// Package secret knows what a secret looks like: the forms of keys, tokens and credentials, the names of the variables
// that hold them, and how text is shown without them. It is the one place with that knowledge; whoever puts text of others
// into a message, a log or a child's environment asks it.
package secret
