package patch

import "strings"

const (
	longestLabel = 63
	longestName  = 253
)

// checkHostname says what is wrong with a hostname, or returns "". The rules are tailscale's: DNS labels of letters,
// digits and dashes, joined by dots.
func checkHostname(name string) string {
	if len(name) > longestName {
		return "is too long for a DNS name"
	}

	for label := range strings.SplitSeq(name, ".") {
		switch {
		case label == "":
			return "has an empty label"
		case len(label) > longestLabel:
			return "has a label that is too long"
		case !onlyLabelCharacters(label):
			return "contains a character that no DNS label has"
		case label[0] == '-' || label[len(label)-1] == '-':
			return "has a label that starts or ends with a dash"
		}
	}

	return ""
}

const labelCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

func onlyLabelCharacters(label string) bool {
	return !strings.ContainsFunc(label, func(r rune) bool { return r != '-' && !strings.ContainsRune(labelCharacters, r) })
}
