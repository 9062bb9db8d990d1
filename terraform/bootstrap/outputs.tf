output "state_bucket" {
  description = "Name of the bucket for the states: the variable STATE_BUCKET of the repository on GitHub."
  value       = aws_s3_bucket.state.id
}

output "plan_role_arns" {
  description = "Role to plan, by environment: the variables NAME_PLAN_ROLE_ARN."
  value       = { for environment, role in aws_iam_role.plan : environment => role.arn }
}

output "apply_role_arns" {
  description = "Role to apply, by environment: the variables NAME_APPLY_ROLE_ARN."
  value       = { for environment, role in aws_iam_role.apply : environment => role.arn }
}

output "permissions_boundary_arns" {
  description = "Upper limit of the roles, by environment: the variable permissions_boundary_arn of the environment."
  value       = { for environment, policy in aws_iam_policy.boundary : environment => policy.arn }
}

output "operators_boundary_arns" {
  description = "Upper limit for roles of people who have the console's or the analysts' policy, by environment."
  value       = { for environment, policy in aws_iam_policy.operators : environment => policy.arn }
}

output "key_arns" {
  description = "Keys, by environment: the variable kms_key_arn of the environment."
  value       = { for environment, key in module.key : environment => key.arn }
}
