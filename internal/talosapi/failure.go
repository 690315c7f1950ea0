package talosapi

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/talos-tsbridge/talos-tsbridge/internal/secret"
)

// Error is a call that failed.
type Error struct {
	// Node is the address of the node.
	Node string
	// Unreachable reports that the node did not answer: what it would have said is not known.
	Unreachable bool
	// Message is one line without secrets.
	Message string
}

func (e *Error) Error() string { return e.Message }

// failure makes an [Error] of what a call returned.
func (n *Node) failure(err error) error { return Failure(n.address, err) }

// Failure makes an [Error] of what a call to a node returned: what a node says may hold secrets.
func Failure(node string, err error) error {
	if err == nil {
		return nil
	}

	failure := &Error{Node: node, Message: firstLine(err)}

	switch code := status.Code(Unwrap(err)); {
	case errors.Is(err, context.Canceled) || code == codes.Canceled:
		failure.Unreachable, failure.Message = true, "the call to the node was ended"
	case errors.Is(err, context.DeadlineExceeded) || code == codes.DeadlineExceeded:
		failure.Unreachable, failure.Message = true, "the node does not answer in time"
	case code == codes.Unauthenticated:
		failure.Unreachable, failure.Message = true, "the credentials of the talosconfig are refused"
	case code == codes.PermissionDenied:
		failure.Message = "the talosconfig may not do this: use one with the role os:admin"
	case code == codes.Unavailable:
		failure.Unreachable, failure.Message = true, "the node is not reached: "+failure.Message
	}

	return failure
}

// IsUnreachable reports whether an error says that the node did not answer.
func IsUnreachable(err error) bool {
	failure, ok := errors.AsType[*Error](err)

	return ok && failure.Unreachable
}

// firstLine is what an error says, without what may be a secret. Of several that Talos says as a list, it has all.
func firstLine(err error) string {
	text := strings.TrimSpace(status.Convert(Unwrap(err)).Message())
	line, rest, _ := strings.Cut(text, "\n")

	if strings.HasSuffix(line, "occurred:") {
		line = joined(rest)
	}

	if secret.Looks(line) {
		return secret.Redacted
	}

	const longest = 400

	return fmt.Sprintf("%.*s", longest, line)
}

// joined writes a list of errors, a line with an asterisk each, on one line.
func joined(list string) string {
	var lines []string

	for line := range strings.Lines(list) {
		if line = strings.TrimSpace(strings.TrimLeft(strings.TrimSpace(line), "*")); line != "" {
			lines = append(lines, line)
		}
	}

	return strings.Join(lines, "; ")
}
