output "host" {
  description = "Host of the writer."
  value       = aws_rds_cluster.this.endpoint
}

output "reader_host" {
  description = "Host of the readers; null where there is none."
  value       = var.instance_count > 1 ? aws_rds_cluster.this.reader_endpoint : null
}

output "port" {
  description = "Port of PostgreSQL."
  value       = aws_rds_cluster.this.port
}

output "name" {
  description = "Name of the database."
  value       = aws_rds_cluster.this.database_name
}

output "cluster_identifier" {
  description = "Identifier of the cluster, as in its metrics."
  value       = aws_rds_cluster.this.cluster_identifier
}

output "cluster_arn" {
  description = "ARN of the cluster, for the Data API."
  value       = aws_rds_cluster.this.arn
}

output "master_secret_arn" {
  description = "ARN of the master's secret."
  value       = aws_rds_cluster.this.master_user_secret[0].secret_arn
}

output "user_arn_prefix" {
  description = "Prefix of \"/USER\" in the resource of rds-db:connect, for log-ins at both hosts."
  value       = local.user_arn_prefix
}

output "instance_ids" {
  description = "Ids of the instances; known when they are available."
  value       = aws_rds_cluster_instance.this[*].id
}
