output "vpc_id" {
  description = "Id of the VPC."
  value       = aws_vpc.this.id
}

output "public_subnet_ids" {
  description = "Ids of the public subnets, in the order of the zones' names."
  value       = [for subnet in aws_subnet.public : subnet.id]
}

output "private_subnet_ids" {
  description = "Ids of the private subnets, in the order of the zones' names."
  value       = [for subnet in aws_subnet.private : subnet.id]
}

output "functions_security_group_id" {
  description = "Security group of the functions; the only one that may connect to the database."
  value       = aws_security_group.functions.id
}

output "database_security_group_id" {
  description = "Security group of the database."
  value       = aws_security_group.database.id
}

output "sqs_is_reachable" {
  description = "Whether functions in the private subnets can reach SQS."
  value       = var.sqs_endpoint_enabled || var.nat != "none" || var.ipv6_egress_enabled
}
