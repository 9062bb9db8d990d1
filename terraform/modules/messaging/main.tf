# Topic → queue → (after max_receive_count) dead-letter queue.

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

locals {
  account_principal = "arn:${data.aws_partition.current.partition}:iam::${data.aws_caller_identity.current.account_id}:root"
}

resource "aws_sns_topic" "events" {
  name              = var.name
  kms_master_key_id = coalesce(var.kms_key_arn, "alias/aws/sns")
}

resource "aws_sqs_queue" "events" {
  name                       = "${var.name}-queue"
  visibility_timeout_seconds = var.visibility_timeout_secs
  message_retention_seconds  = var.queue_retention_secs
  receive_wait_time_seconds  = 20
  sqs_managed_sse_enabled    = var.kms_key_arn == null ? true : null
  kms_master_key_id          = var.kms_key_arn

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead_letters.arn
    maxReceiveCount     = var.max_receive_count
  })
}

resource "aws_sqs_queue" "dead_letters" {
  name                       = "${var.name}-dead-letters"
  visibility_timeout_seconds = 30
  message_retention_seconds  = var.dead_letter_retention_secs
  receive_wait_time_seconds  = 20
  sqs_managed_sse_enabled    = var.kms_key_arn == null ? true : null
  kms_master_key_id          = var.kms_key_arn
}

# A separate resource: inline, the two queues would depend on each other in a cycle.
resource "aws_sqs_queue_redrive_allow_policy" "dead_letters" {
  queue_url = aws_sqs_queue.dead_letters.id

  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [aws_sqs_queue.events.arn]
  })
}

resource "aws_sns_topic_subscription" "queue" {
  topic_arn            = aws_sns_topic.events.arn
  protocol             = "sqs"
  endpoint             = aws_sqs_queue.events.arn
  raw_message_delivery = true

  # Also keeps what the queue refuses, as after a change of its policy. The key is the same: what that refuses is lost.
  redrive_policy = jsonencode({ deadLetterTargetArn = aws_sqs_queue.dead_letters.arn })

  # Without the policy, the queue refuses the first deliveries.
  depends_on = [aws_sqs_queue_policy.events, aws_sqs_queue_policy.dead_letters]
}
