package fleet

// Diff returns what changes in the machine config of the node, as [patch.Applied.Diff] shows it: values stand in it only where
// they are of the patch and no secrets. It is "" where nothing changes, or where nothing is known of the config.
func (r NodeReport) Diff() string {
	if r.applied == nil {
		return ""
	}

	return r.applied.Diff(r.Node, r.Node)
}
