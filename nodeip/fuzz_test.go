package nodeip_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/talos-tsbridge/talos-tsbridge/internal/tailaddr"
	"github.com/talos-tsbridge/talos-tsbridge/nodeip"
)

// Subnets either become a list that Talos reads, positives first, that is final, and under which the tailnet is not
// picked unless asked for, or they are refused.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"", "0.0.0.0/0", "!10.0.0.0/8 0.0.0.0/0 ::/0", "100.64.0.0/10", "100.64.0.0/9 100.100.0.0/16", "fd7a::/16 !fd7a:115c::/32", "::ffff:0:0/96", "10.0.0.1/8 !!1.1.1.1",
	} {
		f.Add(seed)
	}

	tailnet := []netip.Addr{netip.MustParseAddr("100.82.13.87"), netip.MustParseAddr("fd7a:115c:a1e0::5201:d57")}

	f.Fuzz(func(t *testing.T, text string) {
		subnets, err := nodeip.Parse(strings.Fields(text)...)
		if err != nil || subnets.IsEmpty() {
			return
		}

		list := subnets.Strings()

		again, err := nodeip.Parse(list...)
		if err != nil || !slices.Equal(again.Strings(), list) {
			t.Fatalf("%q becomes %q, which becomes %q, %v", text, list, again.Strings(), err)
		}

		firstNegative := slices.IndexFunc(list, func(s string) bool { return s[0] == '!' })
		if firstNegative >= 0 && slices.ContainsFunc(list[firstNegative:], func(s string) bool { return s[0] != '!' }) {
			t.Fatalf("%q becomes %q: a negative is not last", text, list)
		}

		picked, err := nodeip.Pick(tailnet, list...)
		if err != nil {
			t.Fatalf("%q becomes %q, which Talos does not read: %v", text, list, err)
		}

		asked := slices.ContainsFunc(list, func(s string) bool {
			prefix, err := netip.ParsePrefix(s)

			return err == nil && (within(prefix, tailaddr.IPv4()) || within(prefix, tailaddr.IPv6()))
		})

		if len(picked) > 0 && !asked {
			t.Fatalf("%q becomes %q, which picks %v from the tailnet", text, list, picked)
		}
	})
}

func within(inner, outer netip.Prefix) bool {
	return outer.Bits() <= inner.Bits() && outer.Contains(inner.Addr())
}
