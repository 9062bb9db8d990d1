# The queue that feeds the function. There is no filter, on purpose: what a filter of an event
# source drops is deleted from the queue, not kept.

resource "aws_lambda_event_source_mapping" "queue" {
  count = var.queue_trigger == null ? 0 : 1

  event_source_arn                   = var.queue_trigger.queue_arn
  function_name                      = aws_lambda_function.this.arn
  batch_size                         = var.queue_trigger.batch_size
  maximum_batching_window_in_seconds = var.queue_trigger.batching_window_secs
  # Without this, an answer that names the failed messages counts as success for all of them.
  function_response_types = ["ReportBatchItemFailures"]

  dynamic "scaling_config" {
    for_each = var.queue_trigger.maximum_concurrency[*]

    content {
      maximum_concurrency = scaling_config.value
    }
  }

  dynamic "provisioned_poller_config" {
    for_each = var.queue_trigger.provisioned_pollers[*]

    content {
      minimum_pollers = provisioned_poller_config.value.minimum
      maximum_pollers = provisioned_poller_config.value.maximum
    }
  }
}
