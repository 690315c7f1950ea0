package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/talos-tsbridge/talos-tsbridge/internal/printable"
	"github.com/talos-tsbridge/talos-tsbridge/verify"
	"github.com/talos-tsbridge/talos-tsbridge/verify/nodes"
)

// progress is one line on a terminal that tells how far a check is. It is overwritten by the next and in the end erased.
type progress struct {
	out      io.Writer
	total    int
	until    time.Time
	outcomes map[string]verify.Outcome

	// asked holds the nodes that were asked at least once, of which there are allNodes.
	asked    map[string]bool
	allNodes int
	// guard is for targets and nodes, which are looked at together.
	guard sync.Mutex
	// shown is set once there is something to erase.
	shown bool
}

const eraseLine = "\r\x1b[K"

// attempt shows the result of an attempt at a target.
func (p *progress) attempt(result verify.Result) {
	if p.out == io.Discard {
		return
	}

	p.guard.Lock()
	defer p.guard.Unlock()

	p.outcomes[result.Target] = result.Outcome

	reached := 0

	for _, outcome := range p.outcomes {
		if outcome == verify.OutcomeOK {
			reached++
		}
	}

	line := fmt.Sprintf("%d of %d reached", reached, p.total)
	if left := time.Until(p.until); !result.OK() && left > 0 {
		line += fmt.Sprintf(", %s left, %s: %s", left.Round(time.Second), result.Target, result.Outcome)
	}

	p.show(line)
}

// node shows that a node was asked.
func (p *progress) node(node nodes.Node) {
	if p.out == io.Discard {
		return
	}

	p.guard.Lock()
	defer p.guard.Unlock()

	if p.asked == nil {
		p.asked = map[string]bool{}
	}

	p.asked[node.Address] = true

	p.show(fmt.Sprintf("%d of %d nodes asked, %s took %s", len(p.asked), p.allNodes, node.Address, node.Took))
}

func (p *progress) show(line string) {
	p.shown = true
	line = printable.Line(line)

	if widest := widthOf(p.out) - 1; utf8.RuneCountInString(line) > widest { // a line that wraps cannot be erased
		line = printable.Clip(line, max(0, widest-len("...")))
	}

	_, _ = io.WriteString(p.out, eraseLine+line) // there is nowhere left to report it
}

// end erases the line.
func (p *progress) end() {
	if p.shown {
		_, _ = io.WriteString(p.out, eraseLine)
	}
}

// widthOf returns how many columns a terminal has, or most have.
func widthOf(out io.Writer) int {
	const usual = 80

	if file, ok := out.(*os.File); ok {
		if width, _, err := term.GetSize(int(file.Fd())); err == nil && width > 0 {
			return width
		}
	}

	return usual
}
