package patch

import (
	"bytes"
	"errors"

	"github.com/talos-tsbridge/talos-tsbridge/internal/machineconfig"
)

// unreadableTexts are what a file begins with that has to become a machine config first.
var unreadableTexts = []struct {
	begin  string
	code   ConfigCode
	reason string
}{
	{"\x1f\x8b", ConfigForeign, "it is compressed: decompress it first, for example with gzip -dc FILE | talos-tsbridge apply -"},
	{"age-encryption.org/", ConfigEncrypted, "it is encrypted with age: decrypt it first, for example with age -d FILE | talos-tsbridge apply -"},
	{"-----BEGIN AGE ENCRYPTED FILE-----", ConfigEncrypted, "it is encrypted with age: decrypt it first, for example with age -d FILE | talos-tsbridge apply -"},
	{"-----BEGIN PGP MESSAGE-----", ConfigEncrypted, "it is encrypted with PGP: decrypt it first, for example with gpg -d FILE | talos-tsbridge apply -"},
	{"$ANSIBLE_VAULT;", ConfigEncrypted, "it is encrypted with Ansible Vault: decrypt it first, for example with ansible-vault view FILE | talos-tsbridge apply -"},
	{"\x00GITCRYPT\x00", ConfigEncrypted, "it is encrypted with git-crypt: decrypt it first, with git-crypt unlock"},
}

// checkText refuses a text that cannot be read as it is, and says what has to be done with it first.
func checkText(text []byte) error {
	for _, unreadable := range unreadableTexts {
		if bytes.HasPrefix(text, []byte(unreadable.begin)) {
			return &ConfigError{Code: unreadable.code, Reason: unreadable.reason}
		}
	}

	return nil
}

// explainSyntax says what a text that is not YAML, or not of Talos's, may be: a template that nothing rendered, or several resources
// in JSON.
func explainSyntax(text []byte, err error) error {
	fault, ok := errors.AsType[*ConfigError](err)
	if !ok || fault.Line == 0 || fault.Code != ConfigSyntax && fault.Code != ConfigUnreadable {
		return err
	}

	// the parser may notice a line later
	lines := bytes.Split(text, []byte("\n"))
	around := bytes.Join(lines[max(0, min(fault.Line-2, len(lines))):min(fault.Line, len(lines))], nil)

	switch {
	case bytes.Contains(around, []byte("{{")) || bytes.Contains(around, []byte("{%")):
		fault.Reason = "a template that nothing rendered: render it first"
	case bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) && bytes.Contains(text, []byte(resourceType)):
		fault.Code, fault.Reason = ConfigForeign, "several resources in JSON: give what talosctl get machineconfig -o yaml prints"
	}

	return err
}

// parseFile reads a text.
func parseFile(text []byte) (*machineconfig.File, error) {
	if err := checkText(text); err != nil {
		return nil, err
	}

	file, err := machineconfig.Parse(text)
	if err != nil {
		return nil, explainSyntax(text, configError(err))
	}

	return file, nil
}
