package containerboot

import "strings"

// LongestLabel is how many characters a label of a hostname may have.
const LongestLabel = 63

const longestName = 253

// CheckHostname says what is wrong with a hostname, or returns "". The rules are tailscale's: DNS labels of letters,
// digits and dashes, joined by dots.
func CheckHostname(name string) string {
	if len(name) > longestName {
		return "is too long for a DNS name"
	}

	for label := range strings.SplitSeq(name, ".") {
		switch {
		case label == "":
			return "has an empty label"
		case len(label) > LongestLabel:
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
