package fleet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"text/template"

	"github.com/talos-tsbridge/talos-tsbridge/internal/pipes"
	"github.com/talos-tsbridge/talos-tsbridge/internal/quote"
	"github.com/talos-tsbridge/talos-tsbridge/internal/talosctl"
)

// Command is a sink that runs a command once for each node. Each argument @-, also at the end of --FLAG=@-, stands for the
// patch, which the command reads through a pipe; in any argument {{.Name}}, {{.Address}} and {{.Role}} stand for those of
// the node.
type Command struct {
	// Env is the environment of the command: it should hold no secret.
	Env []string
	// Stdout and Stderr get what the commands write, each of their lines as a whole. Prefixed puts the name of the node
	// before each line.
	Stdout, Stderr io.Writer
	Prefixed       bool
	// Started, if set, gets each process once it runs, and Ended once it has ended.
	Started, Ended func(*os.Process)

	// OnUse, if set, is told what a command did with the patch at each argument that stands for it, once it has ended, and
	// with what error.
	OnUse func(node *Node, use Use, err error)

	arguments []*template.Template
	places    []talosctl.Place
	guard     sync.Mutex
}

// Use is what a command did with its patch.
type Use = pipes.Use

// NewCommand reads the arguments of a command, the program first.
func NewCommand(args ...string) (*Command, error) {
	places, err := talosctl.Places(args)
	if err != nil {
		return nil, err
	}

	for _, place := range places {
		if place.AdditionsOnly {
			return nil, fmt.Errorf("%s %s would add the patch of a node to that of %s: give one of them", place.Flag, talosctl.StandIn, talosctl.FlagPatch)
		}
	}

	c := &Command{places: places}

	for _, argument := range args {
		parsed, err := template.New("argument").Option("missingkey=error").Parse(argument)
		if err != nil {
			return nil, fmt.Errorf("argument %s is no template: write {{.Name}}, {{.Address}} or {{.Role}}", quote.Value(argument))
		}

		c.arguments = append(c.arguments, parsed)
	}

	return c, nil
}

// facts are what arguments can say of a node.
type facts struct{ Name, Address, Role string }

// Check fails for a plan with a node of which an argument says what is not known, or with the field that is missing.
func (c *Command) Check(plan *Plan) error {
	var faults Faults

	for i := range plan.Len() {
		node := plan.Node(i)

		if _, err := c.expand(facts{node.Name, node.Address, plan.Role(i)}); err != nil {
			return err
		}

		for field, value := range map[string]string{"Address": node.Address, "Role": plan.Role(i)} {
			if value == "" && slices.Contains(c.fields(), field) {
				faults = append(faults, plan.file.faultAt(nil, node.Name, strings.ToLower(field),
					"is missing, and {{."+field+"}} of the command stands for it: write it at the node"))
			}
		}
	}

	return faults.orNil()
}

// fields are those of a node that arguments stand for and that not every node has.
func (c *Command) fields() []string {
	var fields []string

	all := facts{"name", "address", "role"}

	for field, without := range map[string]facts{"Address": {all.Name, "", all.Role}, "Role": {all.Name, all.Address, ""}} {
		a, errA := c.expand(all)
		b, errB := c.expand(without)

		if errA == nil && errB == nil && !slices.Equal(a, b) {
			fields = append(fields, field)
		}
	}

	return fields
}

func (c *Command) expand(node facts) ([]string, error) {
	args := make([]string, len(c.arguments))

	for i, argument := range c.arguments {
		var text strings.Builder

		if err := argument.Execute(&text, node); err != nil {
			return nil, errors.New("an argument of the command stands for what a node does not have: write {{.Name}}, {{.Address}} or {{.Role}}")
		}

		args[i] = text.String()
	}

	return args, nil
}

// Deliver runs the command.
func (c *Command) Deliver(ctx context.Context, delivery *Delivery) error {
	node := delivery.Node

	args, err := c.expand(facts{node.Name, node.Address, delivery.Role})
	if err != nil {
		return err
	}

	text, err := delivery.Patch.Bytes()
	if err != nil {
		return err
	}

	stdout, stderr := c.lines(c.Stdout, node.Name), c.lines(c.Stderr, node.Name)

	var process *os.Process

	command := pipes.Command{
		Args: args, Env: c.Env, Stdout: stdout, Stderr: stderr,
		Started: func(p *os.Process) {
			if process = p; c.Started != nil {
				c.Started(p)
			}
		},
	}

	for _, place := range c.places {
		command.Payloads = append(command.Payloads, pipes.Payload{Argument: place.Index, Prefix: place.Prefix, Text: text})
	}

	uses, err := command.Run(ctx)

	if process != nil && c.Ended != nil {
		c.Ended(process)
	}

	if c.OnUse != nil {
		for _, use := range uses {
			c.OnUse(node, use, err)
		}
	}

	if err := errors.Join(stdout.flush(), stderr.flush()); err != nil {
		return err
	}

	if err != nil {
		return err
	}

	read := false
	for _, use := range uses {
		read = read || use.Unknown || use.Readers > 0
	}

	if !read {
		delivery.Unused()
	}

	return nil
}

// lines returns a writer of whole lines.
func (c *Command) lines(to io.Writer, name string) *lineWriter {
	if to == nil {
		to = io.Discard
	}

	w := &lineWriter{to: to, guard: &c.guard}
	if c.Prefixed {
		w.prefix = name + ": "
	}

	return w
}

// lineWriter keeps the lines of commands that run at the same time apart.
type lineWriter struct {
	to     io.Writer
	guard  *sync.Mutex
	prefix string
	left   []byte
}

func (w *lineWriter) Write(text []byte) (int, error) {
	w.left = append(w.left, text...)

	end := bytes.LastIndexByte(w.left, '\n') + 1
	if end == 0 {
		return len(text), nil
	}

	whole := w.left[:end]
	err := w.write(whole)
	w.left = append([]byte(nil), w.left[end:]...)

	return len(text), err
}

func (w *lineWriter) write(whole []byte) error {
	w.guard.Lock()
	defer w.guard.Unlock()

	for line := range bytes.Lines(whole) {
		if _, err := io.WriteString(w.to, w.prefix+string(line)); err != nil {
			return err
		}
	}

	return nil
}

// flush writes what is left without a line's end.
func (w *lineWriter) flush() error {
	if len(w.left) == 0 {
		return nil
	}

	w.left = append(w.left, '\n')
	left := w.left
	w.left = nil

	return w.write(left)
}
