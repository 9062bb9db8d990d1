output "name" {
  description = "Name of the function."
  value       = aws_lambda_function.this.function_name
}

output "arn" {
  description = "ARN of the function."
  value       = aws_lambda_function.this.arn
}

output "invoke_arn" {
  description = "ARN by which API Gateway calls the function."
  value       = aws_lambda_function.this.invoke_arn
}

output "code_hash" {
  description = "Hash of the deployed zip file."
  value       = aws_lambda_function.this.source_code_hash
}

output "timeout_secs" {
  description = "Seconds after which Lambda ends an invocation."
  value       = aws_lambda_function.this.timeout
}

output "log_group_name" {
  description = "Name of the log group."
  value       = aws_cloudwatch_log_group.this.name
}
