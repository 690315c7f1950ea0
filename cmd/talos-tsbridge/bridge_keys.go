package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/siderolabs/go-pointer"
	"github.com/spf13/pflag"

	"github.com/talos-tsbridge/talos-tsbridge/fleet"
	"github.com/talos-tsbridge/talos-tsbridge/tailnet"
)

// setKeys finds where the keys of the nodes come from, and reads those that are there already. Flags come over what the
// file says. Nothing is minted.
func (p *program) setKeys(ctx context.Context, plan *fleetPlan, flags *patchFlags, given *pflag.FlagSet) error {
	keys := &nodeKeys{nodes: make([]fleet.Keys, plan.Len())}
	plan.keys, plan.single, plan.forOne = keys, map[string]int{}, map[*fleet.Node]bool{}

	mintings := map[keyRequest]*minting{}
	ofTailnet := map[string]*minting{} // the first of each, whose access token the others share
	read := map[string]fleet.Keys{}
	forOne := map[string]bool{}

	for i := range plan.Len() {
		wanted := flags.keyRequest()
		wanted.keyFlags = mergeKeyFlags(flags.key, plan.Key(i), given)
		wanted.advertised, wanted.hostname = strings.Join(plan.Settings(i).AdvertiseTags, ","), ""

		text := flags.authKey
		if text == "" {
			text = plan.Key(i).Source
		}

		source, err := p.keySource(text)

		switch {
		case err != nil && text == "" && plan.keysLater:
			keys.nodes[i] = noKey{err}

			continue
		case err != nil:
			return usageError{err}
		case source.IsPlaceholder() && plan.keysLater:
			keys.nodes[i] = noKey{errors.New("a placeholder is for patches that something else fills in, and no key")}

			continue
		}

		if source.IsMint() {
			wanted.once = source.IsOnce() && !plan.keysLater // up asks the nodes themselves

			if wanted.replace || wanted.once {
				wanted.hostname = pointer.SafeDeref(plan.Settings(i).Hostname)
			}

			made := mintings[wanted]
			if made == nil {
				made, err = p.newMinting(wanted, ofTailnet[wanted.tailnet])

				if errors.Is(err, tailnet.ErrNoCredentials) && plan.keysLater {
					keys.nodes[i] = noKey{err}

					continue
				}

				if err != nil {
					return err
				}

				mintings[wanted], ofTailnet[wanted.tailnet] = made, made
			}

			keys.nodes[i], plan.forOne[plan.Node(i)] = made, !wanted.reusable

			continue
		}

		name := source.String()

		if read[name] == nil {
			key, err := p.readKey(ctx, flags, source)
			if err != nil {
				return err
			}

			read[name] = fleet.GivenKey(key, wanted.reusable || !isForOne(key))
			forOne[name] = isForOne(key) && !wanted.reusable
		}

		if forOne[name] {
			plan.single[name]++
			plan.forOne[plan.Node(i)] = true
		}

		keys.nodes[i] = read[name]
	}

	return nil
}

// mergeKeyFlags returns the flags with what the file says in place of those that were not given.
func mergeKeyFlags(flags keyFlags, file fleet.Key, given *pflag.FlagSet) keyFlags {
	for name, use := range map[string]func(){
		"key-tags":          func() { flags.tags = strings.Join(file.Tags, ",") },
		"key-expiry":        func() { setIf(&flags.expiry, file.Expiry != 0, time.Duration(file.Expiry)) },
		"key-reusable":      func() { setIf(&flags.reusable, file.Reusable != nil, pointer.SafeDeref(file.Reusable)) },
		"key-ephemeral":     func() { setIf(&flags.ephemeral, file.Ephemeral != nil, pointer.SafeDeref(file.Ephemeral)) },
		"key-preauthorized": func() { setIf(&flags.preauthorized, file.Preauthorized != nil, pointer.SafeDeref(file.Preauthorized)) },
		"key-description":   func() { setIf(&flags.description, file.Description != "", file.Description) },
		"tailnet":           func() { setIf(&flags.tailnet, file.Tailnet != "", file.Tailnet) },
	} {
		if !given.Changed(name) {
			use()
		}
	}

	return flags
}

func setIf[T any](into *T, is bool, value T) {
	if is {
		*into = value
	}
}

// nodeKeys are keys with a source for each node.
type nodeKeys struct{ nodes []fleet.Keys }

func (k *nodeKeys) Lease(ctx context.Context, node int) (fleet.Lease, error) {
	lease, err := k.nodes[node].Lease(ctx, node)
	if guard, ok := errors.AsType[*tailnet.GuardError](err); ok {
		return nil, refuseReplace(guard)
	}

	return lease, err
}

// Check implements [fleet.CheckedKeys].
func (k *nodeKeys) Check(node int) error {
	if checked, ok := k.nodes[node].(fleet.CheckedKeys); ok {
		return checked.Check(node)
	}

	return nil
}

// noKey is for nodes that may turn out to need none.
type noKey struct{ err error }

// Check implements [fleet.CheckedKeys].
func (k noKey) Check(int) error { return k.err }

func (k noKey) Lease(context.Context, int) (fleet.Lease, error) { return nil, k.err }
