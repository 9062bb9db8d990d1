output "console" {
  description = "The entry of this environment in opsconsole's configuration."
  value       = module.pipeline.console
}

output "region" {
  description = "AWS region."
  value       = module.pipeline.region
}

output "topic_arn" {
  description = "ARN of the topic for events."
  value       = module.pipeline.topic_arn
}

output "queue_url" {
  description = "URL of the queue that the ingest reads."
  value       = module.pipeline.queue_url
}

output "dead_letter_queue_url" {
  description = "URL of the dead-letter queue."
  value       = module.pipeline.dead_letter_queue_url
}

output "api_url" {
  description = "Base URL of the HTTP API."
  value       = module.pipeline.api_url
}
