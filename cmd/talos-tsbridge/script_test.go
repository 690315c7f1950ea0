package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	coreconfig "github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/configpatcher"
	"github.com/siderolabs/talos/pkg/machinery/config/container"
	"github.com/siderolabs/talos/pkg/machinery/config/encoder"
	"github.com/siderolabs/talos/pkg/machinery/config/generate"
	"github.com/siderolabs/talos/pkg/machinery/config/machine"
	"github.com/siderolabs/talos/pkg/machinery/constants"

	"github.com/talos-tsbridge/talos-tsbridge/tailnet/tailnettest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"talos-tsbridge": main,
		"take-patches":   takePatches,
		"stand-in-child": standInChild,
		"gen-config":     genConfig,
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

			// a tailnet of the script's own, which TAILSCALE_API_KEY=$API_TOKEN leads to
			tailnet := tailnettest.NewServer(t)
			env.Defer(tailnet.Close)
			env.Values[tailnetOf{}] = tailnet
			env.Values[clusterOf{}] = &liveCluster{}

			client := tailnet.AddOAuthClient(tailnettest.OAuthClient{Tags: []string{"tag:k8s"}})

			for name, value := range map[string]string{
				"TAILSCALE_BASE_URL": tailnet.URL, "API_URL": tailnet.URL, "API_TOKEN": tailnet.AddAPIToken().Secret, "CLIENT_ID": client.ID, "CLIENT_SECRET": client.Secret,
			} {
				env.Setenv(name, value)
			}

			return setVerifyServers(env)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"mode":   checkMode,
			"exitis": checkExit,
			"keys":   checkKeys,
			"slow":   makeSlow,
			"broken": makeBroken,
			"live":   addLive,
			"disk":   checkDisk,
			"down":   setDown,
			"listen": listen,

			"join":      join,
			"offline":   setOffline,
			"address":   setAddress,
			"routes":    setRoutes,
			"tags":      setTags,
			"owners":    setOwners,
			"client":    useClient,
			"devices":   checkDevices,
			"headscale": func(ts *testscript.TestScript, _ bool, _ []string) { tailnetFor(ts).BehaveAsHeadscale() },
		},
	})
}

// takePatches reads patches as talosctl does for its --config-patch flags, and says what it took.
func takePatches() {
	patches, err := configpatcher.LoadPatches(os.Args[1:])
	check(err)

	empty, err := container.New()
	check(err)

	output, err := configpatcher.Apply(configpatcher.WithConfig(empty), patches)
	check(err)

	provider, err := output.Config()
	check(err)

	for _, document := range provider.Documents() {
		fmt.Println("took", document.Kind())
	}
}

// genConfig writes a machine config as talosctl gen config does: gen-config VERSION ROLE FILE.
func genConfig() {
	contract, err := coreconfig.ParseContractFromVersion(os.Args[1])
	check(err)

	role, err := machine.ParseType(os.Args[2])
	check(err)

	input, err := generate.NewInput("test", "https://192.168.1.10:6443", constants.DefaultKubernetesVersion,
		generate.WithVersionContract(contract), generate.WithInstallDisk("/dev/sda"))
	check(err)

	config, err := input.Config(role)
	check(err)

	text, err := config.EncodeBytes(encoder.WithComments(encoder.CommentsDisabled))
	check(err)
	check(os.WriteFile(os.Args[3], text, 0o600))
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
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

// tailnetOf is the key of a script's tailnet.
type tailnetOf struct{}

func tailnetFor(ts *testscript.TestScript) *tailnettest.Server {
	server, ok := ts.Value(tailnetOf{}).(*tailnettest.Server)
	if !ok {
		ts.Fatalf("no tailnet")
	}

	return server
}

// checkKeys checks how many keys were ever made, and how many of them are alive: keys MADE LIVE.
func checkKeys(ts *testscript.TestScript, _ bool, args []string) {
	made, live := len(tailnetFor(ts).Keys()), len(tailnetFor(ts).LiveKeys())
	if got := fmt.Sprintf("%d %d", made, live); got != strings.Join(args, " ") {
		ts.Fatalf("%d keys were made and %d are alive, not %s", made, live, strings.Join(args, " and "))
	}
}

// makeSlow makes each answer of the API take a time: slow 300ms.
func makeSlow(ts *testscript.TestScript, _ bool, args []string) {
	latency, err := time.ParseDuration(args[0])
	ts.Check(err)
	tailnetFor(ts).SetLatency(latency)
}

// makeBroken makes the API answer requests of a kind with a status: broken 'delete key' 500. Status 0 mends it.
func makeBroken(ts *testscript.TestScript, _ bool, args []string) {
	status, err := strconv.Atoi(args[1])
	ts.Check(err)

	if tailnetFor(ts).ClearFaults(); status != 0 {
		tailnetFor(ts).Fail(tailnettest.Fault{On: tailnettest.Endpoint(args[0]), Status: status})
	}
}

// join makes a node join the tailnet: join NAME KEYFILE.
func join(ts *testscript.TestScript, _ bool, args []string) {
	_, err := tailnetFor(ts).Register(strings.TrimSpace(ts.ReadFile(args[1])), args[0])
	ts.Check(err)
}

func deviceNamed(ts *testscript.TestScript, name string) string {
	for _, device := range tailnetFor(ts).Devices() {
		if short, _, _ := strings.Cut(device.Name, "."); short == name {
			return device.ID
		}
	}

	ts.Fatalf("there is no device %s", name)

	return ""
}

// setOffline takes a device off the tailnet: offline NAME SINCE.
func setOffline(ts *testscript.TestScript, _ bool, args []string) {
	since, err := time.ParseDuration(args[1])
	ts.Check(err)
	tailnetFor(ts).SetDevice(deviceNamed(ts, args[0]), func(d *tailnettest.Device) { d.LastSeen = time.Now().Add(-since) })
}

// setAddress gives a device another address: address NAME IP.
func setAddress(ts *testscript.TestScript, _ bool, args []string) {
	tailnetFor(ts).SetDevice(deviceNamed(ts, args[0]), func(d *tailnettest.Device) { d.Addresses = args[1:] })
}

// setRoutes sets the routes of a device: routes NAME ADVERTISED ENABLED.
func setRoutes(ts *testscript.TestScript, _ bool, args []string) {
	tailnetFor(ts).SetDevice(deviceNamed(ts, args[0]), func(d *tailnettest.Device) {
		list := func(text string) []string { return strings.FieldsFunc(text, func(r rune) bool { return r == ',' }) }
		d.AdvertisedRoutes, d.EnabledRoutes = list(args[1]), list(args[2])
	})
}

// setTags sets the tags of a device: tags NAME TAG...
func setTags(ts *testscript.TestScript, _ bool, args []string) {
	tailnetFor(ts).SetDevice(deviceNamed(ts, args[0]), func(d *tailnettest.Device) { d.Tags = args[1:] })
}

// setOwners sets which tags the policy has: owners TAG[=OWNER]...
func setOwners(ts *testscript.TestScript, _ bool, args []string) {
	owners := map[string][]string{}

	for _, arg := range args {
		tag, owner, _ := strings.Cut(arg, "=")
		owners[tag] = []string{cmp.Or(owner, "autogroup:admin")}
	}

	tailnetFor(ts).SetTagOwners(owners)
}

// useClient makes the credentials in the environment those of a new OAuth client: client TAG SCOPE...
func useClient(ts *testscript.TestScript, _ bool, args []string) {
	client := tailnetFor(ts).AddOAuthClient(tailnettest.OAuthClient{Tags: args[:1], Scopes: args[1:]})

	ts.Setenv("TAILSCALE_API_KEY", "")
	ts.Setenv("TAILSCALE_OAUTH_CLIENT_ID", client.ID)
	ts.Setenv("TAILSCALE_OAUTH_CLIENT_SECRET", client.Secret)
}

// checkDevices checks which devices there are: devices NAME...
func checkDevices(ts *testscript.TestScript, _ bool, args []string) {
	var names []string

	for _, device := range tailnetFor(ts).Devices() {
		short, _, _ := strings.Cut(device.Name, ".")
		names = append(names, short)
	}

	if strings.Join(names, " ") != strings.Join(args, " ") {
		ts.Fatalf("the devices are %v, not %v", names, args)
	}
}
