package nodeip

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/talos-tsbridge/talos-tsbridge/internal/cidr"
	"github.com/talos-tsbridge/talos-tsbridge/internal/tailaddr"
)

// Subnets is a checked list of subnets in the order in which Talos prefers them. The zero Subnets is empty; it makes no
// documents and leaves the choice to Talos.
type Subnets struct {
	positives []netip.Prefix
	negatives []netip.Prefix
	notes     []string
}

// Default returns the subnets for an IPv4 cluster: every IPv4 address but the tailnet's.
func Default() Subnets {
	return complete([]netip.Prefix{cidr.AllIPv4}, nil, nil)
}

// field is what errors and notes call a subnet.
const field = "subnet"

// DefaultFor returns the subnets for a cluster with these service CIDRs: every address of their families but the
// tailnet's, in the order of the CIDRs. From the same families, in the same order, Talos derives the subnets of a node
// without any. For no CIDRs it is [Default].
func DefaultFor(serviceCIDRs []netip.Prefix) Subnets {
	var families []netip.Prefix

	for _, service := range serviceCIDRs {
		family := cidr.AllIPv4
		if service.Addr().Is6() {
			family = cidr.AllIPv6
		}

		if !slices.Contains(families, family) {
			families = append(families, family)
		}
	}

	if families == nil {
		return Default()
	}

	return complete(families, nil, nil)
}

// Parse checks subnets, each a CIDR or an address, with a leading "!" for one to exclude, and completes them:
//
//   - Negatives come last, because Talos applies the list in order and one that precedes every positive excludes
//     nothing.
//   - A positive that contains a range of the tailnet gets that range as a negative. One that lies inside of it is an
//     explicit wish for tailnet addresses: then the range is not excluded at all.
//   - Bits behind the prefix length are cleared, doubled subnets dropped, both with a note.
//
// It refuses, all faults joined in one error: what is no CIDR, ranges from which Talos never takes an address, IPv4
// written as IPv6, and lists from which no address could ever be picked, because a node that finds none does not start
// its kubelet.
func Parse(subnets ...string) (Subnets, error) {
	var (
		positives, negatives []netip.Prefix
		notes                []string
		faults               []error
	)

	for _, text := range subnets {
		text, negative := strings.CutPrefix(strings.TrimSpace(text), "!")

		prefix, err := cidr.Parse(field, text)
		if err != nil {
			faults = append(faults, err)

			continue
		}

		if !negative {
			if reason := neverPicked(prefix); reason != "" {
				faults = append(faults, fmt.Errorf("subnet %s: talos never takes a node IP from %s, leave it out", prefix, reason))

				continue
			}
		}

		prefix, note := cidr.Mask(field, prefix)
		if note != "" {
			notes = append(notes, note)
		}

		list := &positives
		if negative {
			list = &negatives
		}

		if slices.Contains(*list, prefix) {
			notes = append(notes, fmt.Sprintf("subnet %s is given twice: using it once", prefix))

			continue
		}

		*list = append(*list, prefix)
	}

	if len(faults) == 0 {
		faults = checkReach(positives, negatives)
	}

	if len(faults) > 0 {
		return Subnets{}, errors.Join(faults...)
	}

	return complete(positives, negatives, notes), nil
}

// neverPicked names the kind of range from which Talos takes no node address, or returns "".
func neverPicked(prefix netip.Prefix) string {
	switch address := prefix.Masked().Addr(); {
	case address.IsLoopback():
		return "loopback addresses"
	case address.IsLinkLocalUnicast():
		return "link-local addresses"
	case address.IsMulticast():
		return "multicast addresses"
	}

	return ""
}

// checkReach returns the faults of a list that could never pick an address.
func checkReach(positives, negatives []netip.Prefix) []error {
	if len(positives) == 0 {
		if len(negatives) == 0 {
			return nil
		}

		return []error{fmt.Errorf("only excluded subnets pick no address at all: add what to pick from, such as %s", widest(negatives))}
	}

	for _, positive := range positives {
		if !covered(positive, negatives) {
			return nil
		}
	}

	return []error{errors.New("the excluded subnets leave nothing of the others, so no address would ever be picked: " +
		"widen the subnets or drop an exclusion")}
}

func widest(negatives []netip.Prefix) netip.Prefix {
	if negatives[0].Addr().Is6() {
		return cidr.AllIPv6
	}

	return cidr.AllIPv4
}

// covered reports whether one of the ranges contains all of prefix.
func covered(prefix netip.Prefix, ranges []netip.Prefix) bool {
	return slices.ContainsFunc(ranges, func(r netip.Prefix) bool { return cidr.Contains(r, prefix) })
}

// complete adds the tailnet's ranges to the negatives where the positives call for it.
func complete(positives, negatives []netip.Prefix, notes []string) Subnets {
	for _, tailnet := range tailaddr.Ranges() {
		around := slices.IndexFunc(positives, func(p netip.Prefix) bool { return p != tailnet && cidr.Contains(p, tailnet) })
		inside := slices.IndexFunc(positives, func(p netip.Prefix) bool { return cidr.Contains(tailnet, p) })

		switch {
		case around < 0 || covered(tailnet, negatives):
		case inside >= 0:
			notes = append(notes, fmt.Sprintf("subnet %s asks for tailnet addresses: not excluding %s from %s",
				positives[inside], tailnet, positives[around]))
		default:
			negatives = append(negatives, tailnet)
		}
	}

	for _, positive := range positives {
		if covered(positive, negatives) {
			notes = append(notes, fmt.Sprintf("subnet %s is excluded as a whole: nothing is picked from it", positive))
		}
	}

	return Subnets{positives: positives, negatives: negatives, notes: notes}
}

// IsEmpty reports whether there are no subnets.
func (s Subnets) IsEmpty() bool { return len(s.positives) == 0 }

// Contains reports whether an address is in one of the subnets and in none of the excluded ones.
func (s Subnets) Contains(address netip.Addr) bool {
	holds := func(prefix netip.Prefix) bool { return prefix.Contains(address) }

	return slices.ContainsFunc(s.positives, holds) && !slices.ContainsFunc(s.negatives, holds)
}

// Strings returns the subnets as Talos reads them: positives in order of preference, then negatives.
func (s Subnets) Strings() []string {
	list := make([]string, 0, len(s.positives)+len(s.negatives))

	for _, prefix := range s.positives {
		list = append(list, prefix.String())
	}

	for _, prefix := range s.negatives {
		list = append(list, "!"+prefix.String())
	}

	return list
}

// Notes returns what Parse changed or found worth saying, a sentence each.
func (s Subnets) Notes() []string { return slices.Clone(s.notes) }
