package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	coreconfig "github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/configpatcher"
	"github.com/siderolabs/talos/pkg/machinery/config/container"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"talos-tsbridge": main,
		"take-patches":   takePatches,
	})
}

// Each script is one behaviour of the program: its files, the command, what it prints and its exit code.
func TestScripts(t *testing.T) {
	t.Parallel()

	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("HOME", env.WorkDir)

			return setVerifyServers(env)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"mode":   checkMode,
			"exitis": checkExit,
		},
	})
}

// takePatches reads patches as talosctl does for its --config-patch flags, and says what it took.
func takePatches() {
	patches, err := configpatcher.LoadPatches(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}

	empty, err := container.New()
	if err != nil {
		panic(err)
	}

	var provider coreconfig.Provider = empty

	output, err := configpatcher.Apply(configpatcher.WithConfig(provider), patches)
	if err == nil {
		provider, err = output.Config()
	}

	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}

	for _, document := range provider.Documents() {
		fmt.Println("took", document.Kind())
	}
}

// checkMode checks the permissions of files: mode 0600 FILE...
func checkMode(ts *testscript.TestScript, _ bool, args []string) {
	for _, file := range args[1:] {
		info, err := os.Stat(ts.MkAbs(file))
		ts.Check(err)

		if mode := fmt.Sprintf("%04o", info.Mode().Perm()); mode != args[0] {
			ts.Fatalf("%s has mode %s, not %s", file, mode, args[0])
		}
	}
}

// checkExit runs a command and checks its exit code: exitis 2 COMMAND ARG...
func checkExit(ts *testscript.TestScript, _ bool, args []string) {
	want := args[0]

	code := "0"
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		code = exitCode(err)
	}

	if code != want {
		ts.Fatalf("exit code %s, not %s", code, want)
	}
}

func exitCode(err error) string {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return strconv.Itoa(exit.ExitCode())
	}

	return err.Error()
}
