package fleet

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"github.com/talos-tsbridge/talos-tsbridge/internal/lazyregexp"
)

const isEmpty = "is empty: talos-tsbridge init prints an example"

// parseYAML returns the mapping that a text is.
func parseYAML(name string, text []byte) (*yaml.Node, error) {
	if message := unreadable(text); message != "" {
		return nil, Faults{{File: name, Message: message}}
	}

	var first *yaml.Node

	for decoder := yaml.NewDecoder(bytes.NewReader(text)); ; {
		var document yaml.Node

		err := decoder.Decode(&document)

		switch {
		case errors.Is(err, io.EOF) && first == nil:
			return nil, Faults{{File: name, Message: isEmpty}}
		case errors.Is(err, io.EOF):
			return first, nil
		case err != nil:
			return nil, Faults{syntaxFault(name, text, err)}
		case len(document.Content) == 0 || resolved(document.Content[0]).Tag == "!!null": // a --- too many
			continue
		}

		root := resolved(document.Content[0])

		if what := foreign(root); what != "" {
			return nil, Faults{{File: name, Line: root.Line, Column: root.Column, Message: what}}
		}

		if first != nil {
			return nil, Faults{{File: name, Line: document.Line, Column: max(1, document.Column), Message: "is a second document: write one file for one cluster"}}
		}

		first = root
	}
}

// syntaxFault tells where a text is not YAML and why, as far as that can be seen, and nothing of what is there.
func syntaxFault(name string, text []byte, err error) Fault {
	fault := Fault{File: name}

	if failed, ok := errors.AsType[*yaml.LoadError](err); ok {
		fault.Line, fault.Column = failed.Mark.Line, failed.Mark.Column
	}

	if fault.Line == 0 {
		fault.Line, fault.Column = firstNoText(text)
		fault.Message = "a character that YAML does not have: save the file as text in UTF-8"

		return fault
	}

	fault.Message = "is not YAML: " + syntaxHint(linesAround(text, fault.Line))

	return fault
}

// unreadableTexts are what a file begins with that has to become text first.
var unreadableTexts = []struct{ begin, message string }{
	{"\x1f\x8b", "is compressed: decompress it first"},
	{"age-encryption.org/", "is encrypted with age: it holds no secret, and is read as plain text"},
	{"-----BEGIN AGE ENCRYPTED FILE-----", "is encrypted with age: it holds no secret, and is read as plain text"},
	{"-----BEGIN PGP MESSAGE-----", "is encrypted with PGP: it holds no secret, and is read as plain text"},
	{"$ANSIBLE_VAULT;", "is encrypted with Ansible Vault: it holds no secret, and is read as plain text"},
	{"\x00GITCRYPT\x00", "is encrypted with git-crypt: unlock it with git-crypt unlock"},
	{"b0VIM ", "is a swap file of Vim: name the file that it belongs to"},
}

func unreadable(text []byte) string {
	for _, one := range unreadableTexts {
		if bytes.HasPrefix(text, []byte(one.begin)) {
			return one.message
		}
	}

	return ""
}

// firstNoText returns the place of the first character that no text has.
func firstNoText(text []byte) (line, column int) {
	line, column = 1, 1

	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)

		switch {
		case r == utf8.RuneError && size == 1, r < ' ' && !strings.ContainsRune("\t\n\r", r):
			return line, column
		case r == '\n':
			line, column = line+1, 0
		}

		text, column = text[size:], column+1
	}

	return 1, 1
}

// linesAround returns the line that a parser stopped in and the two before it, of which one is often to blame.
func linesAround(text []byte, line int) []string {
	lines := strings.Split(string(text), "\n")
	end := min(line, len(lines))

	return lines[max(0, end-3):end] //nolint:mnd // the line and two
}

// syntaxHints are what people write that is not YAML, as patterns of a line. The first that a line looks like counts, and the
// line that the parser stopped in before those above it.
var syntaxHints = []struct {
	pattern func() *regexp.Regexp
	hint    string
}{
	{lazyregexp.New(`^(<<<<<<<|=======\r?$|>>>>>>>)`), "there are the marks of a merge conflict: resolve it"},
	{lazyregexp.New(`\{\{|\{%`), "a template that nothing rendered: render it first"},
	{lazyregexp.New(`^%`), "leave out the line that begins with %"},
	{lazyregexp.New(`^ *\t`), "a tab: indent with blanks"},
	{lazyregexp.New(`[\[,:-] *![^ ]`), `a value that begins with ! stands in quotes, as "!192.168.1.128/25"`},
	{lazyregexp.New("[\\[,:-] +[@`%]"), "a value that begins with @, % or a backtick stands in quotes"},
	{lazyregexp.New(`[\[{,:] *::`), "a value that begins with a colon stands in quotes"},
	{lazyregexp.New(`[\[,:-] *\*`), "a value that begins with * stands in quotes, unless it is an anchor that stands further up"},
	{lazyregexp.New(`^\s*["\w.-]+ *= *\S|^\s*\[[\w.-]+\]\s*$`), "write NAME: VALUE, with a colon"},
	{lazyregexp.New(`^\s*//`), "a comment begins with #"},
	{lazyregexp.New(`^[^"'#]*: +[^"'#\[{ ][^#]*: `), "a value with a colon and a blank behind it stands in quotes"},
}

func syntaxHint(lines []string) string {
	for i := len(lines) - 1; i >= 0; i-- {
		for _, one := range syntaxHints {
			if one.pattern().MatchString(lines[i]) {
				return one.hint
			}
		}
	}

	return "look at the indentation and the quotes here"
}
