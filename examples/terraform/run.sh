#!/bin/sh
# Phase one: "./run.sh mint" until the nodes have joined. Phase two, from then on: "./run.sh none", the same without a key.
set -eu
TF_VAR_patches=$(talos-tsbridge patch -f bridge.yaml --auth-key "${1:-mint}" --key-expiry 30m --format json)
export TF_VAR_patches
terraform apply -auto-approve -input=false
