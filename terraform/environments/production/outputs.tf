output "console" {
  description = "The entry of this environment in opsconsole's configuration."
  value       = module.pipeline.console
}

output "console_database" {
  description = "Further fields of that entry, for a machine that reaches the database."
  value       = module.pipeline.console_database
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

output "database_host" {
  description = "Host of the database, reachable from inside the VPC."
  value       = module.pipeline.database_host
}

output "database_reader_host" {
  description = "Host of the database's readers, for analysts; null where there is none."
  value       = module.pipeline.database_reader_host
}

output "database_port" {
  description = "Port of the database."
  value       = module.pipeline.database_port
}

output "database_name" {
  description = "Name of the database."
  value       = module.pipeline.database_name
}

output "vpc_id" {
  description = "Id of the VPC."
  value       = module.pipeline.vpc_id
}

output "public_subnet_ids" {
  description = "Ids of the public subnets, in the order of the zones' names."
  value       = module.pipeline.public_subnet_ids
}

output "private_subnet_ids" {
  description = "Ids of the private subnets, with functions and database, in the order of the zones' names."
  value       = module.pipeline.private_subnet_ids
}

output "functions_security_group_id" {
  description = "Security group that may connect to the database: of the functions, and of a machine through which a tunnel goes."
  value       = module.pipeline.functions_security_group_id
}

output "database_security_group_id" {
  description = "Security group of the database."
  value       = module.pipeline.database_security_group_id
}

output "console_policy_arn" {
  description = "Policy that lets a role operate the pipeline with opsconsole."
  value       = module.pipeline.console_policy_arn
}

output "analyst_policy_arn" {
  description = "Policy that lets a role log in to the database as `analyst`."
  value       = module.pipeline.analyst_policy_arn
}

output "notification_topic_arn" {
  description = "Topic that alarms notify; subscribe a pager here."
  value       = module.pipeline.notification_topic_arn
}

output "dashboard_name" {
  description = "Name of the CloudWatch dashboard."
  value       = module.pipeline.dashboard_name
}

output "slo_alarm_names" {
  description = "Names of the alarms of the objectives; empty where they have none."
  value       = module.pipeline.slo_alarm_names
}

output "export_bucket" {
  description = "Bucket for `opsconsole export --into s3://BUCKET/PREFIX`; null where there is none."
  value       = module.pipeline.export_bucket
}

output "migrations_hash" {
  description = "Digest of the migrations that were run, as in functions.tfvars.json of a release."
  value       = module.pipeline.migrations_hash
}
