#!/bin/sh
# What is in git: patch.yaml, in which ${TS_AUTHKEY} stands for the key, and secrets.sops.yaml, which holds it encrypted. The
# machine that applies them puts the two together in memory.
# shellcheck disable=SC2016 # the key is put in later, by the shell that sops starts
set -eu

# once, and again when a flag changes; the result is committed
talos-tsbridge --auth-key 'placeholder:${TS_AUTHKEY}' \
	--advertise-tags tag:k8s --hostname lab-worker-1 --node-ip-subnet 192.168.1.0/24 \
	-o patch.yaml

# at each deployment; talosctl reads the patch from a pipe, and would take an empty one for none: so it begins when the patch is there
sops exec-env secrets.sops.yaml 'patch=$(envsubst "\$TS_AUTHKEY" < patch.yaml) &&
	printf "%s\n" "$patch" | talosctl machineconfig patch worker.yaml --patch @/dev/stdin'
