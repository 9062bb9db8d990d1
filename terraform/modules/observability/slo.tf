# The alarms of slo_rules.tf. The windows notify nobody; a composite alarm does when both windows of a pair agree and no
# planned pause holds it back.

resource "aws_cloudwatch_metric_alarm" "slo_window" {
  for_each = var.slo_alarms_enabled ? local.slo_windows : {}

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = "One window (${each.value.secs} s, burn rate ${each.value.burn_rate}) of: ${each.value.promise}. What to do: ${var.runbooks_url}#slo-${each.value.slo}"
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.threshold
  evaluation_periods  = each.value.parts
  datapoints_to_alarm = each.value.parts_to_alarm
  # Nothing happened, so nothing was spent.
  treat_missing_data = "notBreaching"

  metric_query {
    id          = "error_ratio"
    label       = "error ratio"
    expression  = each.value.expression
    return_data = true
  }

  dynamic "metric_query" {
    for_each = each.value.metrics

    content {
      id = metric_query.key

      metric {
        namespace   = metric_query.value.source.namespace
        metric_name = metric_query.value.metric
        dimensions  = { (metric_query.value.source.dimension) = metric_query.value.source.value }
        stat        = metric_query.value.stat
        period      = each.value.secs / each.value.parts
      }
    }
  }
}

resource "aws_cloudwatch_composite_alarm" "slo" {
  for_each = var.slo_alarms_enabled ? local.slo_alarms : {}

  alarm_name        = "${var.name}-${each.key}"
  alarm_description = "${each.value.description} What to do: ${var.runbooks_url}#slo-${each.value.slo}"
  alarm_rule        = each.value.rule
  alarm_actions     = [aws_sns_topic.notifications.arn]
  ok_actions        = [aws_sns_topic.notifications.arn]

  actions_suppressor {
    alarm = aws_cloudwatch_metric_alarm.planned_pause[0].alarm_name
    # Every mail is so much later: a pause is announced before it begins, and its alarm is evaluated each minute.
    wait_period      = 60
    extension_period = each.value.pause_extension_secs
  }

  # The rule names them.
  depends_on = [aws_cloudwatch_metric_alarm.slo_window]
}

# In alarm for an hour after somebody sent the metric: a pause ends by itself when it is forgotten. CloudWatch judges the
# last value for as long as it is in the evaluation range, which is some periods longer than what is evaluated: with
# periods of a minute that is some minutes, with one of an hour some hours.
resource "aws_cloudwatch_metric_alarm" "planned_pause" {
  count = var.slo_alarms_enabled ? 1 : 0

  alarm_name          = "${var.name}-planned-pause"
  alarm_description   = "A pause was announced in the last hour: the alarms of the objectives notify nobody. What to do: ${var.runbooks_url}#planned-pause"
  namespace           = "OpsConsole/Pipeline"
  metric_name         = "planned_pause"
  dimensions          = { Pipeline = var.name }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 60
  datapoints_to_alarm = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
}
