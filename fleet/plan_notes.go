package fleet

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/talos-tsbridge/talos-tsbridge/nodeip"
)

// collectNotes puts the notes of all patches together, each once with the nodes that it is about.
func (p *Plan) collectNotes() {
	for i, made := range p.patches {
		for _, note := range made.Notes() {
			text := note.Text
			if !p.file.unnamed {
				text = fieldNamed(text)
			}

			p.note(text, p.nodes[i].Name)
		}
	}
}

func (p *Plan) note(text string, nodes ...string) {
	if p.places == nil {
		p.places = map[string]int{}
	}

	place, known := p.places[text]
	if !known {
		place = len(p.notes)
		p.places[text] = place
		p.notes = append(p.notes, Note{Text: text})
	}

	p.notes[place].Nodes = append(p.notes[place].Nodes, nodes...)
}

// noteOnAddresses tells of nodes whose own address is not one that Kubernetes is to know them by.
func (p *Plan) noteOnAddresses() {
	checked := map[string][]string{} // lists as they are written, by what the file has

	for i, node := range p.nodes {
		address, err := netip.ParseAddr(node.Address)
		if err != nil || address.IsLoopback() { // one that is forwarded is none of the node's
			continue
		}

		list := strings.Join(p.Settings(i).NodeIPSubnets, ", ")
		if list == "" || strings.Contains(list, "placeholder:") {
			continue
		}

		rules, known := checked[list]
		if !known {
			subnets, _ := nodeip.Parse(p.Settings(i).NodeIPSubnets...) // its faults are those of the patch
			rules = subnets.Strings()
			checked[list] = rules
		}

		if picked, err := nodeip.Pick([]netip.Addr{address.Unmap()}, rules...); err == nil && len(picked) == 0 {
			p.note(fmt.Sprintf("address %s is in none of the node IP subnets (%s): Kubernetes will know the node by another one", address, list), node.Name)
		}
	}
}

// noteOnRoutes tells of routes that several nodes say for themselves: the tailnet takes one of them at a time. What is said
// for all nodes at the top of the file is meant so.
func (p *Plan) noteOnRoutes() {
	by := map[string][]string{}

	for _, node := range p.nodes {
		for _, routes := range node.Settings.AdvertiseRoutes {
			for route := range strings.SplitSeq(routes, ",") {
				route = strings.TrimSpace(route)
				if prefix, err := netip.ParsePrefix(route); err == nil {
					route = prefix.Masked().String()
				}

				if names := by[route]; len(names) == 0 || names[len(names)-1] != node.Name {
					by[route] = append(names, node.Name)
				}
			}
		}
	}

	var twice []string

	for route, nodes := range by {
		if len(nodes) > 1 && route != "" {
			twice = append(twice, route)
		}
	}

	slices.Sort(twice)

	for _, route := range twice {
		p.note(fmt.Sprintf("route %s is advertised by %s: the tailnet uses one of them at a time, and another when that is offline; leave it out where that is not meant",
			route, some(by[route])), by[route]...)
	}
}

// some names the first of many nodes.
func some(names []string) string {
	const most = 5

	if len(names) <= most+1 {
		return strings.Join(names, ", ")
	}

	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}
