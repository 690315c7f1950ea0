package patch

import (
	"errors"
	"fmt"
	"strings"

	"github.com/talos-tsbridge/talos-tsbridge/internal/machineconfig"
)

// ConfigError tells what is wrong with a machine config. It repeats no value of it: only kinds and names of documents,
// paths and lines.
type ConfigError struct {
	Code ConfigCode
	// Document is the kind of the document, with its name, "" for machine: and cluster:. Path is a field of it.
	Document, Path string
	// Line counts from the top of the text, from 1; 0 where no line is to blame.
	Line int
	// Reason says what is wrong, and what to give instead, the names of options in backquotes.
	Reason string
}

// ConfigCode tells what is wrong with a machine config.
type ConfigCode string

// The codes of [ConfigError].
const (
	// ConfigSyntax: the text is not YAML in UTF-8.
	ConfigSyntax ConfigCode = "config-syntax"
	// ConfigForeign: the text is something else than a machine config; the reason says what, and what to give.
	ConfigForeign ConfigCode = "config-foreign"
	// ConfigEncrypted: the text is encrypted.
	ConfigEncrypted ConfigCode = "config-encrypted"
	// ConfigTooLarge: the text or what its aliases expand to is larger than Talos can hold.
	ConfigTooLarge ConfigCode = "config-too-large"
	// ConfigUnreadable: Talos does not read it.
	ConfigUnreadable ConfigCode = "config-unreadable"
	// ConfigContract: it is of another version contract than the patch, or of one before Talos 1.7.
	ConfigContract ConfigCode = "config-contract"
	// ConfigRole: it is for another role than the patch, or for none.
	ConfigRole ConfigCode = "config-role"
	// ConfigShared: what the patch has to change is shared with other places by an anchor.
	ConfigShared ConfigCode = "config-shared"
	// ConfigInvalid: Talos would refuse what the patch makes of it.
	ConfigInvalid ConfigCode = "config-invalid"
	// ConfigUnproven: the result would differ from the config in something that is not the patch's. It is a fault of this
	// package, which then returns nothing.
	ConfigUnproven ConfigCode = "config-unproven"
)

func (e *ConfigError) Error() string { return unquoted(e.message()) }

// message is the text with the names of options in backquotes, as a [Fault] has it.
func (e *ConfigError) message() string {
	where := ""

	switch {
	case e.Document != "" && e.Path != "":
		where = e.Document + ": " + e.Path
	default:
		where = e.Document + e.Path
	}

	if e.Line > 0 {
		line := fmt.Sprintf("line %d", e.Line)
		if where == "" {
			where = line
		} else {
			where += " (" + line + ")"
		}
	}

	if where != "" {
		where = ": " + where
	}

	if reason, ok := strings.CutPrefix(e.Reason, "it "); ok && where == "" {
		return "the machine config " + reason
	}

	if e.Code == ConfigForeign {
		return "no machine config" + where + ": " + e.Reason
	}

	return "the machine config" + where + ": " + e.Reason
}

// configError makes a [*ConfigError] of an error of machineconfig.
func configError(err error) error {
	if err == nil {
		return nil
	}

	if syntax, ok := errors.AsType[*machineconfig.SyntaxError](err); ok {
		return &ConfigError{Code: ConfigSyntax, Line: syntax.Line, Reason: "this is not YAML"}
	}

	if bound, ok := errors.AsType[*machineconfig.BoundError](err); ok {
		return &ConfigError{Code: ConfigTooLarge, Line: bound.Line, Reason: bound.Reason}
	}

	if change, ok := errors.AsType[*machineconfig.ChangeError](err); ok {
		return &ConfigError{Code: ConfigUnproven, Path: change.Path, Line: change.Line, Reason: "would change, which is not ours: this is a fault of talos-tsbridge, please report it without the value"}
	}

	if shared, ok := errors.AsType[*machineconfig.EditError](err); ok {
		return &ConfigError{Code: ConfigShared, Path: shared.Path, Line: shared.Line, Reason: shared.Reason}
	}

	return &ConfigError{Code: ConfigSyntax, Reason: err.Error()}
}
