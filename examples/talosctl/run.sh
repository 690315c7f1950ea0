#!/bin/sh
# A cluster whose nodes join the tailnet as they are installed. exec gives talosctl a pipe with the patch in place of each @-,
# and mints a key for each: nothing is written to a disk but what talosctl writes itself.
set -eu
talos-tsbridge exec \
	--auth-key mint --key-reusable --key-expiry 30m \
	--advertise-tags tag:k8s \
	--node-ip-subnet 192.168.1.0/24 \
	-- talosctl gen config mycluster https://192.168.1.10:6443 \
	--config-patch-control-plane @- --config-patch-worker @-
