package nodeip

import (
	"strings"

	sideronet "github.com/siderolabs/net"

	"github.com/talos-tsbridge/talos-tsbridge/internal/cidr"
	"github.com/talos-tsbridge/talos-tsbridge/internal/tailaddr"
)

// MissingExclusions returns what has to be added to the end of a list of subnets so that no address of the tailnet is picked: a
// negative for each range of the tailnet that a positive contains and no later negative takes away. A positive that lies inside
// of a range is a wish for its addresses, and nothing is missing. Subnets are taken as they stand, as by [Pick], addresses among
// them; a list that Talos would not read misses nothing.
func MissingExclusions(subnets ...string) []string {
	var missing []string

	for _, tailnet := range tailaddr.Ranges() {
		open, wished := false, false

		for _, text := range subnets {
			text, negative := strings.CutPrefix(text, "!")

			prefix, err := sideronet.ParseSubnetOrAddress(text)
			if err != nil {
				return nil
			}

			switch prefix = prefix.Masked(); {
			case negative:
				open = open && !cidr.Contains(prefix, tailnet)
			case cidr.Contains(tailnet, prefix):
				wished = true
			case cidr.Contains(prefix, tailnet):
				open = true
			}
		}

		if open && !wished {
			missing = append(missing, "!"+tailnet.String())
		}
	}

	return missing
}
