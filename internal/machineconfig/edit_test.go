package machineconfig_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	reader "go.yaml.in/yaml/v3"

	"github.com/talos-tsbridge/talos-tsbridge/internal/machineconfig"
)

// machineryFiles returns the YAML files of machinery's tests, by name.
func machineryFiles(t testing.TB) map[string][]byte {
	t.Helper()

	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/siderolabs/talos/pkg/machinery").Output()
	require.NoError(t, err)

	files := map[string][]byte{}

	require.NoError(t, filepath.WalkDir(strings.TrimSpace(string(dir)), func(path string, _ os.DirEntry, err error) error {
		if err == nil && strings.Contains(path, "testdata") && filepath.Ext(path) == ".yaml" {
			files[path], err = os.ReadFile(path)
		}

		return err
	}))
	require.Greater(t, len(files), 100)

	return files
}

// values reads the documents of a text with another reader than the product's.
func values(t testing.TB, text []byte) []any {
	t.Helper()

	var found []any

	for decoder := reader.NewDecoder(bytes.NewReader(text)); ; {
		var value any

		err := decoder.Decode(&value)
		if errors.Is(err, io.EOF) {
			return found
		}

		require.NoError(t, err, "%s", text)

		if value != nil {
			found = append(found, value)
		}
	}
}

// paths returns the paths of all values in a value.
func paths(value any) [][]any {
	var found [][]any

	each := func(step, child any) {
		found = append(found, []any{step})
		for _, path := range paths(child) {
			found = append(found, append([]any{step}, path...))
		}
	}

	switch value := value.(type) {
	case map[string]any:
		for _, key := range sortedKeys(value) {
			each(key, value[key])
		}
	case []any:
		for i, child := range value {
			each(i, child)
		}
	}

	return found
}

func sortedKeys(m map[string]any) []string {
	var keys []string
	for key := range m {
		keys = append(keys, key)
	}

	slices.Sort(keys)

	return keys
}

// at returns a copy of a value in which f has changed what is at a path.
func at(value any, path []any, f func(any) (any, bool)) any {
	if len(path) == 0 {
		value, _ = f(value)

		return value
	}

	switch value := value.(type) {
	case map[string]any:
		result := map[string]any{}
		for key, child := range value {
			result[key] = child
		}

		if len(path) > 1 {
			result[path[0].(string)] = at(value[path[0].(string)], path[1:], f)
		} else if changed, keep := f(value[path[0].(string)]); keep {
			result[path[0].(string)] = changed
		} else {
			delete(result, path[0].(string))
		}

		return result
	case []any:
		result := slices.Clone(value)

		if i := path[0].(int); len(path) > 1 {
			result[i] = at(value[i], path[1:], f)
		} else if changed, keep := f(value[i]); keep {
			result[i] = changed
		} else {
			result = slices.Delete(result, i, i+1)
		}

		return result
	}

	panic(fmt.Sprintf("no path %v", path))
}

// Every value of every file of machinery's tests is replaced, removed, and added to, once each. Another reader finds that
// change and no other, and the lines around it are the same.
func TestEditsChangeOneThing(t *testing.T) {
	t.Parallel()

	edits := 0

	for name, text := range machineryFiles(t) {
		if machineconfig.HasAlias(text) || len(text) > 5_000 {
			continue
		}

		file, err := machineconfig.Parse(text)
		if err != nil {
			continue // files of faults
		}

		edits += editAll(t, name, text, file)
	}

	t.Logf("%d edits", edits)
}

func editAll(t *testing.T, name string, text []byte, file *machineconfig.File) int {
	t.Helper()

	before := values(t, text)
	require.Len(t, file.Documents(), len(before), name)

	edits := 0

	for i, d := range file.Documents() {
		if _, isMapping := before[i].(map[string]any); !isMapping {
			continue
		}

		for _, path := range paths(before[i]) {
			for operation, edit := range operations {
				e := file.Edit()

				want := edit(e, d, before[i], path)
				if m, _ := want.(map[string]any); len(m) == 0 {
					continue
				}

				after, err := e.Bytes()
				if err != nil && strings.Contains(err.Error(), ") is a list on the line of another one") {
					continue
				}

				require.NoError(t, err, "%s %s %v", name, operation, path)

				edits++

				found := values(t, after)
				if !reflect.DeepEqual(found[i], want) {
					require.Equal(t, want, found[i], "%s %s %v\n%s", name, operation, path, after)
				}

				found[i] = before[i]
				require.Equal(t, before, found)
			}
		}
	}

	return edits
}

// operations change a document and tell what it has to be then, or nil for what cannot be done there.
var operations = map[string]func(e *machineconfig.Edit, d *machineconfig.Document, before any, path []any) any{
	"text": func(e *machineconfig.Edit, d *machineconfig.Document, before any, path []any) any {
		e.Set(d, "!new: # text", path...)

		return at(before, path, func(any) (any, bool) { return "!new: # text", true })
	},
	"lines": func(e *machineconfig.Edit, d *machineconfig.Document, before any, path []any) any {
		e.Set(d, "one\n  two\n", path...)

		return at(before, path, func(any) (any, bool) { return "one\n  two\n", true })
	},
	"list": func(e *machineconfig.Edit, d *machineconfig.Document, before any, path []any) any {
		e.Set(d, []string{"a", "0", "b"}, path...)

		return at(before, path, func(any) (any, bool) { return []any{"a", "0", "b"}, true })
	},
	"mapping": func(e *machineconfig.Edit, d *machineconfig.Document, before any, path []any) any {
		e.Set(d, map[string]any{"k": []string{"v"}, "l": map[string]any{"m": 1}}, path...)

		return at(before, path, func(any) (any, bool) { return map[string]any{"k": []any{"v"}, "l": map[string]any{"m": 1}}, true })
	},
	"remove": func(e *machineconfig.Edit, d *machineconfig.Document, before any, path []any) any {
		e.Remove(d, path...)

		if d.Get(path...) == nil {
			return nil
		}

		return at(before, path, func(any) (any, bool) { return nil, false })
	},
	"append": func(e *machineconfig.Edit, d *machineconfig.Document, before any, path []any) any {
		list, ok := valueAt(before, path).([]any)
		if !ok {
			return nil
		}

		e.Append(d, "x=1", path...)

		return at(before, path, func(any) (any, bool) { return append(slices.Clone(list), "x=1"), true })
	},
	"key": func(e *machineconfig.Edit, d *machineconfig.Document, before any, path []any) any {
		m, ok := valueAt(before, path).(map[string]any)
		if !ok {
			return nil
		}

		e.Set(d, []string{"v"}, append(slices.Clone(path), "new", "made")...)

		return at(before, path, func(any) (any, bool) {
			changed := map[string]any{"new": map[string]any{"made": []any{"v"}}}
			for key, value := range m {
				changed[key] = value
			}

			return changed, true
		})
	},
	"prepend": func(e *machineconfig.Edit, d *machineconfig.Document, before any, path []any) any {
		list, ok := valueAt(before, path).([]any)
		if !ok || len(list) == 0 {
			return nil
		}

		wanted := []string{"first=1"}
		result := []any{"first=1"}

		for i, item := range list {
			text, ok := item.(string)
			if !ok {
				return nil
			}

			if i == 1 {
				wanted, result = append(wanted, "second=2"), append(result, "second=2")
			}

			if i != 2 {
				wanted, result = append(wanted, text), append(result, text)
			}
		}

		e.Set(d, wanted, path...)

		return at(before, path, func(any) (any, bool) { return result, true })
	},
}

func valueAt(value any, path []any) (found any) {
	at(value, path, func(v any) (any, bool) { found = v; return v, true })

	return found
}

// An edit tells a file that has what was set from one that has not.
func TestCheck(t *testing.T) {
	t.Parallel()

	const text = "machine:\n  type: worker\n  certSANs: [a]\ncluster:\n  id: x\n"

	for name, change := range map[string]func(*machineconfig.Edit, *machineconfig.Document){
		"a value":     func(e *machineconfig.Edit, d *machineconfig.Document) { e.Set(d, "controlplane", "machine", "type") },
		"a new value": func(e *machineconfig.Edit, d *machineconfig.Document) { e.Set(d, "b", "machine", "token") },
		"an item":     func(e *machineconfig.Edit, d *machineconfig.Document) { e.Append(d, "b", "machine", "certSANs") },
		"a key":       func(e *machineconfig.Edit, d *machineconfig.Document) { e.Remove(d, "cluster", "id") },
	} {
		before, err := machineconfig.Parse([]byte(text))
		require.NoError(t, err)

		edit := before.Edit()
		change(edit, before.Documents()[0])

		changed, err := edit.Bytes()
		require.NoError(t, err)

		after, err := machineconfig.Parse(changed)
		require.NoError(t, err)
		require.NoError(t, edit.Check(after), name)

		_, isChange := errors.AsType[*machineconfig.ChangeError](edit.Check(before))
		require.True(t, isChange, name)
	}
}
