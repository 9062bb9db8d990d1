# Allowed connections: functions to the database, and to AWS where there is NAT, an endpoint or IPv6. Nothing
# else is allowed in.

locals {
  postgresql_port = 5432
  https_port      = 443

  # By this tag the role to apply of terraform/bootstrap may change a group. It can be given with the creation only.
  group_tags = { PipelineSecurityGroup = var.name }
}

resource "aws_security_group" "functions" {
  # checkov:skip=CKV2_AWS_5:Attached by other modules, which the check does not see
  name        = "${var.name}-functions"
  description = "The Lambda functions"
  vpc_id      = aws_vpc.this.id

  tags = merge(local.group_tags, { Name = "${var.name}-functions" })
}

resource "aws_security_group" "database" {
  # checkov:skip=CKV2_AWS_5:Attached by other modules, which the check does not see
  name        = "${var.name}-database"
  description = "The database"
  vpc_id      = aws_vpc.this.id

  tags = merge(local.group_tags, { Name = "${var.name}-database" })
}

resource "aws_vpc_security_group_egress_rule" "functions_to_database" {
  security_group_id            = aws_security_group.functions.id
  description                  = "PostgreSQL"
  referenced_security_group_id = aws_security_group.database.id
  ip_protocol                  = "tcp"
  from_port                    = local.postgresql_port
  to_port                      = local.postgresql_port
}

resource "aws_vpc_security_group_ingress_rule" "database_from_functions" {
  security_group_id            = aws_security_group.database.id
  description                  = "PostgreSQL from the functions"
  referenced_security_group_id = aws_security_group.functions.id
  ip_protocol                  = "tcp"
  from_port                    = local.postgresql_port
  to_port                      = local.postgresql_port
}

resource "aws_vpc_security_group_egress_rule" "functions_to_internet" {
  count = length(local.nat_zones) > 0 ? 1 : 0

  security_group_id = aws_security_group.functions.id
  description       = "AWS APIs by NAT"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = local.https_port
  to_port           = local.https_port
}

resource "aws_vpc_security_group_egress_rule" "functions_to_ipv6" {
  count = var.ipv6_egress_enabled ? 1 : 0

  security_group_id = aws_security_group.functions.id
  description       = "AWS APIs by IPv6"
  cidr_ipv6         = "::/0"
  ip_protocol       = "tcp"
  from_port         = local.https_port
  to_port           = local.https_port
}

resource "aws_security_group" "endpoint" {
  count = var.sqs_endpoint_enabled ? 1 : 0

  name        = "${var.name}-sqs-endpoint"
  description = "The interface endpoint of SQS"
  vpc_id      = aws_vpc.this.id

  tags = merge(local.group_tags, { Name = "${var.name}-sqs-endpoint" })
}

resource "aws_vpc_security_group_egress_rule" "functions_to_endpoint" {
  count = var.sqs_endpoint_enabled ? 1 : 0

  security_group_id            = aws_security_group.functions.id
  description                  = "SQS by its endpoint"
  referenced_security_group_id = aws_security_group.endpoint[0].id
  ip_protocol                  = "tcp"
  from_port                    = local.https_port
  to_port                      = local.https_port
}

resource "aws_vpc_security_group_ingress_rule" "endpoint_from_functions" {
  count = var.sqs_endpoint_enabled ? 1 : 0

  security_group_id            = aws_security_group.endpoint[0].id
  description                  = "HTTPS from the functions"
  referenced_security_group_id = aws_security_group.functions.id
  ip_protocol                  = "tcp"
  from_port                    = local.https_port
  to_port                      = local.https_port
}
