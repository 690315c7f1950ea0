package patch_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/siderolabs/talos/pkg/machinery/config/configpatcher"
	"github.com/siderolabs/talos/pkg/machinery/config/types/network"
	"github.com/siderolabs/talos/pkg/machinery/config/types/runtime/extensions"

	"github.com/talos-tsbridge/talos-tsbridge/internal/containerboot"
	"github.com/talos-tsbridge/talos-tsbridge/patch"
)

// loadEnvironment returns the environment of the tailscale service of a patch that Talos has read.
func loadEnvironment(t *testing.T, made *patch.Patch) []string {
	t.Helper()

	text, err := made.Bytes()
	if err != nil {
		t.Fatal(err)
	}

	loaded, err := configpatcher.LoadPatch(text)
	if err != nil {
		t.Fatalf("Talos refuses %q: %v", text, err)
	}

	for _, document := range loaded.(patchDocuments).Documents() {
		if service, ok := document.(*extensions.ServiceConfigV1Alpha1); ok {
			return service.Environment()
		}
	}

	t.Fatalf("no service in %q", text)

	return nil
}

// Arguments either reach tailscale up as they were given, split where containerboot splits them, or are refused.
func FuzzExtraArgs(f *testing.F) {
	for _, seed := range []string{"--ssh", "--operator=ops\n--timeout\n30s", "-qr", "--a b", "--exit-node=\u00a0", "--", "-", "", "--ssh=\x00", "--operator=a: b # c"} {
		f.Add(seed)
	}

	f.Fuzz(func(t *testing.T, lines string) {
		args := strings.Split(lines, "\n")

		made, err := patch.New(patch.WithExtraArgs(args...))
		if err != nil {
			return
		}

		for _, variable := range loadEnvironment(t, made) {
			if rest, ok := strings.CutPrefix(variable, "TS_EXTRA_ARGS="); ok {
				if split := strings.Fields(rest)[1:]; !slices.Equal(split, args) {
					t.Fatalf("%q arrives as %q", args, split)
				}
			}
		}
	})
}

// A variable either reaches the service as it was given or is refused.
func FuzzEnv(f *testing.F) {
	f.Add("TS_X", "1")
	f.Add("TS_X", "a: b # 'c' \"d\"")
	f.Add("TS_X", "")
	f.Add("TS_ENABLE_METRICS", "0")
	f.Add("TS_BOOT_TIMEOUT", "60s")
	f.Add("a=b", "\xff")
	f.Add("_", "\u2028")

	f.Fuzz(func(t *testing.T, name, value string) {
		made, err := patch.New(patch.WithEnv(name, value))
		if err != nil {
			return
		}

		want := value
		if is, err := strconv.ParseBool(value); err == nil && slices.Contains(containerboot.Bools(), name) {
			want = strconv.FormatBool(is) // all spellings of a boolean are written as one
		}

		if environment := loadEnvironment(t, made); !slices.Contains(environment, name+"="+want) {
			t.Fatalf("%q=%q arrives as %q", name, value, environment)
		}
	})
}

// Routes either arrive as containerboot reads them, without host bits and blanks, or are refused.
func FuzzAdvertiseRoutes(f *testing.F) {
	for _, seed := range []string{"192.168.1.0/24", "10.0.0.1/8, ::1", "0.0.0.0/0,::/0", ",", "::ffff:1.2.3.4/128", "fd7a:115c:a1e0:b1a::/96"} {
		f.Add(seed)
	}

	f.Fuzz(func(t *testing.T, list string) {
		made, err := patch.New(patch.WithAdvertiseRoutes(list))
		if err != nil {
			return
		}

		for _, variable := range loadEnvironment(t, made) {
			if routes, ok := strings.CutPrefix(variable, "TS_ROUTES="); ok {
				again, err := patch.New(patch.WithAdvertiseRoutes(routes))
				if err != nil || !slices.Contains(loadEnvironment(t, again), "TS_ROUTES="+routes) || len(again.Notes()) != len(made.Notes())-strings.Count(fmt.Sprint(made.Notes()), "host bits") {
					t.Fatalf("%q arrives as %q, which is not final: %v", list, routes, err)
				}
			}
		}
	})
}

// A static host either arrives as a name that Talos finds and an address that it parses, or is refused.
func FuzzStaticHost(f *testing.F) {
	for _, seed := range [][2]string{{"vault", "100.64.0.1"}, {"Vault.ts.net.", "fd7a:115c:a1e0::1"}, {"a b", "::1"}, {"", ""}, {"..", "1"}, {"x", "::ffff:1.2.3.4"}} {
		f.Add(seed[0], seed[1])
	}

	f.Fuzz(func(t *testing.T, name, address string) {
		made, err := patch.New(patch.WithStaticHost(name, address))
		if err != nil {
			return
		}

		text, err := made.Bytes()
		if err != nil {
			t.Fatal(err)
		}

		loaded, err := configpatcher.LoadPatch(text)
		if err != nil {
			t.Fatalf("Talos refuses %q: %v", text, err)
		}

		for _, document := range loaded.(patchDocuments).Documents() {
			host, ok := document.(*network.StaticHostConfigV1Alpha1)
			if !ok {
				continue
			}

			// as the DNS server of Talos compares a question
			want := strings.ToLower(strings.TrimRight(strings.TrimSpace(name), "."))
			if !slices.Equal(host.Hostnames, []string{want}) {
				t.Fatalf("%q arrives as %q", name, host.Hostnames)
			}

			if parsed, err := netip.ParseAddr(host.Name()); err != nil || parsed != netip.MustParseAddr(strings.TrimSpace(address)) {
				t.Fatalf("%q arrives as %q", address, host.Name())
			}
		}
	})
}

// A machine config is either refused in one line, or patched so that patching it again changes nothing.
func FuzzApply(f *testing.F) {
	minimal := "machine:\n  type: worker\n  token: a.b\n  ca: {crt: Zm9v}\n  features:\n    hostDNS: {enabled: true}\ncluster:\n  controlPlane:\n    endpoint: https://a:6443\n"

	for _, seed := range []string{
		minimal, "---\n" + minimal + "---\n# end", "\xef\xbb\xbf" + strings.ReplaceAll(minimal, "\n", "\r\n"), minimal + ownService,
		minimal + "---\napiVersion: v1alpha1\nkind: KubeNodeConfig\nnodeIP: {}\n", "machine: &a {type: worker, kubelet: *a}", "--- {}\n", "machine:\ncluster:\n",
		"{\"machine\": {\"type\": \"controlplane\"}}", "a: [", "- 1", "kind: Config\nclusters: []", "!!binary x", "machine: !!set {type}",
	} {
		f.Add(seed)
	}

	key := patch.WithAuthKey(parseKey(f, exampleKey))

	f.Fuzz(func(t *testing.T, config string) {
		parsed, err := patch.ParseConfig([]byte(config))
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Fatalf("%q is refused in several lines: %v", config, err)
			}

			return
		}

		made, err := patch.New(patch.WithBase(parsed), key)
		if err != nil {
			return
		}

		once, err := made.Apply(parsed)
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Fatalf("%q is refused in several lines: %v", config, err)
			}

			return
		}

		if twice := applied(t, made, once.Bytes()); !bytes.Equal(once.Bytes(), twice) {
			t.Fatalf("%q becomes %q, and then %q", config, once.Bytes(), twice)
		}
	})
}
