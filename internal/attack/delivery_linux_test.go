package attack

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A key that was made is delivered, or revoked, or named, whatever the API, the reader, the disk and the user do.
func TestDelivery(t *testing.T) {
	t.Parallel()
	attack(t, "signals and delivery", func(ctx context.Context, r *run) {
		server, err := newFaultServer(r)
		if err != nil {
			return
		}

		defer server.close()

		d := &delivery{run: r, server: server}
		d.choose()
		d.start(ctx)
		d.judge()
	})
}

// delivery is one run of the program, and where its result goes.
type delivery struct {
	*run

	server *faultServer
	args   []string
	stdout io.Writer
	// reads returns what the reader got, once the run has ended.
	reads func() string
	// after are done once the program runs.
	after  []func()
	stderr bytes.Buffer
	what   string

	signals []syscall.Signal
	delays  []time.Duration
	code    int
}

func (d *delivery) choose() {
	output := &bytes.Buffer{}
	d.stdout, d.reads = output, output.String
	file := filepath.Join(d.dir, "result")

	command := pick(d.run, []string{"patch", "--no-node-ip"}, []string{"key", "mint"}, []string{"--format", "json"})

	switch way := pick(d.run, "pipe", "pipe", "file", "fifo", "fifo nobody reads", "full", "gone", "slow", "exec", "exec fails", "exec ignores", "folder"); way {
	case "file":
		command = append(command, "-o", file)
		d.reads = readLater(file)
		d.what = way
	case "fifo", "fifo nobody reads":
		command = append(command, "-o", file)
		d.reads = func() string { return "" }

		if unix.Mkfifo(file, 0o600) == nil && way == "fifo" {
			got := make(chan string, 1)

			go func() {
				text, _ := os.ReadFile(file)
				got <- string(text)
			}()

			d.reads = func() string {
				// a reader that nobody came for
				if writer, err := os.OpenFile(file, os.O_WRONLY|unix.O_NONBLOCK, 0); err == nil {
					_ = writer.Close()
				}

				return <-got
			}
		}

		if way != "fifo" { // somebody has to end it
			d.signals, d.delays = append(d.signals, syscall.SIGTERM), append(d.delays, time.Duration(d.IntN(400))*time.Millisecond)
		}
	case "full":
		command = append(command, "-o", "/dev/full")
		d.reads = func() string { return "" }
	case "folder":
		command = append(command, "-o", d.dir)
		d.reads = func() string { return "" }
	case "gone", "slow":
		reader, writer, err := os.Pipe()
		if err != nil {
			return
		}

		d.stdout = writer

		if way == "gone" {
			_ = reader.Close()
			d.reads = func() string { _ = writer.Close(); return "" }
		} else {
			got := make(chan string, 1)
			delay := time.Duration(d.IntN(300)) * time.Millisecond

			d.after = append(d.after, func() {
				_ = writer.Close()

				go func() {
					time.Sleep(delay)

					text, _ := io.ReadAll(reader)
					_ = reader.Close()
					got <- string(text)
				}()
			})
			d.reads = func() string { return <-got }
		}
	case "exec", "exec fails", "exec ignores":
		script := map[string]string{"exec": `cat "${1#@}"`, "exec fails": `cat "${1#@}"; exit 7`, "exec ignores": `exit 0`}[way]
		command = []string{"exec", "--", "sh", "-c", script, "sh", "@-"}
		d.what = way
	}

	d.what = cmp.Or(d.what, strings.Join(command, " "))
	d.args = command

	if d.chance(2) {
		if dash := slices.Index(command, "--"); dash >= 0 {
			d.args = append(append(append([]string{}, command[:dash]...), "--quiet"), command[dash:]...)
		} else {
			d.args = append(d.args, "--quiet")
		}
	}

	for range pick(d.run, 0, 0, 1, 1, 2) {
		d.signals = append(d.signals, pick(d.run, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT))
		d.delays = append(d.delays, time.Duration(d.IntN(pick(d.run, 60, 300, 2000)))*time.Millisecond)
	}
}

func (d *delivery) start(ctx context.Context) {
	command := d.command(ctx, d.server.environ(), d.args...)
	command.Stdout, command.Stderr = d.stdout, &d.stderr

	if err := command.Start(); err != nil {
		d.lost("cannot start: " + err.Error())

		return
	}

	for _, do := range d.after {
		do()
	}

	go func() {
		for i, one := range d.signals {
			if i == 0 && d.number%2 == 0 { // half of the runs wait for the moment that matters
				select {
				case <-d.server.created:
				case <-time.After(3 * time.Second):
				}
			}

			time.Sleep(d.delays[i])

			_ = command.Process.Signal(one)
		}
	}()

	d.code = d.wait(command, &d.stderr, d.describe())
}

func (d *delivery) describe() string {
	return fmt.Sprintf("%s, signals %v after %v", strings.Join(d.args, " "), d.signals, d.delays)
}

func (d *delivery) judge() {
	got, said := d.reads(), d.stderr.String()

	if strings.Contains(said, "Canary") || strings.Contains(got, "Canary") || strings.Contains(said, "Secret") {
		d.leaked(d.describe() + ": " + said)
	}

	delivered := false

	for _, key := range d.server.all() {
		has := strings.Contains(got, key.secret)
		delivered = delivered || has
		named := strings.Contains(said, key.id) || key.description != "" && strings.Contains(said, key.description) || strings.Contains(said, "may have been made")

		switch {
		case has && d.code == 0 && key.revoked:
			d.lost("delivered with exit code 0 and revoked: " + d.describe() + ": " + said)
		case !has && d.code == 0 && !key.revoked && !named:
			d.orphaned("exit code 0: " + d.describe() + ": " + said)
		case !has && !key.revoked && !named:
			d.orphaned(d.describe() + fmt.Sprintf(": exit code %d, key %s described %q: %s", d.code, key.id, key.description, said))
		case has && key.revoked && !strings.Contains(got, "talos-tsbridge-failed") && d.args[0] != "exec" && d.args[0] != "key": // a command has the last word
			d.lost("the reader has a revoked key and was not told: " + d.describe() + ": " + said)
		}
	}

	if d.code == 0 && !delivered && d.what != "exec ignores" {
		d.lost("exit code 0 and nothing delivered: " + d.describe() + ": " + said)
	}

	entries, _ := os.ReadDir(d.dir)
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), ".") {
			d.leaked("a temporary file: " + d.describe())
		}
	}
}

func readLater(file string) func() string {
	return func() string {
		text, _ := os.ReadFile(file)

		return string(text)
	}
}
