package talos

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/talos-tsbridge/talos-tsbridge/internal/e2e/talos/protocol"
)

// forEachRelease runs a test for the releases from one minor up to another.
func forEachRelease(t *testing.T, from, to int, test func(*testing.T, release)) {
	t.Helper()

	for _, release := range releases {
		if from <= release.minor && release.minor <= to {
			t.Run(release.version, func(t *testing.T) { test(t, release) })
		}
	}
}

const (
	oldest = 7
	newest = 14
)

func (r release) worker(patch string) protocol.Case {
	return protocol.Case{Contract: r.contract(), Role: "worker", Patch: patch}
}

func mustRefuse(t *testing.T, fault, says string) {
	t.Helper()

	if fault == "" {
		t.Errorf("taken, want a refusal that says %q", says)
	} else if !strings.Contains(fault, says) {
		t.Errorf("refused, but not for %q: %s", says, fault)
	}
}

func TestKubeNodeConfigIsUnknownBefore114(t *testing.T) {
	forEachRelease(t, oldest, 13, func(t *testing.T, r release) {
		mustRefuse(t, r.try(t, r.worker(kubeNode))[0].Load, "not registered")
	})
}

// The contract of the config decides on the form, not the release that reads
// it. Talos refuses to mix them; only a worker's config of an older contract has
// nothing yet that the new form would conflict with.
func TestNodeIPFormFollowsContract(t *testing.T) {
	forEachRelease(t, 14, newest, func(t *testing.T, r release) {
		for _, role := range []string{"controlplane", "worker"} {
			outcomes := r.try(t,
				protocol.Case{Contract: "v1.14", Role: role, Patch: kubeNode},
				protocol.Case{Contract: "v1.13", Role: role, Patch: kubeletNodeIP},
				protocol.Case{Contract: "v1.14", Role: role, Patch: kubeletNodeIP},
				protocol.Case{Contract: "v1.13", Role: role, Before: kubeletNodeIP, Patch: kubeNode},
				protocol.Case{Contract: "v1.13", Role: role, Patch: kubeNode},
			)

			for _, outcome := range outcomes[:2] {
				if fault := outcome.Fault(); fault != "" {
					t.Errorf("%s: %s", role, fault)
				}
			}

			mustRefuse(t, outcomes[2].First.Validate, "kubelet config is already set in v1alpha1 config")
			mustRefuse(t, outcomes[3].First.Validate, ".machine.kubelet.nodeIP is already set in v1alpha1 config")

			if role == "controlplane" {
				mustRefuse(t, outcomes[4].First.Validate, ".machine.nodeLabels is already set in v1alpha1 config")
			} else if fault := outcomes[4].Fault(); fault != "" {
				t.Errorf("%s: %s", role, fault)
			}
		}
	})
}

// An empty patch is a patch to the older releases, so a producer that fails in
// a pipe must say more than nothing. A mapping that is no document is refused by all.
func TestSilenceIsAPatchToSome(t *testing.T) {
	forEachRelease(t, oldest, newest, func(t *testing.T, r release) {
		const failed = "talos-tsbridge-failed: no credentials\n"

		outcomes := r.try(t,
			r.worker(""),
			r.worker("# nothing to say\n"),
			r.worker(failed),
			r.worker(extension+separator+failed),
		)

		for _, outcome := range outcomes[:2] {
			if taken := outcome.Fault() == ""; taken != (r.minor <= 11) {
				t.Errorf("an empty patch: %q", outcome.Fault())
			}
		}

		for _, outcome := range outcomes[2:] {
			mustRefuse(t, outcome.Load, "missing kind")
		}
	})
}

// This is why a config with our patch must not be patched again.
func TestSecondApplicationAppends(t *testing.T) {
	forEachRelease(t, oldest, newest, func(t *testing.T, r release) {
		nodeIP := kubeletNodeIP
		if r.minor >= 14 {
			nodeIP = separator + kubeNode
		}

		patch := etcdSubnets + nodeIP + separator + extension
		outcome := r.try(t, protocol.Case{Contract: r.contract(), Role: "controlplane", Patch: patch})[0]

		if fault := outcome.Fault(); fault != "" {
			t.Fatal(fault)
		}

		once, twice := settingsOf(t, outcome.First.Config), settingsOf(t, outcome.Second.Config)

		for what, lists := range map[string][2][]string{
			"environment":   {once.Environment, twice.Environment},
			"node IP":       {once.NodeIP, twice.NodeIP},
			"etcd's subnet": {once.Etcd, twice.Etcd},
		} {
			if len(lists[0]) == 0 {
				t.Errorf("%s is not set", what)
			}

			if !slices.Equal(lists[1], slices.Concat(lists[0], lists[0])) {
				t.Errorf("%s is %q after the first and %q after the second application", what, lists[0], lists[1])
			}
		}

		// Files are merged by their path, except by the oldest release.
		if len(once.ConfigFiles) != 1 || (len(twice.ConfigFiles) == 1) != (r.minor >= 8) {
			t.Errorf("config files are %v after the first and %v after the second application", once.ConfigFiles, twice.ConfigFiles)
		}
	})
}

func TestEtcdSubnetsAreForControlPlanesOnly(t *testing.T) {
	forEachRelease(t, oldest, newest, func(t *testing.T, r release) {
		outcomes := r.try(t,
			protocol.Case{Contract: r.contract(), Role: "controlplane", Patch: etcdSubnets},
			protocol.Case{Contract: r.contract(), Role: "worker", Patch: etcdSubnets},
		)

		if fault := outcomes[0].Fault(); fault != "" {
			t.Errorf("on a control plane: %s", fault)
		}

		mustRefuse(t, outcomes[1].First.Validate, "etcd config is only allowed on control plane machines")
	})
}

// A stream that deletes first and then sets replaces cleanly with 1.14. Before,
// Talos itself falls over a delete that has nothing to delete.
func TestReplaceStream(t *testing.T) {
	forEachRelease(t, oldest, newest, func(t *testing.T, r release) {
		const replace = deleteExtension + separator + extension

		outcomes := r.try(t,
			r.worker(replace),
			protocol.Case{Contract: r.contract(), Role: "worker", Before: extension, Patch: replace},
		)
		onNothing, onTarget := outcomes[0], outcomes[1]

		switch {
		case r.minor == 7:
			mustRefuse(t, onNothing.Load, "$patch: delete")

			return
		case r.minor <= 13:
			mustRefuse(t, onNothing.First.Apply, "panic")
		default:
			mustReplace(t, onNothing)
		}

		mustReplace(t, onTarget)
	})
}

func mustReplace(t *testing.T, outcome protocol.Outcome) {
	t.Helper()

	if fault := outcome.Fault(); fault != "" {
		t.Fatal(fault)
	}

	want := settingsOf(t, extension)

	for _, config := range []string{outcome.First.Config, outcome.Second.Config} {
		if got := settingsOf(t, config); !reflect.DeepEqual(got, want) {
			t.Errorf("the config has %+v, want %+v", got, want)
		}
	}
}

// The document of the node IP carries labels, too, so only its part is deleted.
func TestReplaceNodeIPKeepsLabels(t *testing.T) {
	const labels = `apiVersion: v1alpha1
kind: KubeNodeConfig
labels:
  example.com/rack: r1
nodeIP:
  validSubnets:
    - 192.0.2.0/24
`

	forEachRelease(t, 14, newest, func(t *testing.T, r release) {
		outcome := r.try(t, protocol.Case{
			Contract: r.contract(), Role: "worker",
			Before: labels,
			Patch:  deleteKubeNodeIP + separator + kubeNode,
		})[0]

		if fault := outcome.Fault(); fault != "" {
			t.Fatal(fault)
		}

		if got, want := settingsOf(t, outcome.First.Config).NodeIP, settingsOf(t, kubeNode).NodeIP; !slices.Equal(got, want) {
			t.Errorf("the subnets are %v, want %v", got, want)
		}

		if !strings.Contains(outcome.First.Config, "example.com/rack: r1") {
			t.Error("the label is gone")
		}
	})
}
