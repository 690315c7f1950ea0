package containerboot

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/talos-tsbridge/talos-tsbridge/internal/cidr"
	"github.com/talos-tsbridge/talos-tsbridge/internal/tailaddr"
)

// ParseRoutes reads comma-separated lists of the subnets to advertise, by the rules of containerboot and tailscale up.
// Empty entries are dropped. Errors and notes begin with field.
func ParseRoutes(field string, lists []string) (routes []netip.Prefix, notes []string, err error) {
	var faults []error

	for text := range strings.SplitSeq(strings.Join(lists, ","), ",") {
		if strings.TrimSpace(text) == "" {
			continue
		}

		route, err := cidr.Parse(field, text)
		if err != nil {
			faults = append(faults, err)

			continue
		}

		route, note := cidr.Mask(field, route)
		if note != "" {
			notes = append(notes, note)
		}

		if err := checkVia(route); err != nil {
			faults = append(faults, fmt.Errorf("%s %s %w", field, route, err))
		}

		if !slices.Contains(routes, route) {
			routes = append(routes, route)
		}
	}

	ipv4, ipv6 := slices.Contains(routes, cidr.AllIPv4), slices.Contains(routes, cidr.AllIPv6)
	if ipv4 != ipv6 {
		given, missing := cidr.AllIPv4, cidr.AllIPv6
		if ipv6 {
			given, missing = missing, given
		}

		faults = append(faults, fmt.Errorf("%s %s is refused without %s: add it, or use `advertise-exit-node`", field, given, missing))
	}

	return routes, notes, errors.Join(faults...)
}

func checkVia(route netip.Prefix) error {
	const (
		shortest = 96
		highest  = 1<<16 - 1
	)

	site, _, ok := tailaddr.ParseVia(route.Addr())
	if !ok {
		return nil
	}

	switch {
	case route.Bits() < shortest:
		return fmt.Errorf("is a 4via6 route shorter than /%d: make it with tailscale debug via", shortest)
	case site > highest:
		return errors.New("is a 4via6 route with a site ID above 65535: make it with tailscale debug via")
	}

	return nil
}

// JoinRoutes writes the routes as containerboot reads them: without blanks.
func JoinRoutes(routes []netip.Prefix) string {
	texts := make([]string, 0, len(routes))
	for _, route := range routes {
		texts = append(texts, route.String())
	}

	return strings.Join(texts, ",")
}
