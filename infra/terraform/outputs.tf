output "servers" {
  description = "What kvs-client and every memcached client inside the network take"
  value       = "${google_compute_address.kvs.address}:${var.port}"
}

output "client_shell" {
  value = "gcloud compute ssh ${google_compute_instance.client.name} --zone=${local.zone} --project=${var.project} --tunnel-through-iap"
}

output "password" {
  description = "The command that shows who may log in"
  value       = local.users ? "gcloud secrets versions access latest --secret=${var.name}-users --project=${var.project}" : ""
}

output "authority" {
  description = "What clients check the servers' certificate by"
  value       = var.tls ? tls_self_signed_cert.authority[0].cert_pem : ""
}
