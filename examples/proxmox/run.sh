#!/bin/sh
# Makes the virtual machines of nodes.txt (ID, name, MAC address, and the address that DHCP gives to it) and installs Talos on
# them with worker.yaml. Each node gets its patch, with a key of its own, before its first boot from disk. The key is in
# memory here, in the node's memory, and in the machine config on the node's disk, where it is used up a minute later.
set -eu
iso=${ISO:-local:iso/talos-tailscale-v1.14.1.iso} # see README.md
config=${CONFIG:-worker.yaml}                      # from talosctl gen config

while read -r id name mac address <&3; do
	qm create "$id" --name "$name" --cpu host --cores 2 --memory 4096 --scsihw virtio-scsi-single \
		--net0 "virtio=$mac,bridge=vmbr0" --scsi0 local-lvm:32 --cdrom "$iso" --boot 'order=scsi0;ide2'
	qm start "$id"

	# Talos boots from the ISO into maintenance mode, where it waits for a config
	until talosctl get disks --insecure --nodes "$address"; do sleep 2; done

	talos-tsbridge exec --auth-key mint --key-expiry 15m \
		--advertise-tags tag:k8s --hostname "$name" --node-ip-subnet 192.168.1.0/24 \
		-- talosctl apply-config --insecure --nodes "$address" --file "$config" --config-patch @-
done 3< nodes.txt
