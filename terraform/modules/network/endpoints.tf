# Access to SQS without the internet. SQS has no gateway endpoint, only an interface endpoint, which is
# billed by zone and hour.

data "aws_region" "current" {}

resource "aws_vpc_endpoint" "sqs" {
  count = var.sqs_endpoint_enabled ? 1 : 0

  vpc_id              = aws_vpc.this.id
  vpc_endpoint_type   = "Interface"
  service_name        = "com.amazonaws.${data.aws_region.current.id}.sqs"
  subnet_ids          = [for subnet in aws_subnet.private : subnet.id]
  security_group_ids  = [aws_security_group.endpoint[0].id]
  private_dns_enabled = true

  # In addition to the functions' own roles, so any principal is allowed here.
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "SendToKnownQueues"
      Effect    = "Allow"
      Principal = "*"
      Action    = "sqs:SendMessage"
      Resource  = var.sqs_endpoint_queue_arns
    }]
  })

  tags = { Name = "${var.name}-sqs" }
}
