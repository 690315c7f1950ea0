# Machine configs with a patch a node, none of it in state: what comes in is ephemeral, what goes to the node is write-only.
terraform {
  required_version = ">= 1.11"
  required_providers {
    talos = { source = "siderolabs/talos", version = ">= 0.11" }
  }
}

# node -> patch, as talos-tsbridge patch --format json prints them
variable "patches" {
  type      = map(string)
  ephemeral = true
}

# machine_secrets and client_configuration of the cluster as JSON, from the secret manager that keeps them
variable "cluster_secrets" {
  type      = string
  ephemeral = true
}

variable "nodes" {
  type = map(object({ address = string, role = string }))
  default = {
    lab-cp-1     = { address = "192.168.1.10", role = "controlplane" }
    lab-worker-1 = { address = "192.168.1.11", role = "worker" }
  }
}

locals {
  cluster = jsondecode(var.cluster_secrets)
}

ephemeral "talos_machine_configuration" "node" {
  for_each = var.nodes

  cluster_name     = "mycluster"
  cluster_endpoint = "https://192.168.1.10:6443"
  talos_version    = "v1.13" # the newest that release 0.11 knows; Talos 1.14 takes it too
  machine_type     = each.value.role
  machine_secrets  = local.cluster.machine_secrets
  config_patches   = [var.patches[each.key]]
}

resource "talos_machine_configuration_apply" "node" {
  for_each = var.nodes

  node                           = each.value.address
  client_configuration_wo        = local.cluster.client_configuration
  machine_configuration_input_wo = ephemeral.talos_machine_configuration.node[each.key].machine_configuration
}
