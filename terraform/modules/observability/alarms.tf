# Alarms of causes, each of which needs a person; those of the objectives are in slo.tf. Each description says what it means, and links its section of OPERATIONS.md.

locals {
  message_alarms = {
    dead-letters = {
      description = "The dead-letter queue is not empty. Open the console's screen Dead letters: it groups them by cause."
      namespace   = "AWS/SQS"
      metric      = "ApproximateNumberOfMessagesVisible"
      dimensions  = { QueueName = var.dead_letter_queue_name }
      statistic   = "Maximum"
      threshold   = 0
      minutes     = 1
    }
    oldest-message = {
      description = "Messages wait too long. Look at the ingest's errors and throttles, then at the database."
      namespace   = "AWS/SQS"
      metric      = "ApproximateAgeOfOldestMessage"
      dimensions  = { QueueName = var.queue_name }
      statistic   = "Maximum"
      threshold   = var.oldest_message_secs_max
      minutes     = 5
    }
    ingest-lag = {
      description = "Events were stored late, counted from their publish and with all their attempts. Look at the ingest's throttles and at database_ms: if it grows too, the database is the cause."
      namespace   = "OpsConsole/Ingest"
      metric      = "lag_max_ms"
      dimensions  = { FunctionName = local.ingest }
      statistic   = "Maximum"
      threshold   = var.lag_ms_max
      # There is a value only in minutes in which something was stored, so one minute is enough.
      minutes = 1
    }
    undelivered = {
      description = "SNS could not deliver to the queue. Check the queue's policy and the key's policy."
      namespace   = "AWS/SNS"
      metric      = "NumberOfNotificationsFailed"
      dimensions  = { TopicName = var.topic_name }
      statistic   = "Sum"
      threshold   = 0
      minutes     = 1
    }
    lost = {
      description = "SNS could deliver neither to the queue nor to the dead-letter queue, and discarded the messages. Check the policies of both queues and of the key now."
      namespace   = "AWS/SNS"
      metric      = "NumberOfNotificationsFailedToRedriveToDlq"
      dimensions  = { TopicName = var.topic_name }
      statistic   = "Sum"
      threshold   = 0
      minutes     = 1
    }
  }

  api_alarms = {
    api-5xx = {
      description = "The API fails. Look at the log of the api function; its database is the usual cause."
      namespace   = "AWS/ApiGateway"
      metric      = "5xx"
      dimensions  = { ApiId = var.api_id }
      statistic   = "Sum"
      threshold   = 5
      minutes     = 5
    }
    api-latency = {
      description = "The API is slow (95th percentile). Look at the database's capacity and its slow statements."
      namespace   = "AWS/ApiGateway"
      metric      = "Latency"
      dimensions  = { ApiId = var.api_id }
      statistic   = "p95"
      threshold   = var.api_latency_ms_max
      minutes     = 5
    }
  }

  function_alarms = merge([
    for part, function in var.functions : {
      "${part}-errors" = {
        description = "Invocations of ${function} fail as a whole. Look at its log."
        namespace   = "AWS/Lambda"
        metric      = "Errors"
        dimensions  = { FunctionName = function }
        statistic   = "Sum"
        threshold   = 0
        minutes     = 5
      }
      "${part}-throttles" = {
        description = "Invocations of ${function} are throttled. Raise its reserved concurrency or the account's quota, or lower the queue's maximum concurrency."
        namespace   = "AWS/Lambda"
        metric      = "Throttles"
        dimensions  = { FunctionName = function }
        statistic   = "Sum"
        threshold   = 0
        minutes     = 5
      }
    }
  ]...)

  database_alarms = var.cluster_identifier == null ? {} : {
    database-capacity = {
      description = "The database is at its largest capacity. Raise max_capacity_acu or find the statement in Performance Insights."
      namespace   = "AWS/RDS"
      metric      = "ACUUtilization"
      dimensions  = { DBClusterIdentifier = var.cluster_identifier }
      statistic   = "Average"
      threshold   = var.database_utilization_percent_max
      minutes     = 10
    }
    database-connections = {
      description = "The connections to the database are nearly used up. Find out who holds them; the limits of the functions keep those below this."
      namespace   = "AWS/RDS"
      metric      = "DatabaseConnections"
      dimensions  = { DBClusterIdentifier = var.cluster_identifier }
      statistic   = "Maximum"
      threshold   = floor(var.database_connections_max * 4 / 5)
      minutes     = 5
    }
  }

  alarms = merge(local.message_alarms, local.api_alarms, local.function_alarms, local.database_alarms)
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = "${each.value.description} What to do: ${var.runbooks_url}#${each.key}"
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = startswith(each.value.statistic, "p") ? null : each.value.statistic
  extended_statistic  = startswith(each.value.statistic, "p") ? each.value.statistic : null
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.threshold
  period              = 60
  evaluation_periods  = each.value.minutes
  # One failure within the period is enough; a level must be exceeded for several periods.
  datapoints_to_alarm = each.value.statistic == "Sum" ? 1 : each.value.minutes
  # No data: nothing happened, or the database is paused.
  treat_missing_data = "notBreaching"
  alarm_actions      = [aws_sns_topic.notifications.arn]
  ok_actions         = [aws_sns_topic.notifications.arn]
}
