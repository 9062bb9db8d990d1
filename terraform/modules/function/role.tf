# Least privilege: each statement lists its actions, and its resources where the action supports them.

locals {
  # The function's ARN, derived from its log group's, because the function is created after its role.
  arn_parts    = split(":", aws_cloudwatch_log_group.this.arn)
  function_arn = join(":", ["arn", local.arn_parts[1], "lambda", local.arn_parts[3], local.arn_parts[4], "function", var.name])

  log_statements = [{
    Sid      = "WriteLogs"
    Effect   = "Allow"
    Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    Resource = ["${aws_cloudwatch_log_group.this.arn}:*"]
  }]

  queue_statements = var.queue_trigger == null ? [] : [{
    Sid      = "ReadQueue"
    Effect   = "Allow"
    Action   = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
    Resource = [var.queue_trigger.queue_arn]
  }]

  # Lambda decrypts the variables, and messages of the queue. A function that writes encrypted messages says so in
  # its own statements.
  key_statements = var.kms_key_arn == null ? [] : [{
    Sid      = "ReadEncrypted"
    Effect   = "Allow"
    Action   = ["kms:Decrypt"]
    Resource = [var.kms_key_arn]
  }]

  # X-Ray supports no resources (Service Authorization Reference, "AWS X-Ray").
  tracing_statements = !var.tracing_enabled ? [] : [{
    Sid      = "WriteTraces"
    Effect   = "Allow"
    Action   = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]
    Resource = ["*"]
  }]

  vpc_actions = [
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
  ]
  # Lambda needs these for the network interfaces, and refuses a role that limits them to resources. The
  # function's code does not need them, so they are denied to it (Lambda Developer Guide, "Giving Lambda
  # functions access to resources in an Amazon VPC").
  vpc_statements = var.vpc == null ? [] : [
    {
      Sid      = "KeepNetworkInterfaces"
      Effect   = "Allow"
      Action   = local.vpc_actions
      Resource = ["*"]
    },
  ]
  vpc_denials = var.vpc == null ? [] : [
    {
      Sid       = "KeepCodeOffNetworkInterfaces"
      Effect    = "Deny"
      Action    = local.vpc_actions
      Resource  = ["*"]
      Condition = { ArnEquals = { "lambda:SourceFunctionArn" = [local.function_arn] } }
    },
  ]

  own_statements = [
    for statement in var.statements : {
      Sid      = statement.sid
      Effect   = "Allow"
      Action   = statement.actions
      Resource = statement.resources
    }
  ]
}

resource "aws_iam_role" "this" {
  name                 = var.name
  permissions_boundary = var.permissions_boundary_arn
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy" "this" {
  name = "least-privilege"
  role = aws_iam_role.this.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      local.log_statements,
      local.queue_statements,
      local.key_statements,
      local.tracing_statements,
      local.vpc_statements,
      local.vpc_denials,
      local.own_statements,
    )
  })
}
