output "host" {
  description = "Host to connect to: the proxy where there is one, else the writer."
  value       = var.proxy_enabled ? one(aws_cloudformation_stack.proxy[*].outputs.Endpoint) : aws_rds_cluster.this.endpoint
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
  description = "Prefix of \"/USER\" in the resource of rds-db:connect, for log-ins at host."
  value       = "${local.user_arn_prefix}:${coalesce(local.proxy_resource_id, aws_rds_cluster.this.cluster_resource_id)}"
}

output "writer_host" {
  description = "Host of the writer, without the proxy."
  value       = aws_rds_cluster.this.endpoint
}

output "writer_user_arn_prefix" {
  description = "Prefix of \"/USER\" in the resource of rds-db:connect, for log-ins at writer_host."
  value       = "${local.user_arn_prefix}:${aws_rds_cluster.this.cluster_resource_id}"
}

output "instance_ids" {
  description = "Ids of the instances; known when they are available."
  value       = aws_rds_cluster_instance.this[*].id
}
