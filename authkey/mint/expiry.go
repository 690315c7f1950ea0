package mint

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// ParseExpiry reads the Expiry of [Options] as people write it: in the form of [time.ParseDuration], such as "15m" or "24h",
// or in days, such as "90d". No error repeats the text.
func ParseExpiry(text string) (time.Duration, error) {
	const day = 24 * time.Hour

	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.ParseUint(days, 10, 16); err == nil {
			return time.Duration(n) * day, nil
		}
	}

	expiry, err := time.ParseDuration(text)
	if err != nil {
		return 0, errors.New("the expiry is not a duration: write minutes, hours or days, such as 15m, 24h or 90d")
	}

	return expiry, nil
}
