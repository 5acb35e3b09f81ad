# The servers of one zone (../machines.tf).

variable "name" {
  type = string
}

variable "zone" {
  type = string
}

variable "size" {
  type = number
}

variable "template" {
  type        = string
  description = "The instance template; a new one replaces the VMs"
}

variable "health_check" {
  type        = string
  description = "A VM that fails it is made anew"
}

resource "google_compute_instance_group_manager" "servers" {
  name               = "${var.name}-servers-${var.zone}"
  zone               = var.zone
  base_instance_name = "${var.name}-server"
  target_size        = var.size
  version {
    instance_template = var.template
  }
  auto_healing_policies {
    health_check      = var.health_check
    initial_delay_sec = 300
  }
  # One after another: first a new server, which answers; then an old one leaves the load balancer, its connections have
  # 30 s to end, and it goes.
  update_policy {
    type                           = "PROACTIVE"
    minimal_action                 = "REPLACE"
    most_disruptive_allowed_action = "REPLACE"
    replacement_method             = "SUBSTITUTE"
    max_surge_fixed                = 1
    max_unavailable_fixed          = 0
  }
  # The next zone's turn comes when all VMs of this one run the template and answer. Where a new one does not, the old
  # ones serve on, and the apply fails after the time below.
  wait_for_instances        = true
  wait_for_instances_status = "UPDATED"
  timeouts {
    create = "${25 + 5 * var.size}m"
    update = "${25 + 5 * var.size}m"
  }
  # A load balancer lets go of a group only after it has another.
  lifecycle {
    create_before_destroy = true
  }
}

output "group" {
  value = google_compute_instance_group_manager.servers.instance_group
}
