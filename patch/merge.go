package patch

import (
	"fmt"
	"reflect"

	coreconfig "github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/config"
	"github.com/siderolabs/talos/pkg/machinery/config/types/v1alpha1"

	"github.com/siderolabs/go-pointer"

	"github.com/talos-tsbridge/talos-tsbridge/internal/document"
	"github.com/talos-tsbridge/talos-tsbridge/internal/machineconfig"
)

// merging is a patch on its way into a machine config.
type merging struct {
	config   *Config
	edit     *machineconfig.Edit
	contract *coreconfig.VersionContract
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

// legacy returns the v1alpha1 config, as a document and as Talos reads its machine.
func (m *merging) legacy() (*machineconfig.Document, v1alpha1.MachineConfig) {
	legacy := pointer.SafeDeref(m.config.loaded.provider.RawV1Alpha1())

	return m.find(machineconfig.Legacy, ""), pointer.SafeDeref(legacy.MachineConfig)
}

// set sets a field unless it has the value already: then nothing is touched, not even what shares it by an anchor.
func (m *merging) set(d *machineconfig.Document, theirs, ours any, path ...any) {
	if !reflect.DeepEqual(theirs, ours) {
		m.edit.Set(d, ours, path...)
	}
}

// setField sets the one field of a document that is ours. Where there is no such document, it is added.
func setField[T config.Document](m *merging, ours T, field func(T) any, path ...any) error {
	theirs, err := findDocument[T](m, ours.Kind(), "")
	if err != nil {
		return err
	}

	d := m.find(ours.Kind(), "")
	if d == nil {
		return m.add(ours)
	}

	m.set(d, field(theirs), field(ours), path...)

	return nil
}

// add appends a document.
func (m *merging) add(ours config.Document) error {
	text, err := document.Encode("", []config.Document{ours}, nil)
	if err == nil {
		m.edit.AddDocument(text)
	}

	return err
}

func contractFault(format string, args ...any) error {
	return &ConfigError{Code: ConfigContract, Reason: fmt.Sprintf(format, args...)}
}
