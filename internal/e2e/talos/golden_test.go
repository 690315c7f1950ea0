package talos

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var goldenFolder = flag.String("golden", "../../../patch/testdata/golden", "folder of the patches to try")

// golden is a patch that we print.
type golden struct {
	name  string
	minor int      // of the contract it is printed for
	roles []string // of the machines it is printed for
	patch string
}

// describe reads what a patch is for from the name of its file. The redacted
// twins are not patches.
func describe(file string) (golden, bool) {
	name, isPatch := strings.CutSuffix(file, ".yaml")
	if !isPatch || strings.HasSuffix(name, ".redacted") {
		return golden{}, false
	}

	g := golden{name: name, roles: []string{"controlplane", "worker"}}

	if _, contract, found := strings.Cut(name, "_v1."); !found {
		return golden{}, false
	} else if _, err := fmt.Sscanf(contract, "%d", &g.minor); err != nil {
		return golden{}, false
	}

	if strings.HasPrefix(name, "controlplane") {
		g.roles = []string{"controlplane"}
	}

	return g, true
}

func goldens(t *testing.T) []golden {
	t.Helper()

	files, err := os.ReadDir(*goldenFolder)
	if err != nil {
		t.Fatal(err)
	}

	var all []golden

	for _, file := range files {
		g, isGolden := describe(file.Name())
		if !isGolden {
			continue
		}

		patch, err := os.ReadFile(filepath.Join(*goldenFolder, file.Name()))
		if err != nil {
			t.Fatal(err)
		}

		g.patch = string(patch)
		all = append(all, g)
	}

	slices.SortFunc(all, func(a, b golden) int {
		return cmp.Or(strings.Compare(a.use(), b.use()), a.minor-b.minor)
	})

	if len(all) == 0 {
		t.Fatalf("no golden patches in %s", *goldenFolder)
	}

	return all
}

// use is the name without the contract.
func (g golden) use() string { return strings.TrimSuffix(g.name, "_"+contract(g.minor)) }

// replaces tells a patch that deletes what is there first.
func (g golden) replaces(t *testing.T) bool {
	for _, d := range documents(t, g.patch) {
		if d.Delete != "" || d.NodeIP.Delete != "" {
			return true
		}
	}

	return false
}

// since is the first minor of Talos that knows all documents of the patch.
func (g golden) since(t *testing.T) int {
	first := 7

	for _, d := range documents(t, g.patch) {
		switch d.Kind {
		case "ResolverConfig", "StaticHostConfig":
			first = max(first, 12)
		case "KubeSpanConfig":
			first = max(first, 13)
		case "KubeNodeConfig", "SysctlConfig":
			first = max(first, 14)
		}
	}

	if g.replaces(t) {
		first = max(first, 14)
	}

	return first
}
