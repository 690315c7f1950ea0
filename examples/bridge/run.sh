#!/bin/sh
# Gives each node of bridge.yaml its patch by a command, with a key of its own. Nodes that run already, or wait for their first
# config, need no command: "talos-tsbridge up" beside this file brings them to the tailnet, and keeps their keys off their disks.
set -eu
talos-tsbridge exec -f bridge.yaml --quiet -- \
	talosctl apply-config --nodes '{{.Address}}' --file '{{.Role}}.yaml' --config-patch @-
