package fleet

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/talos-tsbridge/talos-tsbridge/nodeip"
	"github.com/talos-tsbridge/talos-tsbridge/patch"
)

// Note is something worth knowing that is no fault.
type Note struct {
	// Code is that of a note of package patch, or one of this package.
	Code patch.NoteCode `json:"code"`
	// Nodes are the names of those that it is about.
	Nodes []string `json:"nodes"`
	// Text is a sentence. Of nodes that are in no file, the names of choices stand in `backquotes` in it, as in [patch.Note].
	Text string `json:"text"`
}

// Subjects returns what stands before the text of a note on nodes: their names, or the first where there are many, and a colon;
// "" where it is about all that there are.
func Subjects(nodes []string, all int) string {
	const few = 3

	switch count := len(nodes); {
	case count == all:
		return ""
	case count <= few:
		return strings.Join(nodes, ", ") + ": "
	default:
		return fmt.Sprintf("%s and %d other nodes: ", nodes[0], count-1)
	}
}

const (
	// NoteAddressOutside: the address of the node is in none of the node IP subnets.
	NoteAddressOutside patch.NoteCode = "address-outside"
	// NoteRouteTwice: several nodes advertise a route, each by itself.
	NoteRouteTwice patch.NoteCode = "route-twice"
)

// notes are notes with the nodes that they are about, each once.
type notes struct {
	list   []Note
	places map[string]int // by their texts
}

func (n *notes) add(code patch.NoteCode, text string, nodes ...string) {
	if n.places == nil {
		n.places = map[string]int{}
	}

	place, known := n.places[text]
	if !known {
		place = len(n.list)
		n.places[text] = place
		n.list = append(n.list, Note{Code: code, Text: text})
	}

	n.list[place].Nodes = append(n.list[place].Nodes, nodes...)
}

// collectNotes puts the notes of all patches together.
func (p *Plan) collectNotes() {
	for i, made := range p.patches {
		for _, note := range made.Notes() {
			p.notes.add(note.Code, p.file.named(note.Text), p.nodes[i].Name)
		}
	}
}

// named writes a text of package patch with the names that the file has for choices.
func (f *File) named(text string) string {
	if f.unnamed {
		return text
	}

	return fieldNamed(text)
}

// noteOnAddresses tells of nodes whose own address is not one that Kubernetes is to know them by.
func (p *Plan) noteOnAddresses() {
	known := map[string]nodeip.Subnets{} // by the list as it is written: most nodes have the same

	for i, node := range p.nodes {
		address, err := netip.ParseAddr(node.Address)
		if err != nil || address.IsLoopback() { // one that is forwarded is none of the node's
			continue
		}

		list := p.nodeIPSubnets(i)
		text := strings.Join(list, ", ")

		if text == "" || strings.Contains(text, "placeholder:") {
			continue
		}

		subnets, ok := known[text]
		if !ok {
			subnets, _ = nodeip.Parse(list...) // its faults are those of the patch
			known[text] = subnets
		}

		if !subnets.Contains(address.Unmap()) {
			p.notes.add(NoteAddressOutside, fmt.Sprintf("address %s is in none of the node IP subnets (%s): Kubernetes will know the node by another one", address, text), node.Name)
		}
	}
}

// nodeIPSubnets returns what the plan says of the node IP of a node.
func (p *Plan) nodeIPSubnets(i int) []string {
	for _, settings := range p.layers(i) {
		if settings.NodeIPSubnets != nil {
			return settings.NodeIPSubnets
		}
	}

	return nil
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
		p.notes.add(NoteRouteTwice, fmt.Sprintf("route %s is advertised by %s: the tailnet uses one of them at a time, and another when that is offline; leave it out where that is not meant",
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
