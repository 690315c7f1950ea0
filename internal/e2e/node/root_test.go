package node

import (
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/talos-tsbridge/talos-tsbridge/internal/e2e/tailnet/lab"
)

// root is the filesystem that all nodes share: what an image of Talos for containers has, with the tailscale
// extension, made of the programs that were built and of Debian's containerd, runc, ip and iptables.
var root string

//go:embed testdata/tailscale.yaml
var tailscaleService []byte

// extensions is what a node's ExtensionStatus comes from.
const extensions = `layers:
  - image: 000.ghcr.io-siderolabs-tailscale-1.102.5.sqsh
    metadata: {name: tailscale, version: 1.102.5, author: e2e, description: tailscale, compatibility: {talos: {version: ">= v1.5.0"}}}
`

func assembleRoot() (err error) {
	if root, err = os.MkdirTemp("", "talos-root-"); err != nil {
		return err
	}

	r := &rootBuilder{root: root}
	r.folders("", "boot", "dev", "proc", "sys", "run", "tmp", "var", "system", "mnt", "root", "opt/cni/bin", "opt/containerd/bin",
		"usr/bin", "usr/lib", "usr/lib64", "usr/etc", "usr/share/spdx", "usr/share/zoneinfo", "usr/libexec/kubernetes",
		"usr/local/bin", "usr/local/etc/containers", "usr/local/lib/containers", "usr/local/lib/kubelet/credentialproviders",
		"etc/containerd", "etc/cri/conf.d/hosts", "etc/cni/net.d", "etc/kubernetes/manifests", "etc/ssl/certs", "etc/lvm",
		"etc/selinux/targeted/contexts/files")
	r.usrMerge("")

	r.copy(filepath.Join(talos, "machined"), "usr/bin/init")

	for _, name := range []string{"poweroff", "shutdown", "reboot", "dashboard", "sandboxd"} {
		r.link("init", "usr/bin/"+name)
	}

	r.program("", "containerd")
	r.program("", "containerd-shim-runc-v2")
	r.program("", "runc")
	r.move("usr/bin/runc", "usr/bin/runc.real")
	r.do(buildGo("./runcshim", filepath.Join(root, "usr/bin/runc")))

	for from, to := range map[string]string{
		"cri-plugin.part": "etc/cri/conf.d/00-base.part",
		"lvm.conf":        "etc/lvm/lvm.conf",
		"nfsmount.conf":   "etc/nfsmount.conf",
	} {
		r.copy(filepath.Join(talos, "hack", from), to)
	}

	r.do(os.CopyFS(filepath.Join(root, "usr/share/zoneinfo"), os.DirFS(filepath.Join(talos, "hack/zoneinfo"))))

	for path, content := range map[string]string{
		// Debian's containerd knows version 2 of its configuration.
		"etc/containerd/config.toml":              "version = 2\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n",
		"etc/cri/containerd.toml":                 "version = 2\n",
		"etc/os-release":                          fmt.Sprintf("NAME=\"Talos\"\nID=talos\nVERSION_ID=%s\nPRETTY_NAME=\"Talos (%s)\"\n", talosVersion, talosVersion),
		"usr/etc/in-container":                    "true\n",
		"etc/extensions.yaml":                     extensions,
		"usr/local/etc/containers/tailscale.yaml": string(tailscaleService),
		// Nothing in the lab is signed by an authority that anybody knows.
		"etc/ssl/certs/ca-certificates.crt": "",
		"etc/hostname":                      "", "etc/hosts": "", "etc/resolv.conf": "", "etc/machine-id": "",
		"etc/selinux/targeted/contexts/files/file_contexts": "",
	} {
		r.write(path, content)
	}

	r.link("ca-certificates.crt", "etc/ssl/certs/ca-certificates")
	r.link("/usr/share/zoneinfo/Etc/UTC", "etc/localtime")

	for _, name := range []string{"etc/pki", "usr/share/ca-certificates", "usr/local/share/ca-certificates", "etc/ca-certificates"} {
		r.link("/etc/ssl", name)
	}

	r.extension("usr/local/lib/containers/tailscale")

	return r.err
}

// rootBuilder does nothing more after the first error.
type rootBuilder struct {
	root string
	err  error
}

func (r *rootBuilder) do(err error) {
	if r.err == nil {
		r.err = err
	}
}

func (r *rootBuilder) path(name string) string { return filepath.Join(r.root, name) }

func (r *rootBuilder) folders(below string, names ...string) {
	for _, name := range names {
		r.do(os.MkdirAll(r.path(filepath.Join(below, name)), 0o755))
	}
}

// usrMerge makes the links that a root has whose programs all lie below usr.
func (r *rootBuilder) usrMerge(below string) {
	for _, name := range []string{"bin", "lib", "lib64"} {
		r.link("usr/"+name, filepath.Join(below, name))
	}

	r.link("usr/bin", filepath.Join(below, "sbin"))
	r.link("bin", filepath.Join(below, "usr/sbin"))
}

func (r *rootBuilder) link(target, name string) {
	r.do(os.MkdirAll(filepath.Dir(r.path(name)), 0o755))
	r.do(os.Symlink(target, r.path(name)))
}

func (r *rootBuilder) write(name, content string) {
	r.do(os.MkdirAll(filepath.Dir(r.path(name)), 0o755))
	r.do(os.WriteFile(r.path(name), []byte(content), 0o644))
}

func (r *rootBuilder) move(from, to string) { r.do(os.Rename(r.path(from), r.path(to))) }

func (r *rootBuilder) copy(from, to string) {
	content, err := os.ReadFile(from)
	r.do(err)
	r.do(os.MkdirAll(filepath.Dir(r.path(to)), 0o755))
	r.do(os.WriteFile(r.path(to), content, 0o755))
}

var library = regexp.MustCompile(`/\S+`)

// program copies a program of the machine's, and the libraries that it loads.
func (r *rootBuilder) program(below, name string) {
	path, err := exec.LookPath(name)
	r.do(err)

	if r.err != nil {
		return
	}

	r.copy(path, filepath.Join(below, "usr/bin", filepath.Base(name)))
	r.libraries(below, path)
}

func (r *rootBuilder) libraries(below, path string) {
	// ldd fails on what is linked statically, which needs nothing.
	loaded, err := exec.Command("ldd", path).Output()
	if err != nil {
		return
	}

	for _, path := range library.FindAllString(string(loaded), -1) {
		to := filepath.Join(below, "usr", strings.TrimPrefix(path, "/usr"))
		if _, err := os.Stat(r.path(to)); err != nil {
			r.copy(path, to)
		}
	}
}

// extension lays out what the system extension has in its container.
func (r *rootBuilder) extension(below string) {
	r.folders(below, "usr/bin", "usr/lib", "usr/lib64", "usr/local/bin", "dev/net", "proc", "sys", "run/tailscale", "tmp", "etc/ssl/certs", "var/lib/tailscale")
	r.usrMerge(below)
	r.link("/run", filepath.Join(below, "var/run"))
	r.write(filepath.Join(below, "dev/net/tun"), "")
	r.write(filepath.Join(below, "etc/resolv.conf"), "")

	for _, name := range []string{"containerboot", "tailscaled", "tailscale"} {
		r.copy(filepath.Join(lab.Programs.Extension, name), filepath.Join(below, "usr/local/bin", name))
	}

	r.program(below, "ip")
	r.program(below, "xtables-nft-multi")

	for _, name := range []string{"iptables", "ip6tables", "iptables-save", "iptables-restore", "ip6tables-save", "ip6tables-restore"} {
		r.link("xtables-nft-multi", filepath.Join(below, "usr/bin", name))
	}

	modules, err := filepath.Glob("/usr/lib/*/xtables/*.so")
	r.do(err)

	for _, module := range modules {
		r.copy(module, filepath.Join(below, module))
		r.libraries(below, module)
	}
}

func buildGo(program, output string) error {
	_, err := lab.GoCommand(".", "build", "-buildvcs=false", "-ldflags=-s -w", "-o", output, program)

	return err
}
