output "notification_topic_arn" {
  description = "ARN of the topic that alarms notify."
  value       = aws_sns_topic.notifications.arn
}

output "dashboard_name" {
  description = "Name of the dashboard."
  value       = aws_cloudwatch_dashboard.this.dashboard_name
}
