package patch

import (
	"bytes"
	"errors"
	"slices"
	"strconv"
	"strings"

	coreconfig "github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/config"
	"github.com/siderolabs/talos/pkg/machinery/config/configloader"
	"github.com/siderolabs/talos/pkg/machinery/config/container"
	"go.yaml.in/yaml/v4"

	"github.com/talos-tsbridge/talos-tsbridge/internal/lazyregexp"
	"github.com/talos-tsbridge/talos-tsbridge/internal/machineconfig"
)

// talosReading is what Talos made of a text.
type talosReading struct {
	provider coreconfig.Provider
	err      error
}

// readByTalos has Talos read a text. Deletions are let through: they act on other documents, and are kept.
func readByTalos(text []byte) talosReading {
	provider, err := configloader.NewFromBytes(text, configloader.WithAllowPatchDelete(), configloader.WithNoValidation())

	return talosReading{provider, err}
}

// loadedConfig is a machine config as Talos reads it.
type loadedConfig struct {
	provider coreconfig.Provider
	// read are documents that Talos read, until they are put together.
	read []config.Document
	// documents are the documents that Talos knows.
	documents map[*machineconfig.Document]config.Document
	// unknown are the kinds of documents that it does not know.
	unknown []string
}

// loadConfig makes a config of what Talos read of a file. Documents of kinds that Talos does not know are left out.
func loadConfig(file *machineconfig.File, read talosReading) (*loadedConfig, error) {
	l := &loadedConfig{}

	if isNotRegistered(read.err) { // a newer Talos may know it
		var unknown []*machineconfig.Document

		for _, d := range file.Documents() {
			if !isKnown(d) {
				unknown = append(unknown, d)
				l.unknown = append(l.unknown, d.Kind)
			}
		}

		read = readByTalos(file.Without(unknown...))
	}

	if read.err != nil {
		return nil, unreadable(file, read.err)
	}

	if err := l.hold(read.provider.Documents()); err != nil {
		return nil, err
	}

	if !l.match(file) {
		l.matchNames(file)
	}

	return l, nil
}

// hold puts documents together as Talos does.
func (l *loadedConfig) hold(documents []config.Document) error {
	provider, err := container.New(documents...)
	if err != nil {
		return &ConfigError{Code: ConfigUnreadable, Reason: "talos does not take it: " + said(err)}
	}

	l.provider = provider

	return nil
}

// match finds the documents of a file among those that Talos read, which come in their order, but for the v1alpha1 config.
func (l *loadedConfig) match(file *machineconfig.File) bool {
	l.documents = map[*machineconfig.Document]config.Document{}
	read := l.provider.Documents()

	var documents []*machineconfig.Document

	for _, d := range file.Documents() {
		switch {
		case d.Directive: // it acts on others, and has no document of its own
			return false
		case d.Kind == machineconfig.Legacy:
			documents = slices.Insert(documents, 0, d)
		case !slices.Contains(l.unknown, d.Kind):
			documents = append(documents, d)
		}
	}

	if len(documents) != len(read) {
		return false
	}

	for i, d := range documents {
		if d.Kind != machineconfig.Legacy && d.Kind != read[i].Kind() {
			return false
		}

		l.documents[d] = read[i]
	}

	return true
}

// matchNames finds the documents of a file by what they are called, where directives stand between them.
func (l *loadedConfig) matchNames(file *machineconfig.File) {
	for _, document := range l.provider.Documents() {
		kind, name := document.Kind(), ""
		if document == config.Document(l.provider.RawV1Alpha1()) {
			kind = machineconfig.Legacy
		}

		if named, ok := document.(config.NamedDocument); ok {
			name = named.Name()
		}

		if d := file.Find(kind, name); d != nil {
			l.documents[d] = document
		}
	}
}

// readPieces has Talos read what changes a file: the documents that change, with those that are added.
func readPieces(file *machineconfig.File, splices []machineconfig.Splice) []talosReading {
	var readings []talosReading

	for _, piece := range file.Pieces(splices) {
		readings = append(readings, readByTalos(piece))
	}

	return readings
}

// reload returns what Talos reads of a changed file. What did not change is not read again.
func (l *loadedConfig) reload(before, after *machineconfig.File, changed []talosReading) (*loadedConfig, error) {
	whole := func() (*loadedConfig, error) { return loadConfig(after, readByTalos(after.Text())) }

	fresh := &loadedConfig{unknown: l.unknown}

	for _, read := range changed {
		if read.err != nil { // it may share an anchor with another document, or hold one that Talos does not know
			return whole()
		}

		fresh.read = append(fresh.read, read.provider.Documents()...)
	}

	var documents []config.Document

	for _, d := range after.Documents() {
		earlier := before.Find(d.Kind, d.Name)

		switch {
		case d.Directive:
			return whole()
		case slices.Contains(l.unknown, d.Kind):
		case earlier != nil && l.documents[earlier] != nil && bytes.Equal(earlier.Bytes(), d.Bytes()):
			documents = append(documents, l.documents[earlier])
		case len(fresh.read) == 0:
			return whole()
		default:
			documents = append(documents, fresh.read[0])
			fresh.read = fresh.read[1:]
		}
	}

	if len(fresh.read) > 0 {
		return whole()
	}

	if err := fresh.hold(documents); err != nil || !fresh.match(after) {
		return whole()
	}

	return fresh, nil
}

// isNotRegistered reports whether Talos does not know a kind. Its error is one of an internal package.
func isNotRegistered(err error) bool {
	return err != nil && strings.HasSuffix(err.Error(), "not registered")
}

// isKnown asks Talos about the kind of a document.
func isKnown(d *machineconfig.Document) bool {
	if d.Kind == machineconfig.Legacy {
		return true
	}

	text, err := yaml.Marshal(map[string]string{"apiVersion": d.APIVersion, "kind": d.Kind})

	return err == nil && !isNotRegistered(readByTalos(text).err)
}

var (
	// lineInError finds the line in errors of Talos and of its YAML library.
	lineInError = lazyregexp.New(`\bline (\d+)`)
	// unknownKeys is how Talos lists keys that it does not know: as YAML, with their values.
	unknownKeys = lazyregexp.New(`(?s)unknown keys found during decoding:\n(.*)$`)
)

// unreadable says where a file is that Talos does not read. Of Talos's error it takes the place alone, because the text of
// it quotes the config.
func unreadable(file *machineconfig.File, err error) error {
	text := err.Error()

	line := 0
	if located, ok := errors.AsType[*yaml.LoadErrors](err); ok && len(located.Errors) > 0 {
		line = located.Errors[0].Mark.Line
	} else if all := lineInError().FindAllStringSubmatch(text, -1); len(all) > 0 {
		line, _ = strconv.Atoi(all[len(all)-1][1])
	}

	d, path := file.KeyAt(line)
	fault := &ConfigError{Code: ConfigUnreadable, Line: line, Reason: "talos does not read this: its form is not that of the field"}

	if d != nil && d.Root.Line == line { // Talos names the document alone
		path = nil
	}

	if d != nil {
		fault.Document, fault.Path = documentName(d), machineconfig.PathText(path)
	}

	switch {
	case strings.HasSuffix(text, "missing kind"), strings.HasSuffix(text, "missing apiVersion"):
		fault.Path, fault.Reason = "", "a document without apiVersion and kind, which talos does not read: "+giveConfig
	case strings.Contains(text, "already defined"):
		fault.Reason = "talos does not read this: a key that its mapping has already"
	case d != nil && (strings.Contains(text, "<<") || strings.Contains(text, "unexpected type for yaml mapping")) && d.MergeLine() > 0:
		fault.Path, fault.Line, fault.Reason = "", d.MergeLine(), "a merge key (<<), which talos does not take: write out what it stands for"
	case unknownKeys().MatchString(text) && d != nil:
		fault.Reason = "talos does not know this key"
		fault.Path, fault.Line = unknownKey(d, unknownKeys().FindStringSubmatch(text)[1])
	case strings.Contains(text, "excessive aliasing"), strings.Contains(text, "contains itself"):
		fault.Code, fault.Reason = ConfigTooLarge, "aliases that talos does not expand"
	}

	return fault
}

// unknownKey finds the first of the keys that Talos lists in a document.
func unknownKey(d *machineconfig.Document, list string) (string, int) {
	var keys yaml.Node
	if yaml.Unmarshal([]byte(list), &keys) != nil || len(keys.Content) == 0 {
		return "", d.Line
	}

	path := findKeys(d, nil, keys.Content[0])

	return machineconfig.PathText(path), d.KeyLine(path...)
}

// findKeys follows the first keys of a list of keys into a document. The list does not say which item of a sequence a key
// is in.
func findKeys(d *machineconfig.Document, path []any, n *yaml.Node) []any {
	if n.Kind != yaml.MappingNode || len(n.Content) == 0 {
		if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
			return path
		}

		list := d.Get(path...)

		for i := 0; list != nil && i < len(list.Content); i++ {
			item := append(slices.Clone(path), i)
			if found := findKeys(d, item, n.Content[0]); len(found) > len(item) {
				return found
			}
		}

		return path
	}

	next := append(slices.Clone(path), n.Content[0].Value)
	if d.Get(next...) == nil {
		return path
	}

	return findKeys(d, next, n.Content[1])
}

// documentName names a document in errors: its kind, and its name where that is ours.
func documentName(d *machineconfig.Document) string {
	switch {
	case d.Kind == machineconfig.Legacy:
		return ""
	case d.Name == ServiceName:
		return machineconfig.KindName(d.Kind) + " " + ServiceName
	}

	return machineconfig.KindName(d.Kind)
}

// known are the things that Talos says of whole configs, and what may be repeated of them.
var known = []struct{ text, reason string }{
	{"duplicate v1alpha1.Config", "two documents with machine: or cluster:"},
	{"duplicate document", "two documents of one kind and name"},
	{"conflicting documents", "two documents of kinds that exclude each other"},
	{"conflicting link configurations", "two documents that configure one network link"},
}

// askTalosctl stands for what may not be repeated.
const askTalosctl = "talosctl validate says why"

// said returns what may be repeated of an error of Talos.
func said(err error) string {
	for _, k := range known {
		if strings.Contains(err.Error(), k.text) {
			return k.reason
		}
	}

	return askTalosctl
}
