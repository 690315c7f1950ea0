#!/bin/sh
# Prints the patch for all nodes of a cluster whose pods reach a Vault on the tailnet by its MagicDNS name, which is also the
# name in its certificate ("tailscale cert vault.tail1234.ts.net" on its machine). Talos 1.14 or newer answers for it, on the
# node that CoreDNS happens to run on; nothing is installed in the cluster. Use it as
#   ./run.sh | talosctl gen config mycluster https://192.168.1.10:6443 --config-patch @/dev/stdin
# and see in a pod:
#   kubectl run -it --rm --restart=Never --image=alpine try -- wget -qO- https://vault.tail1234.ts.net:8200/v1/sys/health
#
# Both addresses of the device are given, since Alpine finds no name of which the nameservers deny one. With API credentials in
# the environment, --static-hosts-from tag:vault looks them up instead; either way they are a copy, to be made again when the
# device is registered anew.
exec talos-tsbridge \
	--advertise-tags k8s \
	--node-ip-subnet 192.168.1.0/24 \
	--static-host vault.tail1234.ts.net=100.82.13.87,fd7a:115c:a1e0::d537:d57
