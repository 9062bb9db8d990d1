# Who may publish, and that SNS may send to the queue only for this topic. The functions and the console
# are allowed by their own identity policies.

resource "aws_sns_topic_policy" "events" {
  arn = aws_sns_topic.events.arn

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{
        Sid       = "Publish"
        Effect    = "Allow"
        Principal = { AWS = concat([local.account_principal], var.publisher_arns) }
        Action    = ["sns:Publish"]
        Resource  = aws_sns_topic.events.arn
      }],
      [for refusal in local.tls_refusals : merge(refusal, {
        Action   = ["sns:Publish"]
        Resource = aws_sns_topic.events.arn
      })],
    )
  })
}

resource "aws_sqs_queue_policy" "events" {
  queue_url = aws_sqs_queue.events.id
  policy    = local.queue_policies.events
}

resource "aws_sqs_queue_policy" "dead_letters" {
  queue_url = aws_sqs_queue.dead_letters.id
  policy    = local.queue_policies.dead_letters
}

locals {
  tls_refusals = !var.tls_required ? [] : [{
    Sid       = "RefuseWithoutTls"
    Effect    = "Deny"
    Principal = "*"
    Condition = { Bool = { "aws:SecureTransport" = "false" } }
  }]

  queue_arns = {
    events       = aws_sqs_queue.events.arn
    dead_letters = aws_sqs_queue.dead_letters.arn
  }
  queue_policies = {
    for queue, arn in local.queue_arns : queue => jsonencode({
      Version = "2012-10-17"
      Statement = concat(
        [{
          Sid       = "DeliverFromTopic"
          Effect    = "Allow"
          Principal = { Service = "sns.amazonaws.com" }
          Action    = ["sqs:SendMessage"]
          Resource  = arn
          Condition = { ArnEquals = { "aws:SourceArn" = aws_sns_topic.events.arn } }
        }],
        [for refusal in local.tls_refusals : merge(refusal, {
          Action   = ["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:ReceiveMessage", "sqs:SendMessage"]
          Resource = arn
        })],
      )
    })
  }
}
