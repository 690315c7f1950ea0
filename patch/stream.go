package patch

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	coreconfig "github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/config"
	"github.com/siderolabs/talos/pkg/machinery/config/configloader"
	"github.com/siderolabs/talos/pkg/machinery/config/container"
	"github.com/siderolabs/talos/pkg/machinery/config/types/v1alpha1"
	"go.yaml.in/yaml/v4"
)

// stream is a machine config as its sections: what is not changed keeps its bytes.
type stream struct {
	sections []*section
	// provider is what Talos reads of it, without the documents that this version of its machinery does not know.
	provider coreconfig.Provider

	bom     bool
	windows bool // lines end in CR LF
}

// section is one YAML document of a stream.
type section struct {
	// text has the line that separates it from the one before.
	text []byte
	// node is the document, nil where there are only comments.
	node       *yaml.Node
	kind, name string
	// directs tells that the document has a $patch directive, which acts on others: it is none that could be changed.
	directs bool
}

var utf8BOM = []byte("\xef\xbb\xbf")

// readStream reads a machine config. Its errors are one line and repeat nothing of the config, which is full of secrets.
func readStream(text []byte) (*stream, error) {
	s := &stream{bom: bytes.HasPrefix(text, utf8BOM), windows: bytes.Contains(text, []byte("\r\n"))}

	line := 1

	for _, text := range splitDocuments(bytes.TrimPrefix(text, utf8BOM)) {
		section, err := readSection(text, line)
		if err != nil {
			return nil, err
		}

		s.sections = append(s.sections, section)
		line += bytes.Count(text, []byte("\n"))
	}

	if err := s.checkForeign(); err != nil {
		return nil, err
	}

	return s, s.load()
}

// splitDocuments cuts a YAML stream before each "---". YAML allows that at the start of a line only there.
func splitDocuments(text []byte) [][]byte {
	var documents [][]byte

	start, offset := 0, 0

	for line := range bytes.Lines(text) {
		if offset > start && isSeparator(line) {
			documents = append(documents, text[start:offset])
			start = offset
		}

		offset += len(line)
	}

	return append(documents, text[start:])
}

func isSeparator(line []byte) bool {
	rest, ok := bytes.CutPrefix(line, []byte("---"))

	return ok && (len(rest) == 0 || bytes.ContainsAny(rest[:1], " \t\r\n"))
}

func readSection(text []byte, line int) (*section, error) {
	s := &section{text: text}

	var document yaml.Node

	err := yaml.NewDecoder(bytes.NewReader(text)).Decode(&document)

	switch {
	case errors.Is(err, io.EOF):
		return s, nil
	case err != nil:
		return nil, fmt.Errorf("the machine config is not YAML%s", atLine(err, line))
	case len(document.Content) == 0 || document.Content[0].Tag == "!!null":
		return s, nil
	case document.Content[0].Kind != yaml.MappingNode:
		return nil, fmt.Errorf("the machine config has a document at line %d that is not a mapping: give a Talos machine config", line)
	}

	s.node = &document
	root := document.Content[0]
	s.kind, s.name = scalarOf(root, "kind"), scalarOf(root, "name")
	s.directs = hasDirective(root)

	if s.kind == "" && (lookup(root, "machine") != nil || lookup(root, "cluster") != nil) {
		s.kind = v1alpha1.Version
	}

	return s, nil
}

// lineOf finds the place in an error of the YAML parser: L2.C5, or L1.C10-L2.C1 for the end of a range.
var lineOf = regexp.MustCompile(`L(\d+)\.C\d+:`)

// atLine takes the line out of an error of the YAML parser, whose text may quote the config.
func atLine(err error, first int) string {
	match := lineOf.FindStringSubmatch(err.Error())
	if match == nil {
		return ""
	}

	line, err := strconv.Atoi(match[1])
	if err != nil {
		return ""
	}

	return fmt.Sprintf(" at line %d", first+line-1)
}

// checkForeign refuses files that are often at hand where a machine config is wanted.
func (s *stream) checkForeign() error {
	legacy := 0

	for _, section := range s.sections {
		if section.node == nil {
			continue
		}

		root := section.node.Content[0]

		switch {
		case lookup(root, "sops") != nil:
			return errors.New("the machine config is encrypted with SOPS: decrypt it first, for example with sops -d FILE | talos-tsbridge apply -")
		case section.kind == "Config" && lookup(root, "clusters") != nil:
			return errors.New("this is a kubeconfig, not a machine config: give controlplane.yaml or worker.yaml")
		case lookup(root, "contexts") != nil && section.kind == "":
			return errors.New("this is a talosconfig, not a machine config: give controlplane.yaml or worker.yaml")
		case section.kind == v1alpha1.Version && !section.directs:
			legacy++
		}
	}

	if legacy > 1 {
		return errors.New("the machine config has two documents with machine: or cluster: (v1alpha1): give one config at a time")
	}

	return nil
}

// load has Talos read the documents that it knows.
func (s *stream) load() error {
	var documents []config.Document

	for _, section := range s.sections {
		if section.node == nil {
			continue
		}

		loaded, err := configloader.NewFromBytes(section.text, configloader.WithAllowPatchDelete(), configloader.WithNoValidation())

		switch {
		case err == nil:
			documents = append(documents, loaded.Documents()...)
		case !strings.Contains(err.Error(), "not registered"): // a newer Talos may know it
			return fmt.Errorf("talos does not read the machine config: %s", tidy(err))
		}
	}

	if len(documents) == 0 {
		return errors.New("the machine config is empty: give controlplane.yaml or worker.yaml")
	}

	provider, err := container.New(documents...)
	if err != nil {
		return fmt.Errorf("talos refuses the machine config: %s", tidy(err))
	}

	s.provider = provider

	return nil
}

// separated returns the text of a document so that another can precede it.
func separated(text []byte) []byte {
	if firstLine, _, _ := bytes.Cut(text, []byte("\n")); !isSeparator(firstLine) {
		text = append([]byte("---\n"), text...)
	}

	if !bytes.HasSuffix(text, []byte("\n")) {
		text = append(slices.Clone(text), '\n')
	}

	return text
}

var (
	// quoted is what errors of YAML quote of a config.
	quoted = regexp.MustCompile("`[^`]*`")
	// unknownKeys is how Talos lists keys that it does not know: as YAML, with their values.
	unknownKeys = regexp.MustCompile(`(?s)(unknown keys found during decoding:)(.*)`)
	// keys are the keys of YAML in block style.
	keys = regexp.MustCompile(`(?m)^[\s-]*([A-Za-z0-9_.-]+):`)
	// count is how a list of errors begins.
	count = regexp.MustCompile(`\d+ errors? occurred:`)
)

// tidy puts an error of Talos on one line and takes out what it repeats of the config.
func tidy(err error) string {
	text := quoted.ReplaceAllString(err.Error(), "...")
	text = count.ReplaceAllString(text, "")

	if match := unknownKeys.FindStringSubmatch(text); match != nil {
		var names []string
		for _, key := range keys.FindAllStringSubmatch(match[2], -1) {
			names = append(names, key[1])
		}

		text = strings.Replace(text, match[0], match[1]+" "+strings.Join(names, "."), 1)
	}

	var faults []string

	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), "*")); line != "" {
			faults = append(faults, line)
		}
	}

	return strings.ReplaceAll(strings.Join(faults, "; "), ":; ", ": ")
}

// find returns the document of the kind and name that can be changed, or nil.
func (s *stream) find(kind, name string) *section {
	for _, section := range s.sections {
		if section.kind == kind && section.name == name && !section.directs {
			return section
		}
	}

	return nil
}

// replace sets the text of a document, keeping the line that separates it.
func (s *section) replace(text []byte) {
	firstLine, _, _ := bytes.Cut(s.text, []byte("\n"))
	if !isSeparator(firstLine) {
		s.text = text

		return
	}

	separator := []byte("---")
	if rest := bytes.TrimSpace(firstLine[len("---"):]); len(rest) == 0 || rest[0] == '#' {
		separator = bytes.TrimRight(firstLine, "\r")
	}

	s.text = slices.Concat(separator, []byte("\n"), text)
}

// add appends a document.
func (s *stream) add(text []byte) {
	if last := s.sections[len(s.sections)-1]; !bytes.HasSuffix(last.text, []byte("\n")) {
		last.text = append(slices.Clone(last.text), '\n')
	}

	s.sections = append(s.sections, &section{text: separated(text)})
}

// bytes returns the stream in the form that it was read in.
func (s *stream) bytes() []byte {
	var text []byte

	if s.bom {
		text = append(text, utf8BOM...)
	}

	for _, section := range s.sections {
		part := section.text
		if s.windows {
			part = bytes.ReplaceAll(bytes.ReplaceAll(part, []byte("\r\n"), []byte("\n")), []byte("\n"), []byte("\r\n"))
		}

		text = append(text, part...)
	}

	return text
}
