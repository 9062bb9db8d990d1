output "topic_arn" {
  description = "ARN of the topic for events."
  value       = aws_sns_topic.events.arn
}

output "topic_name" {
  description = "Name of the topic."
  value       = aws_sns_topic.events.name
}

output "queue_arn" {
  description = "ARN of the queue that the ingest reads."
  value       = aws_sqs_queue.events.arn
}

output "queue_url" {
  description = "URL of the queue that the ingest reads."
  value       = aws_sqs_queue.events.id
}

output "queue_name" {
  description = "Name of the queue that the ingest reads."
  value       = aws_sqs_queue.events.name
}

output "dead_letter_queue_arn" {
  description = "ARN of the dead-letter queue."
  value       = aws_sqs_queue.dead_letters.arn
}

output "dead_letter_queue_url" {
  description = "URL of the dead-letter queue."
  value       = aws_sqs_queue.dead_letters.id
}

output "dead_letter_queue_name" {
  description = "Name of the dead-letter queue."
  value       = aws_sqs_queue.dead_letters.name
}
