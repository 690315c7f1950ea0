// Package mint makes Tailscale auth keys that are delivered or revoked.
//
// # How to use
//
// A [Minter] makes keys in a tailnet. A key that it makes is leased: it is revoked unless the program says that it was
// delivered.
//
//	lease, err := minter.Lease(ctx, mint.Options{Tags: []string{"tag:k8s"}})
//	if err != nil {
//		return err
//	}
//	defer func() { err = errors.Join(err, lease.Release(ctx)) }()
//
//	if err := deliver(lease.Key()); err != nil {
//		return err
//	}
//	lease.Keep()
//
// A key is single-use, pre-authorized, not ephemeral and valid for an hour unless [Options] say otherwise.
//
// # What becomes of a key
//
// A creation that got no clear answer is not repeated, since that would leave a second key behind. Instead [Minter.Lease]
// looks for the key by its description, which no other key has, revokes it, and says in its error what it found. Whatever
// could not be revoked is named by an [OrphanError]. [Minter.UnusedKeys] finds keys of earlier runs that can still
// register a node.
//
// # Stability
//
// The texts of errors change; [OrphanError] and the reasons of package tailnet do not, within a major version. Descriptions
// of keys are the text of [Options], a blank and eight characters.
package mint
