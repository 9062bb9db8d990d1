output "export_bucket_arn" {
  description = "ARN of the bucket for exports; null where there is none."
  value       = one(aws_s3_bucket.export[*].arn)
}

output "export_bucket_name" {
  description = "Name of the bucket for exports; null where there is none."
  value       = one(aws_s3_bucket.export[*].id)
}
