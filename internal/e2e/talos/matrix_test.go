package talos

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/talos-tsbridge/talos-tsbridge/internal/e2e/talos/protocol"
)

var matrixFile = flag.String("matrix", "", "file to write the matrix to, as a Markdown table")

// Every release takes every patch whose documents it knows, and refuses the
// others as a whole. A patch of a newer contract than the release's own is
// tried on a config of the release's; otherwise the config has the patch's
// contract, however new the release is.
func TestEveryTalosTakesEveryGolden(t *testing.T) {
	goldens := goldens(t)
	matrix := newMatrix(goldens)

	for _, release := range releases {
		t.Run(release.version, func(t *testing.T) {
			var cases []protocol.Case

			for _, golden := range goldens {
				for _, role := range golden.roles {
					cases = append(cases, protocol.Case{
						Contract: contract(min(golden.minor, release.minor)),
						Role:     role,
						Patch:    golden.patch,
					})
				}
			}

			outcomes := release.try(t, cases...)

			for _, golden := range goldens {
				known := golden.since(t) <= release.minor
				ok := true

				for _, role := range golden.roles {
					if err := judge(t, golden, known, outcomes[0]); err != nil {
						t.Errorf("%s for a %s: %v", golden.name, role, err)

						ok = false
					}

					outcomes = outcomes[1:]
				}

				matrix.add(golden, release, known, ok)
			}
		})
	}

	t.Logf("\n%s", matrix.text())

	if *matrixFile != "" {
		if err := os.WriteFile(*matrixFile, []byte(matrix.markdown()), 0o644); err != nil {
			t.Error(err)
		}
	}
}

// judge is an error where the release does not do with the patch what it should.
func judge(t *testing.T, golden golden, known bool, outcome protocol.Outcome) error {
	t.Helper()

	switch fault := outcome.Fault(); {
	case !known && fault == "":
		return fmt.Errorf("taken, but its documents are of Talos v1.%d", golden.since(t))
	case !known:
		return nil
	case fault != "":
		return errors.New(fault)
	}

	want := settingsOf(t, golden.patch)

	if got := settingsOf(t, outcome.First.Config); !reflect.DeepEqual(got, want) {
		return fmt.Errorf("the config has\n%+v\nwant\n%+v", got, want)
	}

	// A second application of a patch is valid, and what it appends is known.
	if fault := outcome.Second.Apply + outcome.Second.Validate; fault != "" {
		return fmt.Errorf("second application: %s", fault)
	}

	if !golden.replaces(t) {
		want.Environment = slices.Concat(want.Environment, want.Environment)
	}

	if got := settingsOf(t, outcome.Second.Config); !slices.Equal(got.Environment, want.Environment) {
		return fmt.Errorf("after a second application the environment is %q, want %q", got.Environment, want.Environment)
	}

	return nil
}

// matrix is which release took which patch.
type matrix struct {
	goldens []golden
	rows    []string // versions
	cells   map[string][]string
}

func newMatrix(goldens []golden) *matrix {
	return &matrix{goldens: goldens, cells: map[string][]string{}}
}

func (m *matrix) add(g golden, r release, known, ok bool) {
	if !slices.Contains(m.rows, r.version) {
		m.rows = append(m.rows, r.version)
	}

	cell := "refused" // as it should be
	if known {
		cell = "taken"
	}

	if !ok {
		cell = "WRONG"
	}

	m.cells[g.name] = append(m.cells[g.name], cell)
}

// row is a line of the matrix.
type row struct {
	head  string
	cells []string
}

// text is every patch, for the log.
func (m *matrix) text() string {
	var rows []row
	for _, golden := range m.goldens {
		rows = append(rows, row{golden.name, m.cells[golden.name]})
	}

	return strings.NewReplacer("| ", "", " |", "", "|---", "", "|", "").Replace(m.table(rows, "%-40s", "%-8s"))
}

// markdown is a row for the patches of a contract that fare alike, for people.
func (m *matrix) markdown() string {
	type group struct {
		minor int
		cells string
	}

	members := map[group]int{}
	for _, golden := range m.goldens {
		members[group{golden.minor, strings.Join(m.cells[golden.name], "|")}]++
	}

	groups := slices.SortedFunc(maps.Keys(members), func(a, b group) int {
		return cmp.Or(a.minor-b.minor, strings.Compare(a.cells, b.cells))
	})

	var rows []row
	for _, g := range groups {
		rows = append(rows, row{fmt.Sprintf("v1.%d (%d)", g.minor, members[g]), strings.Split(g.cells, "|")})
	}

	return m.table(rows, "%s", "%s")
}

func (m *matrix) table(rows []row, first, other string) string {
	var table strings.Builder

	line := func(head string, cells []string) {
		fmt.Fprintf(&table, "| "+first+" |", head)

		for _, cell := range cells {
			fmt.Fprintf(&table, " "+other+" |", cell)
		}

		table.WriteString("\n")
	}

	line("contract (patches)", m.rows)
	fmt.Fprintf(&table, "|%s\n", strings.Repeat("---|", len(m.rows)+1))

	for _, row := range rows {
		line(row.head, row.cells)
	}

	return table.String()
}
