#!/bin/sh
# Prints the patch for a worker on the LAN 192.168.1.0/24 that routes that LAN for the tailnet, with the key in a file of the
# service. Use it as
#   ./run.sh | talosctl gen config mycluster https://192.168.1.10:6443 --config-patch-worker @/dev/stdin
exec talos-tsbridge \
	--role worker \
	--auth-key-mount /etc/tailscale/authkey \
	--hostname lab-worker-1 \
	--advertise-tags k8s \
	--advertise-routes 192.168.1.0/24 \
	--node-ip-subnet 192.168.1.0/24
