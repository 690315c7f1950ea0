// Package mutation makes machine configs as people write them, and worse, of those that talosctl generates: for tests of
// what may not care how a config is written.
package mutation

import (
	"math/rand/v2"
	"strings"
)

// Mutation is one way to change a config. Not all it makes is YAML, or what Talos takes.
type Mutation struct {
	Name   string
	Change func(rng *rand.Rand, text string) string
}

// Mutate returns a config with a few of [All] in it, and their names.
func Mutate(rng *rand.Rand, text string) (string, []string) {
	const most = 5

	all := All()
	count := 1 + rng.IntN(most)
	chosen := map[int]bool{}

	for range count {
		chosen[rng.IntN(len(all))] = true
	}

	var names []string

	for i, mutation := range all { // in their order: those that change the lines of the others come last
		if chosen[i] {
			text = mutation.Change(rng, text)
			names = append(names, mutation.Name)
		}
	}

	return text, names
}

// All returns the mutations, in the order in which they go together.
func All() []Mutation {
	return []Mutation{
		{"files", addFiles},
		{"service", addService},
		{"node IP", addNodeIP},
		{"etcd", addEtcd},
		{"anchors", addAnchors},
		{"merge keys", addMergeKeys},
		{"indented anew", indentAnew},
		{"flow style", flowStyle},
		{"JSON", asJSON},
		{"unknown documents", addUnknown},
		{"comments", addComments},
		{"blank lines", addBlankLines},
		{"directives", addDirectives},
		{"document ends", addEnds},
		{"a broken line", breakLine},
		{"no final line break", cutEnd},
		{"a byte order mark", addBOM},
		{"line breaks", changeBreaks},
	}
}

func pick[T any](rng *rand.Rand, of []T) T { return of[rng.IntN(len(of))] }

// indented puts blanks before each line but empty ones.
func indented(text, margin string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if line != "" {
			lines[i] = margin + line
		}
	}

	return strings.Join(lines, "\n")
}

// under puts text under a key that stands alone on a line at the start of it, as its first entries.
func under(text, key, added string) string {
	line := key + ":\n"

	at := strings.Index("\n"+text, "\n"+line)
	if at < 0 {
		return text
	}

	margin := ""

	rest := text[at+len(line):]
	for _, first := range strings.Split(rest, "\n") {
		if trimmed := strings.TrimLeft(first, " "); trimmed != "" && trimmed[0] != '#' {
			margin = first[:len(first)-len(trimmed)]

			break
		}
	}

	return text[:at+len(line)] + indented(added, margin) + rest
}

// addBOM puts a byte order mark first.
func addBOM(_ *rand.Rand, text string) string { return "\uFEFF" + text }

func cutEnd(rng *rand.Rand, text string) string {
	if rng.IntN(2) == 0 {
		text += "# the end\n"
	}

	return strings.TrimRight(text, "\r\n")
}

// changeBreaks changes some or all line breaks to others that YAML 1.1 has.
func changeBreaks(rng *rand.Rand, text string) string {
	to := pick(rng, []string{"\r\n", "\r\n", "\r\n", "\r", "\u0085", "\u2028", "\u2029"})
	share := pick(rng, []float64{1, 1, 0.5, 0.02})

	var b strings.Builder

	for line := range strings.Lines(text) {
		if rest, ok := strings.CutSuffix(line, "\n"); ok && rng.Float64() < share {
			line = rest + to
		}

		b.WriteString(line)
	}

	return b.String()
}

// breakLine damages a line.
func breakLine(rng *rand.Rand, text string) string {
	at := rng.IntN(len(text))

	return text[:at] + pick(rng, []string{"\t", ": ", "\"", "'", "- ", "# ", " ", "\n", "{", "}", "[", "&a ", "*a ", "!!str ", "%", "|", "\x00", "\xff", "\u00a0", "\ufeff"}) + text[at:]
}

// eachLine calls change for a share of the lines.
func eachLine(rng *rand.Rand, text string, share float64, change func(line string) string) string {
	var b strings.Builder

	for line := range strings.Lines(text) {
		if rng.Float64() < share {
			line = change(line)
		}

		b.WriteString(line)
	}

	return b.String()
}

func addComments(rng *rand.Rand, text string) string {
	return eachLine(rng, text, pick(rng, []float64{0.02, 0.2}), func(line string) string {
		switch rest := strings.TrimSuffix(line, "\n"); rng.IntN(4) {
		case 0:
			return "# a comment at the margin\n" + line
		case 1:
			return line[:len(line)-len(strings.TrimLeft(line, " "))] + "# key: value # a comment\n" + line
		case 2:
			return "            # a deep comment\n" + line
		default:
			return rest + " # behind: it\n"
		}
	})
}

func addBlankLines(rng *rand.Rand, text string) string {
	return eachLine(rng, text, 0.05, func(line string) string { return pick(rng, []string{"\n", "   \n", "\n\n\n"}) + line })
}

func addDirectives(rng *rand.Rand, text string) string {
	return pick(rng, []string{"%YAML 1.1\n---\n", "%YAML 1.2\n---\n", "%TAG ! tag:example.com,2000:\n---\n", "--- # first\n", "---\n---\n", "# head\n\n---\n", "--- !!map\n"}) + text
}

func addEnds(rng *rand.Rand, text string) string {
	text = strings.ReplaceAll(text, "\n---\n", pick(rng, []string{"\n...\n---\n", "\n---\n# head of it\n", "\n--- # behind it\n", "\n# foot\n---\n"}))

	return text + pick(rng, []string{"...\n", "---\n", "--- # nothing here\n# the end\n", "...\n# behind the end\n", ""})
}

func addUnknown(rng *rand.Rand, text string) string {
	return pick(rng, []string{
		text + "---\napiVersion: v1alpha1\nkind: TeleportConfig\nspeed:   warp # nine\n",
		text + "---\n{apiVersion: v2, kind: TeleportConfig, \"to\": [a, b,]}\n",
		text + "---\napiVersion: v1alpha1\nkind: TeleportConfig\nscript: |+\n  a\n\n\n",
		"---\napiVersion: v1alpha1\nkind: TeleportConfig\n? complex\n: value\n---\n" + text,
		text + "---\napiVersion: v1alpha1\nkind: TeleportConfig\nscript: |\n  ends without a line break",
	})
}
