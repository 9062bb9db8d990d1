# The most that roles and people of a pipeline can do, whatever their own policies say: by name and tag, so that the
# pilot's have no way to production's messages, rows and secret. Users of a database and requests to an API are named by
# ids: until bootstrap knows them (database_id, api_id), those of any pipeline are within the boundary.

locals {
  boundary_keys = {
    for environment, settings in var.environments : environment => {
      Sid      = "UseKeys"
      Effect   = "Allow"
      Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
      Resource = ["arn:${local.partition}:kms:*:${local.account_id}:key/*"]
      # AWS lets a key of its own be used by its service only, which asks for the right to the message or secret too.
      Condition = { "ForAnyValue:StringLike" = { "kms:ResourceAliases" = ["alias/${settings.name}", "alias/aws/*"] } }
    }
  }

  # A cluster's users are named by an id that AWS makes; until bootstrap knows it, by their own names alone.
  database_user_arn_prefixes = {
    for environment, settings in var.environments : environment =>
    "arn:${local.partition}:rds-db:*:${local.account_id}:dbuser:${coalesce(settings.database_id, "*")}"
  }

  # Everything that a role of the modules has. A test compares the two.
  boundary_statements = {
    for environment, settings in var.environments : environment => [
      # These support no resources, or Lambda refuses a role that has them limited.
      {
        Sid    = "Anywhere"
        Effect = "Allow"
        Action = [
          "ec2:AssignPrivateIpAddresses", "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface",
          "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:UnassignPrivateIpAddresses",
          "xray:PutTelemetryRecords", "xray:PutTraceSegments",
        ]
        Resource = ["*"]
      },
      {
        Sid    = "ByName"
        Effect = "Allow"
        Action = [
          "lambda:InvokeFunction",
          "logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents",
          "logs:PutRetentionPolicy",
          "rds-data:ExecuteStatement",
          "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage", "sqs:SendMessage",
        ]
        Resource = [
          for kind in [
            "lambda:*:${local.account_id}:function:${settings.name}-*",
            "logs:*:${local.account_id}:log-group:/aws/lambda/${settings.name}-*",
            "logs:*:${local.account_id}:log-group:/vpc/${settings.name}/*",
            # Enhanced monitoring of all databases writes to one group, RDSOSMetrics.
            "logs:*:${local.account_id}:log-group:RDS*",
            "rds:*:${local.account_id}:cluster:${settings.name}-*",
            "sqs:*:${local.account_id}:${settings.name}-*",
          ] : "arn:${local.partition}:${kind}"
        ]
      },
      {
        Sid      = "LogInToDatabase"
        Effect   = "Allow"
        Action   = ["rds-db:connect"]
        Resource = [for user in ["ingest", "api", "migrate"] : "${local.database_user_arn_prefixes[environment]}/${user}"]
      },
      # RDS names the secret by an id, and tags it with its cluster.
      {
        Sid      = "ReadMasterSecret"
        Effect   = "Allow"
        Action   = ["secretsmanager:GetSecretValue"]
        Resource = ["arn:${local.partition}:secretsmanager:*:${local.account_id}:secret:rds!cluster-*"]
        Condition = {
          StringLike = {
            "secretsmanager:ResourceTag/aws:rds:primaryDBClusterArn" = "arn:${local.partition}:rds:*:${local.account_id}:cluster:${settings.name}-*"
          }
        }
      },
      local.boundary_keys[environment],
    ]
  }

  # Everything that the policies for people have: those of the console and of analysts.
  operators_statements = {
    for environment, settings in var.environments : environment => concat(
      [
        # These support no resources, or show all of an account at once (NAME-console has which).
        {
          Sid    = "Anywhere"
          Effect = "Allow"
          Action = [
            "cloudwatch:DescribeAlarms", "cloudwatch:GetMetricData", "lambda:ListEventSourceMappings",
            "sns:GetSubscriptionAttributes",
          ]
          Resource = ["*"]
        },
        {
          Sid       = "AnnouncePause"
          Effect    = "Allow"
          Action    = ["cloudwatch:PutMetricData"]
          Resource  = ["*"]
          Condition = { StringEquals = { "cloudwatch:namespace" = "OpsConsole/Pipeline" } }
        },
        {
          Sid      = "CallApi"
          Effect   = "Allow"
          Action   = ["execute-api:Invoke"]
          Resource = ["arn:${local.partition}:execute-api:*:${local.account_id}:${coalesce(settings.api_id, "*")}/*"]
        },
        {
          Sid      = "ReadLogGroups"
          Effect   = "Allow"
          Action   = ["logs:DescribeLogGroups"]
          Resource = ["arn:${local.partition}:logs:*:${local.account_id}:log-group:*"]
        },
        {
          Sid    = "ByName"
          Effect = "Allow"
          Action = [
            "lambda:GetFunctionConcurrency", "lambda:GetFunctionConfiguration",
            "logs:FilterLogEvents",
            "rds:DescribeDBClusters",
            "sns:GetTopicAttributes", "sns:ListSubscriptionsByTopic", "sns:Publish",
            "sqs:CancelMessageMoveTask", "sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes",
            "sqs:ListMessageMoveTasks", "sqs:PurgeQueue", "sqs:ReceiveMessage", "sqs:SendMessage",
            "sqs:StartMessageMoveTask",
          ]
          Resource = [
            for kind in [
              "lambda:*:${local.account_id}:function:${settings.name}-*",
              "logs:*:${local.account_id}:log-group:/aws/lambda/${settings.name}-*",
              "rds:*:${local.account_id}:cluster:${settings.name}-*",
              "sns:*:${local.account_id}:${settings.name}",
              "sqs:*:${local.account_id}:${settings.name}-*",
            ] : "arn:${local.partition}:${kind}"
          ]
        },
        {
          Sid      = "LogInToDatabase"
          Effect   = "Allow"
          Action   = ["rds-db:connect"]
          Resource = [for user in ["operator", "analyst"] : "${local.database_user_arn_prefixes[environment]}/${user}"]
        },
        local.boundary_keys[environment],
      ],
      [
        for bucket in local.resources[environment].buckets : {
          Sid      = "Export"
          Effect   = "Allow"
          Action   = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:ListBucket", "s3:PutObject"]
          Resource = [bucket, "${bucket}/*"]
        }
      ],
    )
  }
}

resource "aws_iam_policy" "boundary" {
  # checkov:skip=CKV_AWS_287:A boundary grants nothing
  # checkov:skip=CKV_AWS_288:A boundary grants nothing
  # checkov:skip=CKV_AWS_289:A boundary grants nothing
  # checkov:skip=CKV_AWS_290:A boundary grants nothing
  # checkov:skip=CKV_AWS_355:A boundary grants nothing
  for_each = var.environments

  name        = "opsconsole-boundary-${each.key}"
  description = "Upper limit of the roles of ${each.value.name}"
  policy      = jsonencode({ Version = "2012-10-17", Statement = local.boundary_statements[each.key] })
}

# For the roles of people. Terraform does not make those, so nothing but who makes them can see to it.
resource "aws_iam_policy" "operators" {
  # checkov:skip=CKV_AWS_288:A boundary grants nothing
  # checkov:skip=CKV_AWS_290:A boundary grants nothing
  # checkov:skip=CKV_AWS_355:A boundary grants nothing
  for_each = var.environments

  name        = "opsconsole-operators-${each.key}"
  description = "Upper limit of the people who operate ${each.value.name}"
  policy      = jsonencode({ Version = "2012-10-17", Statement = local.operators_statements[each.key] })
}
