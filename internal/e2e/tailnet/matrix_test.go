package tailnet

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/talos-tsbridge/talos-tsbridge/internal/e2e/tailnet/lab"
)

// Whatever server stands at whatever address of a real tailnet, each place names what is wrong with it and nothing else:
// the node, a pod behind it, and a machine that has a tailscaled without a network device. The Job of the pod says the same.
func TestVerifyInEveryPlace(t *testing.T) {
	lab.NeedsKernel(t, "verify tells servers apart at addresses of a tailnet, from a node, a pod and through a proxy (needs a TUN and namespaces)")

	const (
		host   = "vault.tailnet.example"
		routed = "198.51.100.10" // behind the peer, which advertises its subnet
		subnet = "198.51.100.0/24"
	)

	tailnet := lab.NewTailnet(t)
	key := tailnet.Control.ReusableKey(t)
	login := "--login-server=" + tailnet.Control.URL
	node, peer, apart := tailnet.NewNode(t), tailnet.NewNode(t), tailnet.NewNode(t)

	node.Start(t, lab.PrintPatch(t, key, login, "--hostname=node", "--accept-routes")).Joined(t)
	apart.Start(t, lab.PrintPatch(t, key, login, "--hostname=apart", "--userspace", "--accept-routes", "--env=TS_SOCKS5_SERVER=127.0.0.1:1055", "--env=TS_OUTBOUND_HTTP_PROXY_LISTEN=127.0.0.1:1056")).Joined(t)

	status := peer.Start(t, lab.PrintPatch(t, key, login, "--hostname=peer", "--advertise-routes="+subnet)).Joined(t)

	peer.Namespace.Run(t, "ip", "address", "add", routed+"/32", "dev", "lo")
	tailnet.Control.ApproveRoutes(t, "peer", subnet)

	servers, authority := startServers(t, peer.Namespace, host)
	pod := lab.NewPod(t, node.Namespace)
	lab.MasqueradePods(t, node.Namespace)

	addresses := []string{status.TailscaleIPs[0].String(), status.TailscaleIPs[1].String(), routed}
	flags := []string{"--ca-file=" + authority, "--timeout=4s"}

	places := []struct {
		name  string
		at    *lab.Namespace
		flags []string
		six   bool // whether it has IPv6
		// whether it goes through tailscaled's proxy
		proxied bool
	}{
		{"host", node.Namespace, []string{"--from=host"}, true, false},
		{"node", node.Namespace, []string{"--from=node"}, true, false},
		{"pod", pod, []string{"--from=pod"}, false, false},
		{"SOCKS5", apart.Namespace, []string{"--from=host", "--proxy=socks5://127.0.0.1:1055"}, true, true},
		{"HTTP proxy", apart.Namespace, []string{"--from=host", "--proxy=http://127.0.0.1:1056"}, true, true},
	}

	diagnoses := 0

	for _, address := range addresses {
		var targets []string
		for _, server := range servers {
			targets = append(targets, fmt.Sprintf("https://%s:%s/@%s", host, server.port, address))
		}

		// a server without a fault tells a tailnet that is not there yet from one that does not work
		up := "tcp://" + net.JoinHostPort(address, servers[5].port)

		for _, place := range places {
			if strings.Contains(address, ":") && !place.six {
				continue
			}

			t.Run(place.name+" to "+address, func(t *testing.T) {
				lab.Verify(t, place.at, 0, append(place.flags, "--wait=60s", up)...)

				found := map[string][]string{}
				for _, finding := range lab.Verify(t, place.at, 1, slices.Concat(place.flags, flags, targets)...).Findings {
					for _, subject := range finding.Subjects {
						found[subject] = append(found[subject], finding.Code)
					}
				}

				for i, server := range servers {
					want := server.want
					if want == "port-refused" && place.proxied {
						want = "port-filtered" // tailscaled's proxy says the same of both
					}

					if got := strings.Join(found[targets[i]], ", "); got != want {
						t.Errorf("%s: %q, want %q", server.name, got, want)
					}

					diagnoses++
				}
			})
		}

		if !strings.Contains(address, ":") {
			t.Run("the Job to "+address, func(t *testing.T) { jobAgrees(t, pod, authority, targets, servers) })
		}
	}

	t.Logf("%d diagnoses of %d servers", diagnoses, len(servers))
}

// jobAgrees runs the script of the Job with BusyBox's shell and its nc as the image has it, and holds what verify makes of its
// log against what it found itself.
func jobAgrees(t *testing.T, pod *lab.Namespace, authority string, targets []string, servers []server) {
	t.Helper()

	for _, program := range []string{"busybox", "curl"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip("the Job's script in the network of a pod needs it:", err)
		}
	}

	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}

	tools := t.TempDir()
	if err := os.Symlink(self, filepath.Join(tools, "nc")); err != nil {
		t.Fatal(err)
	}

	// what is refused and what is dropped is told by nc too
	tcp := func(i int) string {
		_, address, _ := strings.Cut(targets[i], "@")

		return "tcp://" + net.JoinHostPort(address, servers[i].port)
	}
	asked := append(slices.Clone(targets), tcp(0), tcp(1), tcp(5))
	want := append(slices.Clone(servers), servers[0], servers[1], servers[5])

	// the certificates that the Job has in a volume are in a file here
	shell := []string{"busybox", "sh", "-c", "export PATH=" + tools + ":$PATH; eval \"$(printf '%s' \"$0\" | sed 's:/etc/talos-tsbridge/ca.crt:" + authority + ":')\""}

	start := time.Now()

	log, err := lab.RunJob(t, pod, shell, slices.Concat([]string{"--ca-file=" + authority, "--timeout=4s"}, asked)...)
	if err == nil {
		t.Fatalf("the Job succeeds:\n%s", log)
	}

	file := filepath.Join(t.TempDir(), "job.log")
	lab.WriteFile(t, file, log)

	found := map[string][]string{}
	for _, finding := range lab.Verify(t, pod, 1, "--from=pod", "--also="+file).Findings {
		for _, subject := range finding.Subjects {
			found[subject] = append(found[subject], finding.Code)
		}
	}

	for i, target := range asked {
		if got := strings.Join(found[target], ", "); got != want[i].want {
			t.Errorf("%s at %s: %q, want %q", want[i].name, target, got, want[i].want)
		}
	}

	if t.Failed() {
		t.Logf("after %v:\n%s", time.Since(start), log)
	}
}
