package fleet

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"strings"

	"github.com/siderolabs/go-pointer"

	"github.com/talos-tsbridge/talos-tsbridge/authkey"
	"github.com/talos-tsbridge/talos-tsbridge/internal/machineconfig"
	"github.com/talos-tsbridge/talos-tsbridge/patch"
)

// desired makes the machine configs that bring one node to what the plan says, out of the one that it has.
type desired struct {
	settings patch.Settings
	unset    []string
	config   *patch.Config
	// before is the config on the node's disk, or the one that the node is to be installed with.
	before []byte
	// applied is what makes of it the config that the node is to have in the end, without a key, and final that config.
	applied *patch.Applied
	final   []byte
	// beforeTree and finalTree are these configs as they are written, and inBefore and inFinal the variables of the service in them,
	// nil where there is no document of it.
	beforeTree, finalTree tree
	inBefore, inFinal     map[string]string
}

// desire applies the settings to a config. The config says the contract: what the file says of it is for configs that are
// generated.
//
// The key that is in it goes, unless it is to be kept.
func desire(settings patch.Settings, unset []string, before []byte, keepKey bool) (*desired, error) {
	settings.TalosVersion = nil

	config, err := patch.ParseConfig(before)
	if err != nil {
		return nil, err
	}

	d := &desired{settings: settings, unset: unset, config: config, before: config.Bytes()}
	d.beforeTree = readTree(d.before)
	d.inBefore = d.beforeTree.environment()

	if kept := d.inBefore[authkey.EnvAuthKey]; keepKey && kept != "" {
		if settings.AuthKey, err = authkey.Parse(kept, authkey.AllowClientSecret()); err != nil {
			return nil, errors.New("the key that is to be kept cannot be read: it is in a file of the service, or no key")
		}

		d.applied, err = d.apply(settings)
	} else {
		d.applied, err = d.applyWithoutKey(settings)
	}

	if err != nil {
		return nil, err
	}

	d.final = d.applied.Bytes()
	d.finalTree, d.inFinal = d.beforeTree, d.inBefore

	if d.changed() {
		d.finalTree = readTree(d.final)
		d.inFinal = d.finalTree.environment()
	}

	return d, nil
}

// environment returns the variables of the service in a config, which most often is the one of before.
func (d *desired) environment(config []byte) map[string]string {
	if bytes.Equal(config, d.before) {
		return d.inBefore
	}

	return environmentOf(config)
}

// applyWithoutKey takes every way to log in out of the config, with the files that hold the secrets.
func (d *desired) applyWithoutKey(settings patch.Settings) (*patch.Applied, error) {
	return d.apply(settings, patch.WithoutAuthKey())
}

// apply applies the settings. Without a key in them, the config keeps its own.
func (d *desired) apply(settings patch.Settings, more ...patch.Option) (*patch.Applied, error) {
	if settings.AuthKey.IsZero() {
		settings.AuthKeyMount = nil // there is nothing to put there
	}

	made, err := patch.New(append(more, patch.WithSettings(settings), patch.WithUnset(d.unset...), patch.WithTarget(d.config))...)
	if err != nil {
		return nil, err
	}

	return made.Apply(d.config)
}

// onlyKeyGoes reports whether the config differs from the final one by its key alone.
func (d *desired) onlyKeyGoes() bool {
	if !d.changed() {
		return false
	}

	kept, err := d.apply(d.settings)

	return err == nil && !kept.Changed()
}

// changed reports whether the node has anything else than what it is to have.
func (d *desired) changed() bool { return !bytes.Equal(d.before, d.final) }

// withKey is the final config with a key in it.
func (d *desired) withKey(key authkey.Key) ([]byte, error) {
	settings := d.settings
	settings.AuthKey = key

	applied, err := d.apply(settings)
	if err != nil {
		return nil, err
	}

	return applied.Bytes(), nil
}

// login is the final config for one start of the service that logs in again on the state that the node has, which brings
// changed arguments of tailscale up into force: containerboot passes them by while auth-once is on.
func (d *desired) login() ([]byte, error) {
	settings := d.settings
	settings.AuthOnce = pointer.To(false)

	if !slices.Contains(settings.ExtraArgs, resetArgument) {
		settings.ExtraArgs = append(slices.Clone(settings.ExtraArgs), resetArgument)
	}

	applied, err := d.applyWithoutKey(settings)
	if err != nil {
		return nil, err
	}

	return applied.Bytes(), nil
}

// resetArgument lets tailscale up take flags away that it was given before; without it, it refuses to run.
const resetArgument = "--reset"

// withoutService is the final config with the service as it was: everything else that is to change, does.
func (d *desired) withoutService() ([]byte, error) {
	final, err := machineconfig.Parse(d.final)
	if err != nil {
		return nil, err
	}

	old, document := d.beforeTree.service(), tree{final}.service()
	if document == nil {
		return d.final, nil
	}

	edit := final.Edit()

	if old == nil {
		edit.RemoveDocument(document)

		return edit.Bytes()
	}

	for _, field := range []string{environmentField, filesField} {
		if value := old.Get(field); value != nil {
			edit.Set(document, value, field)
		} else {
			edit.Remove(document, field)
		}
	}

	return edit.Bytes()
}

// withoutServiceDocument is the final config without the service's document.
func (d *desired) withoutServiceDocument() ([]byte, error) {
	final, err := machineconfig.Parse(d.final)
	if err != nil {
		return nil, err
	}

	document := tree{final}.service()
	if document == nil {
		return d.final, nil
	}

	edit := final.Edit()
	edit.RemoveDocument(document)

	return edit.Bytes()
}

const (
	serviceKind      = "ExtensionServiceConfig"
	environmentField = "environment"
	filesField       = "configFiles"
)

// loginNeeded reports whether the device has to log in again for the final config to be true of it: its arguments
// changed, or something is no longer said that containerboot takes back by no other way.
func loginNeeded(inForce, final map[string]string) bool {
	if final["TS_AUTH_ONCE"] != "true" {
		return false // it logs in at each start
	}

	if arguments(inForce["TS_EXTRA_ARGS"]) != arguments(final["TS_EXTRA_ARGS"]) {
		return true
	}

	for _, name := range []string{"TS_HOSTNAME", "TS_ROUTES", "TS_ACCEPT_DNS"} {
		_, had := inForce[name]
		if _, has := final[name]; had && !has {
			return true
		}
	}

	return false
}

// arguments are those of tailscale up in an order of their own, which theirs does not matter to.
func arguments(text string) string {
	fields := strings.Fields(text)
	fields = slices.DeleteFunc(fields, func(argument string) bool { return argument == resetArgument })
	slices.Sort(fields)

	return strings.Join(fields, " ")
}

// sameTree reports whether two documents say the same.
func sameTree(a, b *machineconfig.Document) bool {
	var left, right any

	if a.Root.Decode(&left) != nil || b.Root.Decode(&right) != nil {
		return false
	}

	return reflect.DeepEqual(left, right)
}
