# The pipeline from left to right on one page.

data "aws_region" "current" {}

locals {
  widget_width  = 8
  widget_height = 6

  # Empty without an ingest; then the validation of `functions` reports the error.
  ingest = lookup(var.functions, "ingest", "")
  failure_codes = [
    "invalid-attribute", "invalid-time", "missing-attribute", "not-an-event", "not-json",
    "refused-by-database", "replacement-not-permitted", "replacement-stale", "too-large",
    "unsupported-specversion",
  ]

  # How fast each error budget is spent, with the rates at which the alarms are raised.
  slo_widgets = [
    for title, names in {
      "Objective: stored within 60 s"           = ["freshness"]
      "Objective: nothing published is missing" = ["durability"]
      "Objectives: API available, and fast"     = ["api-availability", "api-latency"]
      } : {
      title = title
      stat  = "Sum"
      lines = concat([
        for name in names : concat(
          [
            for id, metric in local.slos[name].metrics :
            [
              metric.source.namespace, metric.metric, metric.source.dimension, metric.source.value,
              { id = id, stat = metric.stat, visible = false },
            ]
          ],
          [[{
            id         = "burn_${replace(name, "-", "_")}"
            label      = "${name}: burn rate of an hour"
            expression = "(${local.slos[name].bad}) / ${local.slos[name].total} / ${(100 - local.slos[name].objective_percent) / 100}"
          }]],
        )
      ]...)
      properties = {
        period = 3600
        yAxis  = { left = { min = 0 } }
        annotations = {
          horizontal = [
            for window, burn in local.slo_burns : { value = burn.burn_rate, label = "${burn.urgency}, ${window}" }
          ]
        }
      }
    }
  ]

  metrics = concat(
    local.slo_widgets,
    [
      {
        title = "Published and delivered"
        stat  = "Sum"
        lines = [
          ["AWS/SNS", "NumberOfMessagesPublished", "TopicName", var.topic_name],
          ["AWS/SNS", "NumberOfNotificationsDelivered", "TopicName", var.topic_name],
          ["AWS/SNS", "NumberOfNotificationsFailed", "TopicName", var.topic_name],
          ["AWS/SNS", "NumberOfNotificationsRedrivenToDlq", "TopicName", var.topic_name],
          ["AWS/SNS", "NumberOfNotificationsFailedToRedriveToDlq", "TopicName", var.topic_name],
        ]
      },
      {
        title = "Queue: waiting and in flight"
        stat  = "Maximum"
        lines = [
          ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", var.queue_name],
          ["AWS/SQS", "ApproximateNumberOfMessagesNotVisible", "QueueName", var.queue_name],
        ]
      },
      {
        title = "Oldest message (s)"
        stat  = "Maximum"
        lines = [
          ["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", var.queue_name],
          ["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", var.dead_letter_queue_name],
        ]
      },
      {
        title = "Dead letters"
        stat  = "Maximum"
        lines = [["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", var.dead_letter_queue_name]]
      },
      {
        title = "Functions: errors and throttles"
        stat  = "Sum"
        lines = concat(
          [for function in var.functions : ["AWS/Lambda", "Errors", "FunctionName", function]],
          [for function in var.functions : ["AWS/Lambda", "Throttles", "FunctionName", function]],
        )
      },
      {
        title = "Functions: duration, p95 (ms)"
        stat  = "p95"
        lines = [for function in var.functions : ["AWS/Lambda", "Duration", "FunctionName", function]]
      },
      # Names and namespace are those of shared/event/src/ingest_metrics.rs.
      {
        title = "Ingest: from publish to commit (ms)"
        stat  = "Maximum"
        lines = [
          ["OpsConsole/Ingest", "lag_p50_ms", "FunctionName", local.ingest, { stat = "Average" }],
          ["OpsConsole/Ingest", "lag_max_ms", "FunctionName", local.ingest],
          ["OpsConsole/Ingest", "database_ms", "FunctionName", local.ingest],
        ]
      },
      {
        title = "Ingest: what became of messages"
        stat  = "Sum"
        lines = [
          for metric in ["stored", "duplicates", "expired", "dead_lettered", "retried"] :
          ["OpsConsole/Ingest", metric, "FunctionName", local.ingest]
        ]
      },
      {
        title = "Ingest: failures by code"
        stat  = "Sum"
        lines = [
          for code in local.failure_codes :
          ["OpsConsole/Ingest", "failed_${code}", "FunctionName", local.ingest]
        ]
      },
      {
        title = "API: requests and failures"
        stat  = "Sum"
        lines = [
          ["AWS/ApiGateway", "Count", "ApiId", var.api_id],
          ["AWS/ApiGateway", "4xx", "ApiId", var.api_id],
          ["AWS/ApiGateway", "5xx", "ApiId", var.api_id],
        ]
      },
      {
        title = "API: latency, p95 (ms)"
        stat  = "p95"
        lines = [["AWS/ApiGateway", "Latency", "ApiId", var.api_id]]
      },
    ],
    [
      for cluster in var.cluster_identifier[*] : {
        title = "Database: capacity (ACU) and connections"
        stat  = "Maximum"
        lines = [
          ["AWS/RDS", "ServerlessDatabaseCapacity", "DBClusterIdentifier", cluster],
          ["AWS/RDS", "DatabaseConnections", "DBClusterIdentifier", cluster],
        ]
      }
    ],
  )
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.name

  dashboard_body = jsonencode({
    widgets = [
      for index, metric in local.metrics : {
        type   = "metric"
        x      = index % 3 * local.widget_width
        y      = floor(index / 3) * local.widget_height
        width  = local.widget_width
        height = local.widget_height
        properties = merge(
          {
            title   = metric.title
            region  = data.aws_region.current.id
            view    = "timeSeries"
            stat    = metric.stat
            period  = 60
            metrics = metric.lines
          },
          try(metric.properties, {}),
        )
      }
    ]
  })
}
