output "servers" {
  description = "What kvs-client and every memcached client inside the network take"
  value       = "${google_compute_address.kvs.address}:${var.port}"
}

output "client_shell" {
  value = "gcloud compute ssh ${google_compute_instance.client.name} --zone=${local.zone} --project=${var.project} --tunnel-through-iap"
}
