package fleet

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/talos-tsbridge/talos-tsbridge/patch"
)

// faultsOf turns what is wrong with the patches of the nodes into faults of the file, and leaves those of choices that come
// over the file as they are: they are of nobody's line.
func (p *Plan) faultsOf(failed []error) (inFile Faults, over error) {
	var ofFlags overFaults

	for i, err := range failed {
		wrong, ok := errors.AsType[patch.Faults](err)

		switch {
		case err == nil:
		case !ok:
			inFile = append(inFile, p.file.faultAt(nil, p.nodes[i].Name, "", err.Error()))
		default:
			for _, one := range wrong {
				if field := fieldOf(one.Option); p.file.unnamed || gives(p.over, field) {
					ofFlags.add(one, p.nodes[i].Name)
				} else {
					inFile = append(inFile, p.faultIn(i, field, one))
				}
			}
		}
	}

	if p.over.Hostname != nil && len(p.nodes) > 1 {
		for _, node := range p.nodes {
			ofFlags.add(patch.Fault{
				Code: patch.CodeConflict, Option: "hostname", Message: "`hostname` would be the name of each node: leave it out, or choose one node",
			}, node.Name)
		}
	}

	return unique(inFile), ofFlags.joined(len(p.nodes))
}

// faultIn returns a fault of a node at the place of its field: in the node, or at the top of the file where that says it.
func (p *Plan) faultIn(i int, field string, fault patch.Fault) Fault {
	node := p.nodes[i]

	text := fieldNamed(fault.Message)
	for _, separator := range []string{": ", " "} { // the fault says the name of the field before it
		text = strings.TrimPrefix(text, field+separator)
	}

	if field != "" && !gives(node.Settings, field) && gives(p.file.Defaults, field) {
		return p.file.faultAt(nil, "", field, text)
	}

	return p.file.faultAt(nil, node.Name, field, text)
}

// overFaults are faults of choices that come over the file, with the nodes that they are about.
type overFaults struct {
	faults []patch.Fault
	nodes  [][]string
}

func (o *overFaults) add(fault patch.Fault, node string) {
	place := slices.Index(o.faults, fault)
	if place < 0 {
		place = len(o.faults)
		o.faults, o.nodes = append(o.faults, fault), append(o.nodes, nil)
	}

	o.nodes[place] = append(o.nodes[place], node)
}

// joined returns them once each, with the first of the nodes where it is not all of them.
func (o *overFaults) joined(all int) error {
	errs := make([]error, len(o.faults))

	for i, fault := range o.faults {
		errs[i] = fault

		if subjects := Subjects(o.nodes[i], all); subjects != "" {
			errs[i] = fmt.Errorf("%s%w", subjects, fault)
		}
	}

	return errors.Join(errs...)
}

// fieldOf returns the field of a choice of package patch, "" where it has none.
func fieldOf(option string) string {
	for _, choice := range patch.Choices() {
		if choice.Name == option {
			return choice.Field
		}
	}

	return ""
}

// fieldNamed writes the names of choices that stand in `backquotes` in a text of package patch as the file has them.
func fieldNamed(text string) string {
	if !strings.Contains(text, "`") {
		return text
	}

	for _, choice := range patch.Choices() {
		text = strings.ReplaceAll(text, "`"+choice.Name+"`", choice.Field)
	}

	return strings.NewReplacer("`auth-key`", "authKey", "`", "").Replace(text)
}

// gives reports whether settings say anything for a field.
func gives(settings patch.Settings, field string) bool {
	for _, choice := range patch.Choices() {
		if choice.Field == field {
			_, given := choice.Text(&settings)

			return given
		}
	}

	return false
}

// unique leaves out faults that are there already: those of the top of the file come once for every node.
func unique(faults Faults) Faults {
	seen := map[Fault]bool{}

	return slices.DeleteFunc(faults, func(f Fault) bool {
		twice := seen[f]
		seen[f] = true

		return twice
	})
}
