# The policy for operators who use opsconsole: attach it to their role. It allows what opsconsole calls, the announcement
# of a pause (OPERATIONS.md, planned-pause) and nothing else: console/tests/deploy compares them. `opsconsole env check`
# tries each action that a call without a change can show.

locals {
  arn_prefixes = {
    for service in ["lambda", "logs"] : service => "arn:${local.partition}:${service}:${local.region}:${local.account_id}"
  }
}

resource "aws_iam_policy" "console" {
  name        = "${var.name}-console"
  description = "Operate ${var.name} with opsconsole"

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        {
          Sid      = "Publish"
          Effect   = "Allow"
          Action   = ["sns:GetTopicAttributes", "sns:ListSubscriptionsByTopic", "sns:Publish"]
          Resource = [module.messaging.topic_arn]
        },
        {
          Sid      = "Redrive"
          Effect   = "Allow"
          Action   = ["sqs:GetQueueAttributes", "sqs:SendMessage"]
          Resource = [module.messaging.queue_arn]
        },
        # For `opsconsole queue peek`, which says before what a receive counts.
        {
          Sid      = "PeekQueue"
          Effect   = "Allow"
          Action   = ["sqs:ChangeMessageVisibility", "sqs:ReceiveMessage"]
          Resource = [module.messaging.queue_arn]
        },
        {
          Sid    = "HoldDeadLetters"
          Effect = "Allow"
          Action = [
            "sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:PurgeQueue",
            "sqs:ReceiveMessage",
          ]
          Resource = [module.messaging.dead_letter_queue_arn]
        },
        # SQS moves the messages with the rights of who started the task: it also needs those above, on both queues
        # (Amazon SQS Developer Guide, "Troubleshooting dead-letter queue and DLQ redrive issues").
        {
          Sid      = "MoveDeadLetters"
          Effect   = "Allow"
          Action   = ["sqs:CancelMessageMoveTask", "sqs:ListMessageMoveTasks", "sqs:StartMessageMoveTask"]
          Resource = [module.messaging.dead_letter_queue_arn]
        },
        {
          Sid    = "CallApi"
          Effect = "Allow"
          Action = ["execute-api:Invoke"]
          Resource = [
            "${module.api.execution_arn}/$default/GET/*",
            # Reads as well: which of the events in its body are stored.
            "${module.api.execution_arn}/$default/POST/v1/records/lookup",
          ]
        },
        # Metrics, mappings and subscriptions support no resources, and a list of all alarms needs all of them (Service
        # Authorization Reference, "Amazon CloudWatch", "AWS Lambda", "Amazon SNS").
        {
          Sid    = "ReadMetrics"
          Effect = "Allow"
          Action = [
            "cloudwatch:DescribeAlarms", "cloudwatch:GetMetricData", "lambda:ListEventSourceMappings",
            "sns:GetSubscriptionAttributes",
          ]
          Resource = ["*"]
        },
        # For `opsconsole lint`.
        {
          Sid      = "ReadIngest"
          Effect   = "Allow"
          Action   = ["lambda:GetFunctionConcurrency", "lambda:GetFunctionConfiguration"]
          Resource = ["${local.arn_prefixes["lambda"]}:function:${module.ingest.name}"]
        },
        {
          Sid      = "ReadLogGroups"
          Effect   = "Allow"
          Action   = ["logs:DescribeLogGroups"]
          Resource = ["${local.arn_prefixes["logs"]}:log-group:*"]
        },
        # For `opsconsole logs`: of the functions whose lines are counts, times and causes, and no data of events.
        {
          Sid    = "ReadLogs"
          Effect = "Allow"
          Action = ["logs:FilterLogEvents"]
          Resource = [
            for name in [module.ingest.log_group_name, module.api_function.log_group_name, module.migrate.log_group_name] :
            "${local.arn_prefixes["logs"]}:log-group:${name}:*"
          ]
        },
      ],
      [
        for statement in local.log_in_statements["operator"] : {
          Sid      = statement.sid
          Effect   = "Allow"
          Action   = statement.actions
          Resource = statement.resources
        }
      ],
      !local.slo_alarms_enabled ? [] : [
        {
          Sid       = "AnnouncePause"
          Effect    = "Allow"
          Action    = ["cloudwatch:PutMetricData"]
          Resource  = ["*"]
          Condition = { StringEquals = { "cloudwatch:namespace" = "OpsConsole/Pipeline" } }
        },
      ],
      [
        for cluster in module.database : {
          Sid      = "ReadCluster"
          Effect   = "Allow"
          Action   = ["rds:DescribeDBClusters"]
          Resource = [cluster.cluster_arn]
        }
      ],
      # An export reads and replaces its own files. Without s3:ListBucket, S3 answers that a missing object is
      # forbidden (Amazon S3 API Reference, "GetObject").
      module.warehouse.export_bucket_arn == null ? [] : [
        {
          Sid      = "Export"
          Effect   = "Allow"
          Action   = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
          Resource = ["${module.warehouse.export_bucket_arn}/*"]
        },
        {
          Sid      = "FindExport"
          Effect   = "Allow"
          Action   = ["s3:ListBucket"]
          Resource = [module.warehouse.export_bucket_arn]
        },
      ],
      [
        for arn in local.kms_key_arn[*] : {
          Sid      = "UseKey"
          Effect   = "Allow"
          Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
          Resource = [arn]
        }
      ],
    )
  })
}

# For people who query the views of the schema `analytics` with a client of their own.
resource "aws_iam_policy" "analyst" {
  count = local.aurora_count

  name        = "${var.name}-analyst"
  description = "Log in to the database of ${var.name} as analyst"

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      for statement in local.log_in_statements["analyst"] : {
        Sid      = statement.sid
        Effect   = "Allow"
        Action   = statement.actions
        Resource = statement.resources
      }
    ]
  })
}
