# The event source mapping from the queue to the function. It has no filter on purpose: messages that a
# filter excludes are deleted from the queue.

resource "aws_lambda_event_source_mapping" "queue" {
  count = var.queue_trigger == null ? 0 : 1

  event_source_arn                   = var.queue_trigger.queue_arn
  function_name                      = aws_lambda_function.this.arn
  batch_size                         = var.queue_trigger.batch_size
  maximum_batching_window_in_seconds = var.queue_trigger.batching_window_secs
  # Without this, a response with failed messages counts as success for the whole batch.
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
