# One Lambda function with its own role and a log group that expires.

resource "aws_cloudwatch_log_group" "this" {
  # checkov:skip=CKV_AWS_338:How long is a variable; logs hold no events, and a year of them costs more than the pilot
  name              = "/aws/lambda/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_lambda_function" "this" {
  # checkov:skip=CKV_AWS_116:Events that fail go to the queue's own dead-letter queue; all other calls are answered at once or repeated daily
  # checkov:skip=CKV_AWS_272:The account that builds the package deploys it; there is no third party to sign it
  function_name    = var.name
  role             = aws_iam_role.this.arn
  runtime          = "provided.al2023"
  handler          = "bootstrap"
  architectures    = [var.architecture]
  filename         = var.package_path
  source_code_hash = fileexists(var.package_path) ? filebase64sha256(var.package_path) : null

  memory_size                    = var.memory_mib
  timeout                        = var.timeout_secs
  reserved_concurrent_executions = coalesce(var.reserved_concurrency, -1)
  kms_key_arn                    = var.kms_key_arn

  environment {
    variables = merge({ RUST_LOG = "info" }, var.variables)
  }

  tracing_config {
    mode = var.tracing_enabled ? "Active" : "PassThrough"
  }

  dynamic "vpc_config" {
    for_each = var.vpc[*]

    content {
      subnet_ids                  = vpc_config.value.subnet_ids
      security_group_ids          = vpc_config.value.security_group_ids
      ipv6_allowed_for_dual_stack = vpc_config.value.ipv6_egress_enabled
    }
  }

  # Lambda removes the network interfaces some half an hour after the function. Until then they belong to the
  # VPC's default group, which is closed, and not to one that `destroy` would wait for.
  replace_security_groups_on_destroy = var.vpc == null ? null : true

  # Lambda checks the role's permissions when it creates the function.
  depends_on = [aws_iam_role_policy.this, aws_cloudwatch_log_group.this]

  lifecycle {
    # No validation of the variable: `destroy` needs no package, and would be refused.
    precondition {
      condition     = fileexists(var.package_path)
      error_message = "There is no ${var.package_path}: build the functions first (see terraform/README.md, \"Build\"), or set functions_folder to those of a release."
    }
  }
}
