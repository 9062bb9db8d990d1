output "notification_topic_arn" {
  description = "ARN of the topic that alarms notify."
  value       = aws_sns_topic.notifications.arn
}

output "dashboard_name" {
  description = "Name of the dashboard."
  value       = aws_cloudwatch_dashboard.this.dashboard_name
}

output "slo_alarm_names" {
  description = "Names of the composite alarms of the objectives; empty where they have none."
  value       = sort(values(aws_cloudwatch_composite_alarm.slo)[*].alarm_name)
}
