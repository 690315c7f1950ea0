package tailnet

import (
	"net/http"
	"sync"
	"time"
)

// serverClock is the time by the server's clock, as its answers tell it: whether a device was seen lately is not to be
// judged by the clock of this machine, which may be wrong.
type serverClock struct {
	guard sync.Mutex
	ahead time.Duration
}

// set takes the time from the header of an answer.
func (c *serverClock) set(header http.Header) {
	at, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		return
	}

	c.guard.Lock()
	defer c.guard.Unlock()

	c.ahead = time.Until(at)
}

func (c *serverClock) now() time.Time {
	c.guard.Lock()
	defer c.guard.Unlock()

	return time.Now().Add(c.ahead)
}
