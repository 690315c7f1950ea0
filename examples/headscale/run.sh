#!/bin/sh
# The patch for a node of a tailnet that Headscale (0.30 or newer) runs. Its address is needed twice: where the key is minted,
# and where the node logs in.
set -eu
: "${TAILSCALE_BASE_URL:=https://headscale.example.com}"
export TAILSCALE_BASE_URL
talos-tsbridge --auth-key mint --key-tags tag:k8s \
	--login-server https://headscale.example.com \
	--hostname lab-worker-1 \
	--node-ip-subnet 192.168.1.0/24
