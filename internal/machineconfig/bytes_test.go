package machineconfig_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/talos-tsbridge/talos-tsbridge/internal/machineconfig"
)

func parse(t *testing.T, text string) *machineconfig.File {
	t.Helper()

	file, err := machineconfig.Parse([]byte(text))
	require.NoError(t, err)

	return file
}

// first returns the first document of a file.
func first(file *machineconfig.File) *machineconfig.Document { return file.Documents()[0] }

// What an edit writes, byte for byte.
func TestEditBytes(t *testing.T) {
	t.Parallel()

	set := func(value any, path ...any) func(*machineconfig.Edit, *machineconfig.Document) {
		return func(e *machineconfig.Edit, d *machineconfig.Document) { e.Set(d, value, path...) }
	}
	remove := func(path ...any) func(*machineconfig.Edit, *machineconfig.Document) {
		return func(e *machineconfig.Edit, d *machineconfig.Document) { e.Remove(d, path...) }
	}
	list := func(items ...string) []string { return items }

	for _, tt := range []struct {
		name, before string
		edit         func(*machineconfig.Edit, *machineconfig.Document)
		after        string
	}{
		{"a text keeps its comment", "a: b # c\nd: e\n", set("x", "a"), "a: x # c\nd: e\n"},
		{"a text keeps its quotes", "a: 'b'\n", set("x", "a"), "a: 'x'\n"},
		{"the same value", "a:   \"b\"   # c\n", set("b", "a"), "a:   \"b\"   # c\n"},
		{"a text of several lines", "a: b # c\nd: e\n", set("x\ny\n", "a"), "a: | # c\n    x\n    y\nd: e\n"},
		{"a block scalar", "a: >-\n  b\n  c\n\nd: e\n", set("x", "a"), "a: x\n\nd: e\n"},
		{"a text before a deeper comment", "a: b\n      # c\nd: e\n", set("x\ny\n", "a"), "a: \"x\\ny\\n\"\n      # c\nd: e\n"},
		{"parents, in the style around", "a:\n  b:\n    c: d\n", set(list("x"), "a", "e", "f"), "a:\n  b:\n    c: d\n  e:\n    f:\n      - x\n"},
		{"lists as they are indented", "a:\n  b:\n  - c\n", set(list("x", "!y"), "a", "d"), "a:\n  b:\n  - c\n  d:\n  - x\n  - '!y'\n"},
		{"an empty mapping", "a: {} # c\nd: e\n", set("x", "a", "b"), "a: # c\n    b: x\nd: e\n"},
		{"nothing", "a:\n# c\nd: e\n", set("x", "a", "b"), "a:\n    b: x\n# c\nd: e\n"},
		{"null", "a: ~\nd: e\n", set(list("x"), "a"), "a:\n    - x\nd: e\n"},
		{"an item", "a:\n  - A=1 # one\n  # two\n  - B=2\n  - C=3\n", set(list("A=1", "B=9", "C=3"), "a"), "a:\n  - A=1 # one\n  # two\n  - B=9\n  - C=3\n"},
		{"items that come and go", "a:\n  - A=1 # one\n  # two\n  - B=2 # B\n  - C=3\n", set(list("X=0", "A=1", "C=3", "D=4"), "a"), "a:\n  - X=0\n  - A=1 # one\n  # two\n  - C=3\n  - D=4\n"},
		{"quotes of the other items", "a: [\"b\", \"c\"]\n", set(list("b", "x", "c"), "a"), "a: [\"b\", \"x\", \"c\"]\n"},
		{"a list in brackets", "a: [b,c,]\n", set(list("c", "d"), "a"), "a: [c,d,]\n"},
		{"a list in brackets on lines", "a: [\n  b, # B\n  c # C\n]\n", set(list("b", "c", "d"), "a"), "a: [\n  b, # B\n  c, # C\n  d\n]\n"},
		{"all items", "a:\n  - b\n  - c\nd: e\n", set([]string{}, "a"), "a: []\nd: e\n"},
		{"fields of an item", "a:\n- mountPath: /x # c\n  content: b\n", set("y", "a", 0, "content"), "a:\n- mountPath: /x # c\n  content: y\n"},
		{"an item of fields", "a:\n- ip: 1\n  n: [b]\n- ip: 2\n", set([]map[string]any{{"ip": "2"}}, "a"), "a:\n- ip: \"2\"\n"},
		{"a key", "a: b # c\n# about d\nd: e # f\ng: h\n", remove("d"), "a: b # c\n# about d\ng: h\n"},
		{"an item between a block scalar and a deeper comment", "a:\n- >-\n  b\n- c\n    # d\n- e\n", remove("a", 1), "a:\n- >-\n  b\n#\n    # d\n- e\n"},
		{"the first key of an item", "a:\n- b: c # d\n  # e\n  f: g\n", remove("a", 0, "b"), "a:\n- # e\n  f: g\n"},
		{"the only key", "a:\n  b: c\nd: e\n", remove("a", "b"), "a: {}\nd: e\n"},
		{"a key in braces", "{a: b, c: d, e: f}\n", remove("c"), "{a: b, e: f}\n"},
		{"the last key in braces", "{a: b, c: d}\n", remove("c"), "{a: b}\n"},
		{"JSON", "{\n  \"a\": [\"b\"],\n  \"c\": {}\n}\n", set(list("x"), "c", "d"), "{\n  \"a\": [\"b\"],\n  \"c\": {\"d\": [\"x\"]}\n}\n"},
		{"JSON without blanks", "{\"a\":[\"b\"]}", set(list("x"), "c"), "{\"a\":[\"b\"],\"c\":[\"x\"]}"},
		{"JSON on lines", "{\n\t\"a\": 1\n}\n", set("x", "c"), "{\n\t\"a\": 1,\n\t\"c\": \"x\"\n}\n"},
		{"CR LF", "a:\r\n  b: c\r\nd: e\r\n", set("x", "a", "f"), "a:\r\n  b: c\r\n  f: x\r\nd: e\r\n"},
		{"line breaks of YAML 1.1", "a:\u2028  b: c\u2028d: e\u2028", set("x", "a", "f"), "a:\u2028  b: c\u2028  f: x\u2028d: e\u2028"},
		{"mixed line breaks", "a:\n  b: c\r\nd: e\n", set("x", "a", "f"), "a:\n  b: c\r\n  f: x\r\nd: e\n"},
		{"no final line break", "a:\n  b: c", set("x", "a", "f"), "a:\n  b: c\n  f: x"},
		{"a literal without a final line break", "a: b\nc: |\n  d", set("x", "f"), "f: x\na: b\nc: |\n  d"},
		{"a literal that strips it", "a: b\nc: |-\n  d", set("x", "f"), "a: b\nc: |-\n  d\nf: x"},
		{"a literal that keeps blank lines", "a:\n  c: |+\n    d\n\n\ne: f\n", set("x", "a", "g"), "a:\n  c: |+\n    d\n\n\n  g: x\ne: f\n"},
		{"a byte order mark", "\ufeffa: b\n", set("x", "a"), "\ufeffa: x\n"},
		{"wide characters", "\"ä€😀\": {a: b, c: d}\n", set("x", "ä€😀", "c"), "\"ä€😀\": {a: b, c: x}\n"},
		{"an anchor that nobody uses", "a: &b c\n", set("x", "a"), "a: &b x\n"},
		{"an anchor of an empty mapping", "a: &b {} # c\nd: e\n", set("x", "a", "f"), "a: &b # c\n    f: x\nd: e\n"},
		{"an anchor of nothing", "a: &b\nd: e\n", set(list("x"), "a", "f"), "a: &b\n    f:\n        - x\nd: e\n"},
		{"an anchor below its key", "a: # c\n  &b {}\nd: e\n", set("x", "a", "f"), "a: &b # c\n    f: x\nd: e\n"},
		{"an anchor above its value", "a: &b # c\n  {}\nd: e\n", set("x", "a", "f"), "a: &b # c\n    f: x\nd: e\n"},
		{"an anchor of an item", "a:\n- &b {} # c\n- d\n", set("x", "a", 0, "f"), "a:\n- &b # c\n  f: x\n- d\n"},
		{"an anchor of an item of fields", "a:\n- &b c\n- d\n", set(map[string]string{"f": "x", "g": "y"}, "a", 0), "a:\n- &b\n  f: x\n  g: y\n- d\n"},
		{"an anchor in braces", "{a: &b {}, c: d}\n", set("x", "a", "f"), "{a: &b {f: x}, c: d}\n"},
		{"an anchor of what loses its only key", "a: &b\n  c: d\ne: f\n", remove("a", "c"), "a: &b {}\ne: f\n"},
		{"an anchor and a tag of an empty mapping", "a: &b !!map {}\n", set("x", "a", "f"), "a: &b\n    f: x\n"},
		{"an alias", "a: &b c\nd: *b # e\n", set("x", "d"), "a: &b c\nd: x # e\n"},
		{"a tag", "a: !!str 5\nb: c\n", set("x", "a"), "a: x\nb: c\n"},
		{"what looks like something else", "a: b\n", set(list("true", "5", "~", "- x", "a: b", "#", "", " x", "0x1f", "1e3", "=", "<<"), "a"), "a:\n    - \"true\"\n    - \"5\"\n    - \"~\"\n    - '- x'\n    - 'a: b'\n    - '#'\n    - \"\"\n    - ' x'\n    - \"0x1f\"\n    - \"1e3\"\n    - =\n    - \"<<\"\n"},
		{"a document", "a: b", func(e *machineconfig.Edit, _ *machineconfig.Document) { e.AddDocument([]byte("kind: X\n")) }, "a: b\n---\nkind: X\n"},
		{"a document behind its end", "a: b\n...\n", func(e *machineconfig.Edit, _ *machineconfig.Document) { e.AddDocument([]byte("kind: X\n")) }, "a: b\n...\n---\nkind: X\n"},
		{"a document beside an open literal", "# c\na: |\n  b", func(e *machineconfig.Edit, _ *machineconfig.Document) { e.AddDocument([]byte("kind: X\n")) }, "---\nkind: X\n---\n# c\na: |\n  b"},
		{"no document", "a: b\n---\nc: d\n", func(e *machineconfig.Edit, d *machineconfig.Document) { e.RemoveDocument(d) }, "---\nc: d\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			file := parse(t, tt.before)
			edit := file.Edit()
			tt.edit(edit, first(file))

			after, err := edit.Bytes()
			require.NoError(t, err)
			assert.Equal(t, tt.after, string(after))
		})
	}
}

// What other places share is not changed for one of them: the edit names the anchor and its line.
func TestEditRefusesWhatIsShared(t *testing.T) {
	t.Parallel()

	for _, tt := range []struct {
		name, text string
		line       int
		path       []any
	}{
		{"an alias on the way", "a: &b {c: d}\ne: *b\n", 2, []any{"e", "c"}},
		{"an anchor on the way", "a: &b {c: d}\ne: *b\n", 1, []any{"a", "c"}},
		{"an anchor in what goes", "a:\n  c: &b d\ne: *b\n", 2, []any{"a"}},
		{"an anchor of another document", "a: &b d\n---\ne: *b\n", 1, []any{"a"}},
		{"a merge key", "x: &b {c: {d: e}}\na:\n  <<: *b\n", 3, []any{"a", "c", "d"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			file := parse(t, tt.text)
			edit := file.Edit()
			edit.Set(first(file), "x", tt.path...)

			_, err := edit.Bytes()
			require.Error(t, err)

			failed, ok := errors.AsType[*machineconfig.EditError](err)
			require.True(t, ok, err)
			assert.Equal(t, tt.line, failed.Line)
		})
	}

	// within what goes as a whole, and for a merge key that is overridden, nothing else changes
	for text, after := range map[string]string{
		"a:\n- &b c\n- *b\nd: e\n":        "a: x\nd: e\n",
		"x: &b {a: c}\n<<: *b\nd: e\n":    "x: &b {a: c}\n<<: *b\nd: e\na: x\n",
		"x: &b c\na: &e [*b]\nf: g\nh: i": "x: &b c\na: &e x\nf: g\nh: i",
	} {
		file := parse(t, text)
		edit := file.Edit()
		edit.Set(first(file), "x", "a")

		found, err := edit.Bytes()
		require.NoError(t, err)
		assert.Equal(t, after, string(found))
	}
}

// The proof finds what an edit should not have done.
func TestProve(t *testing.T) {
	t.Parallel()

	const before = "machine:\n  type: worker\n  ca: &ca {crt: a}\n  kubelet: {}\n  certSANs: [a, b]\n  other: *ca\n---\nkind: A\nb: c\n"

	fields := []machineconfig.Field{
		{Kind: machineconfig.Legacy, Path: []string{"machine", "kubelet", "nodeIP", "validSubnets"}},
		{Kind: machineconfig.Legacy, Path: []string{"machine", "certSANs"}, Grows: true},
		{Kind: "Service", Name: "tail*"},
		{Kind: "Node", Path: []string{"nodeIP"}},
	}

	for _, tt := range []struct{ name, after, path string }{
		{"nothing", before, ""},
		{"ours comes", strings.Replace(before, "kubelet: {}", "kubelet: {nodeIP: {validSubnets: [x]}}", 1), ""},
		{"a list grows", strings.Replace(before, "[a, b]", "[a, x, b, y]", 1), ""},
		{"a document of ours", before + "---\nkind: Service\nname: tailscale\nx: y\n", ""},
		{"a document with nothing but ours", before + "---\napiVersion: v1alpha1\nkind: Node\nnodeIP: x\n", ""},
		{"comments and blank lines", "# c\n" + strings.ReplaceAll(before, "\n  ", "\n\n  # d\n  "), ""},
		{"a value", strings.Replace(before, "worker", "controlplane", 1), "machine.type"},
		{"a style", strings.Replace(before, "worker", "\"worker\"", 1), "machine.type"},
		{"a type", strings.Replace(before, "b: c", "b: 5", 1), "A.b"},
		{"another field beside ours", strings.Replace(before, "kubelet: {}", "kubelet: {nodeIP: {validSubnets: [x], other: y}}", 1), "machine.kubelet.nodeIP.other"},
		{"a list that loses", strings.Replace(before, "[a, b]", "[b, y]", 1), "machine.certSANs[0]"},
		{"a field that goes", strings.Replace(before, "  kubelet: {}\n  certSANs: [a, b]\n", "", 1), "machine.certSANs"},
		{"what an anchor stands for", strings.Replace(before, "{crt: a}", "{crt: b}", 1), "machine.ca.crt"},
		{"the name of an anchor", strings.NewReplacer("&ca", "&b", "*ca", "*b").Replace(before), "machine.ca"},
		{"an anchor that goes", strings.NewReplacer("&ca ", "", "*ca", "{crt: a}").Replace(before), "machine.ca"},
		{"the order of keys", "machine:\n  ca: &ca {crt: a}\n  type: worker\n  kubelet: {}\n  certSANs: [a, b]\n  other: *ca\n---\nkind: A\nb: c\n", "machine.type"},
		{"a document that goes", strings.Split(before, "---\n")[0], "A"},
		{"a document that comes", before + "---\nkind: B\n", "B"},
		{"a document with more than ours", before + "---\nkind: Node\nnodeIP: x\ny: z\n", "Node.y"},
		{"a document that is not ours", before + "---\nkind: Service\nname: other\n", "Service"},
		{"a document that is cut in two", strings.Replace(before, "  certSANs: [a, b]\n  other: *ca\n", "---\ncertSANs: [a, b]\n", 1), "machine.certSANs"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			after, err := machineconfig.Parse([]byte(tt.after))
			if err == nil {
				err = machineconfig.Prove(parse(t, before), after, fields)
			}

			if tt.path == "" {
				require.NoError(t, err)

				return
			}

			changed, ok := errors.AsType[*machineconfig.ChangeError](err)
			require.True(t, ok, err)
			assert.Contains(t, changed.Path, tt.path)
			assert.Positive(t, changed.Line)
		})
	}
}

// A field that may change must not change what another place has of it by an alias.
func TestProveAliases(t *testing.T) {
	t.Parallel()

	const before = "machine:\n  certSANs: &names [a]\n  other: {names: *names}\n"

	fields := []machineconfig.Field{{Kind: machineconfig.Legacy, Path: []string{"machine", "certSANs"}}}

	require.NoError(t, machineconfig.Prove(parse(t, before), parse(t, before), fields))

	changed, ok := errors.AsType[*machineconfig.ChangeError](machineconfig.Prove(parse(t, before), parse(t, strings.Replace(before, "[a]", "[b]", 1)), fields))
	require.True(t, ok)
	assert.Contains(t, changed.Path, "machine.other.names")
}

// What an alias would write out is bounded before anything does.
func TestParseBounds(t *testing.T) {
	t.Parallel()

	laughs := "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
	for _, name := range "bcdefghi" {
		laughs += string(name) + ": &" + string(name) + " [" + strings.Repeat("*"+string(name-1)+", ", 9) + "*" + string(name-1) + "]\n"
	}

	for _, text := range []string{
		laughs, "a: &a [*a]\n", "a: &a {<<: *a}\n", "a: &a " + strings.Repeat("x", 1<<20) + "\nb: [" + strings.Repeat("*a, ", 100) + "]\n",
		"a: {" + strings.Repeat("b: c, ", 21000) + "}\n",
	} {
		_, err := machineconfig.Parse([]byte(text))

		_, ok := errors.AsType[*machineconfig.BoundError](err)
		assert.True(t, ok, err)
	}
}
