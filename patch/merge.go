package patch

import (
	"github.com/siderolabs/talos/pkg/machinery/config/config"

	"github.com/talos-tsbridge/talos-tsbridge/internal/machineconfig"
)

// merging is a patch on its way into a machine config.
type merging struct {
	config   *Config
	edit     *machineconfig.Edit
	redacted bool
}

// find returns the document of a kind and name that can be changed, or nil.
func (m *merging) find(kind, name string) *machineconfig.Document {
	return m.config.file.Find(kind, name)
}

// findDocument returns the typed form of a document that can be changed, or nil.
func findDocument[T config.Document](m *merging, kind, name string) (found T, err error) {
	d := m.find(kind, name)
	if d == nil {
		return found, nil
	}

	if typed, ok := m.config.loaded.documents[d].(T); ok {
		return typed, nil
	}

	return found, &ConfigError{Code: ConfigUnreadable, Document: documentName(d), Line: d.Line, Reason: "talos does not read this document"}
}

// setLegacy sets a field of the v1alpha1 config.
func (m *merging) setLegacy(value any, path ...any) error {
	m.edit.Set(m.find(machineconfig.Legacy, ""), value, path...)

	return nil
}

// add appends a document.
func (m *merging) add(document config.Document) error {
	text, err := encode("", []config.Document{document}, nil)
	if err == nil {
		m.edit.AddDocument(text)
	}

	return err
}
