package patch

import (
	"slices"
	"strings"

	"github.com/siderolabs/talos/pkg/machinery/config/types/runtime/extensions"

	"github.com/talos-tsbridge/talos-tsbridge/authkey"
	"github.com/talos-tsbridge/talos-tsbridge/internal/containerboot"
)

// keptKey returns the auth key that the node goes on to log in with, and where the machine config has it: a variable, or an argument
// of tailscale up. A key in a file of the service is that of the file; "" is none, or one that cannot be seen.
func (c *composer) keptKey() (text, where string) {
	if c.earlier == nil || !c.AuthKey.IsZero() || c.noAuthKey {
		return "", ""
	}

	for _, name := range []string{authkey.EnvAuthKey, "TS_AUTH_KEY"} {
		if text = c.environment.Get(name); text != "" {
			where = name

			break
		}
	}

	if text == "" {
		text, _ = containerboot.Find(c.arguments, "auth-key")
		where = "--auth-key"
	}

	mount, isFile := strings.CutPrefix(text, "file:")
	if !isFile {
		return text, where
	}

	i := slices.IndexFunc(c.files, func(f extensions.ConfigFile) bool { return f.ConfigFileMountPath == mount })
	if i < 0 {
		return "", ""
	}

	return c.files[i].ConfigFileContent, where
}

// checkKeptKey finds a key of the machine config that would not log in, by the same checks as for one that is given.
func (c *composer) checkKeptKey() {
	text, where := c.keptKey()
	if text == "" {
		return
	}

	key, err := authkey.Parse(text, authkey.AllowClientSecret())
	tags, _ := containerboot.Find(c.arguments, "advertise-tags")

	reason := ""

	switch {
	case err != nil:
		reason = err.Error()
	case key.Kind() == authkey.KindClientSecret && tags == "":
		reason = clientNeedsTags
	default:
		return
	}

	c.faults.add(CodeConfig, where, "the machine config's own auth key (%s): %s; the service would not start: take it out with `unset` %s, or give another one with "+
		"`auth-key`", where, reason, where)
}

// noteKeptKey says what a client secret in the place of a key means for the node.
func (c *composer) noteKeptKey() {
	text, _ := c.keptKey()

	key, err := authkey.Parse(text, authkey.AllowClientSecret())
	if err != nil || key.Kind() != authkey.KindClientSecret {
		return
	}

	ephemeral := ""
	if !strings.Contains(text, "ephemeral=false") {
		ephemeral = ", and without ?ephemeral=false&preauthorized=true behind it the tailnet forgets a node that is away"
	}

	c.notes.add(NoteClientSecret, "the key stays, as the machine config has it, and is an OAuth client secret: it is long-lived, and the node can mint keys with it%s", ephemeral)
}
