package tailnet

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// netcat is what the nc of the Job's image does with -z, by BusyBox's source: it connects, and says in musl's words why it
// could not: with -v, unless the connection was refused; with -vv always. Debian's BusyBox has another nc, without -z.
func netcat(arguments []string, stderr io.Writer) int {
	verbose, wait := 0, 10*time.Second

	var rest []string

	for i := 0; i < len(arguments); i++ {
		switch argument := arguments[i]; {
		case argument == "-w" && i+1 < len(arguments):
			i++
			seconds, _ := strconv.Atoi(arguments[i])
			wait = time.Duration(seconds) * time.Second
		case strings.HasPrefix(argument, "-"):
			verbose += strings.Count(argument, "v")
		default:
			rest = append(rest, argument)
		}
	}

	if len(rest) != 2 {
		return 1
	}

	connection, err := net.DialTimeout("tcp", net.JoinHostPort(rest[0], rest[1]), wait)
	if err == nil {
		connection.Close()

		return 0
	}

	if _, ok := errors.AsType[*net.DNSError](err); ok {
		fmt.Fprintf(stderr, "nc: bad address '%s'\n", rest[0])

		return 1
	}

	said := "Operation timed out"

	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		said = "Connection refused"
	case errors.Is(err, syscall.EHOSTUNREACH):
		said = "Host is unreachable"
	case errors.Is(err, syscall.ENETUNREACH):
		said = "Network unreachable"
	}

	if verbose > 1 || verbose > 0 && said != "Connection refused" {
		fmt.Fprintf(stderr, "nc: %s (%s:%s): %s\n", rest[0], rest[0], rest[1], said)
	}

	return 1
}
