package patch

import (
	"slices"
	"strings"

	"github.com/aymanbagabas/go-udiff"

	"github.com/talos-tsbridge/talos-tsbridge/authkey"
	"github.com/talos-tsbridge/talos-tsbridge/internal/lazyregexp"
	"github.com/talos-tsbridge/talos-tsbridge/internal/machineconfig"
	"github.com/talos-tsbridge/talos-tsbridge/internal/secret"
)

// Diff returns what the patch changes as a unified diff, "" for nothing. It can be shown: values stand in it only where
// they are the patch's and no secrets, and lines of everything else are their keys and "...". Names are those of the two
// sides.
func (a *Applied) Diff(from, to string) string {
	if !a.Changed() {
		return ""
	}

	fields := a.patch.owned()
	before, after := a.config.file.Masked(fields, shown), a.after.Masked(fields, shown)

	const context = 3

	var edits []udiff.Edit

	changes := a.changedLines(before, after)

	content, offsets := maskedLines(before, func(i int) bool {
		return slices.ContainsFunc(changes, func(c lineChange) bool { return i >= c.from-context && i < c.fromEnd+context })
	})

	for _, c := range changes {
		var text strings.Builder
		for i := c.to; i < c.toEnd; i++ {
			text.WriteString(after.Line(i) + "\n")
		}

		edits = append(edits, udiff.Edit{Start: offsets[c.from], End: offsets[c.fromEnd], New: text.String()})
	}

	diff, err := udiff.ToUnified(from, to, content, edits, context)
	if err != nil { // the edits are in their order, and within the content
		return ""
	}

	return diff
}

// maskedLines returns the lines that are wanted, the others empty, and where each begins.
func maskedLines(m *machineconfig.Masked, wanted func(int) bool) (string, []int) {
	var b strings.Builder

	offsets := []int{0}

	for i := range m.Count() {
		if wanted(i) {
			b.WriteString(m.Line(i))
		}

		b.WriteByte('\n')

		offsets = append(offsets, b.Len())
	}

	return b.String(), offsets
}

// lineChange is lines of a text that take the place of lines of another.
type lineChange struct{ from, fromEnd, to, toEnd int }

// changedLines returns which lines change, as whole lines.
func (a *Applied) changedLines(before, after *machineconfig.Masked) []lineChange {
	var changes []lineChange

	grown := 0 // how much longer the text is up to here

	for _, s := range a.splices {
		start, end := s.Start+grown, s.Start+grown+len(s.Text)
		grown += len(s.Text) - (s.End - s.Start)

		c := lineChange{before.LineOf(s.Start), endLine(before, s.Start, s.End), after.LineOf(start), endLine(after, start, end)}

		// a change within a line is one of the line
		if isWhole := before.IsLineStart(s.Start) && (s.Start == s.End || before.IsLineStart(s.End)) && after.IsLineStart(end); !isWhole {
			c.fromEnd, c.toEnd = max(c.fromEnd, c.from+1), max(c.toEnd, c.to+1)
		}

		if last := len(changes) - 1; last >= 0 && (c.from < changes[last].fromEnd || c.to < changes[last].toEnd) {
			changes[last].fromEnd, changes[last].toEnd = max(c.fromEnd, changes[last].fromEnd), max(c.toEnd, changes[last].toEnd)
		} else {
			changes = append(changes, c)
		}
	}

	for i := range changes {
		changes[i].fromEnd, changes[i].toEnd = min(changes[i].fromEnd, before.Count()), min(changes[i].toEnd, after.Count())
	}

	return changes
}

// endLine returns the line behind a part of a text, or the one that it begins on where it is whole lines.
func endLine(m *machineconfig.Masked, start, end int) int {
	line := m.LineOf(end)
	if start == end || m.IsLineStart(end) {
		return line
	}

	return line + 1
}

// shownVariables are variables of the service whose values are no secrets.
var shownVariables = []string{
	"TS_AUTH_ONCE", "TS_STATE_DIR", "TS_HOSTNAME", "TS_ROUTES", "TS_ACCEPT_DNS", "TS_USERSPACE", "TS_TAILSCALED_EXTRA_ARGS", "TS_SERVE_CONFIG", "TS_DEST_IP",
	"TS_ENABLE_METRICS", "TS_ENABLE_HEALTH_CHECK", "TS_LOCAL_ADDR_PORT", "TS_DEBUG_ADDR_PORT", "TS_SOCKS5_SERVER", "TS_OUTBOUND_HTTP_PROXY_LISTEN", "TS_BOOT_TIMEOUT",
	"TS_TAILNET_TARGET_IP", "TS_TAILNET_TARGET_FQDN", "TS_EXPERIMENTAL_DEST_DNS_NAME", "TS_DISABLE_PORTMAPPER", "TS_NO_LOGS_NO_SUPPORT",
}

// shownArgument is an argument of tailscale up that is no secret: no key, and nothing with a password in it.
var shownArgument = lazyregexp.New(`^--?[a-z-]+(=[A-Za-z0-9._:/,-]*)?$`)

// shownText is what values of our fields look like that are no secrets: addresses, subnets, names, images.
var shownText = lazyregexp.New(`^!?[A-Za-z0-9._:/-]{0,253}(@sha256:[0-9a-f]{64})?$`)

// shown returns what may be seen of a value of our fields.
func shown(path []any, value string) string {
	const hidden = "..."

	name, assigned, isAssignment := strings.Cut(value, "=")

	switch {
	case len(path) > 0 && path[0] == "configFiles" && path[len(path)-1] != "mountPath":
		return hidden
	case len(path) > 0 && path[0] == "environment" && isAssignment && variableName().MatchString(name):
		return name + "=" + shownValue(name, assigned)
	case len(path) > 0 && path[0] == "environment", !shownText().MatchString(value), secret.Looks(value):
		return hidden
	}

	return value
}

func shownValue(name, value string) string {
	const hidden = "..."

	switch {
	case name == authkey.EnvAuthKey && strings.HasPrefix(value, "file:"):
		return value
	case name == authkey.EnvAuthKey || secret.IsVariable(name):
		return authkey.Redacted
	case secret.Looks(value):
		return hidden
	case slices.Contains(shownVariables, name):
		return value
	case name != "TS_EXTRA_ARGS":
		return hidden
	}

	arguments := strings.Fields(value)
	for i, argument := range arguments {
		flag, _, _ := strings.Cut(strings.TrimLeft(argument, "-"), "=")
		if isSecretFlag := slices.Contains([]string{"auth-key", "authkey", "client-secret", "id-token"}, flag); isSecretFlag || !shownArgument().MatchString(argument) {
			arguments[i] = "--" + hidden
			if isSecretFlag {
				arguments[i] = "--" + flag + "=" + authkey.Redacted
			}
		}
	}

	return strings.Join(arguments, " ")
}
