# The optional proxy, with IAM on both sides and therefore without secrets. CloudFormation creates it,
# because `DefaultAuthScheme` is an argument of aws_db_proxy only in provider 6 and this code also runs
# on 5.100.

locals {
  proxy_count = var.proxy_enabled ? 1 : 0

  # Parts of the cluster's ARN: arn:PARTITION:rds:REGION:ACCOUNT:cluster:NAME.
  arn_parts = split(":", aws_rds_cluster.this.arn)
  partition = local.arn_parts[1]
  # The resource of rds-db:connect: arn:PARTITION:rds-db:REGION:ACCOUNT:dbuser:CLUSTER/USER.
  user_arn_prefix = join(":", [
    "arn", local.partition, "rds-db", local.arn_parts[3], local.arn_parts[4], "dbuser",
  ])
  # arn:…:db-proxy:prx-0123456789abcdef0
  proxy_resource_id = one([for stack in aws_cloudformation_stack.proxy : element(split(":", stack.outputs.Arn), 6)])
}

resource "aws_iam_role" "proxy" {
  count = local.proxy_count

  name = "${var.name}-proxy"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "rds.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy" "proxy" {
  count = local.proxy_count

  name = "log-in"
  role = aws_iam_role.proxy[0].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid    = "LogInToCluster"
      Effect = "Allow"
      Action = ["rds-db:connect"]
      Resource = [
        for user in var.proxy_users :
        "${local.user_arn_prefix}:${aws_rds_cluster.this.cluster_resource_id}/${user}"
      ]
    }]
  })
}

# Proxy and cluster share the group, so the group must allow itself.
resource "aws_vpc_security_group_ingress_rule" "from_proxy" {
  count = local.proxy_count

  security_group_id            = var.security_group_id
  description                  = "PostgreSQL from the proxy"
  referenced_security_group_id = var.security_group_id
  ip_protocol                  = "tcp"
  from_port                    = aws_rds_cluster.this.port
  to_port                      = aws_rds_cluster.this.port
}

resource "aws_vpc_security_group_egress_rule" "to_cluster" {
  count = local.proxy_count

  security_group_id            = var.security_group_id
  description                  = "PostgreSQL from the proxy to the cluster"
  referenced_security_group_id = var.security_group_id
  ip_protocol                  = "tcp"
  from_port                    = aws_rds_cluster.this.port
  to_port                      = aws_rds_cluster.this.port
}

resource "aws_cloudformation_stack" "proxy" {
  # checkov:skip=CKV_AWS_124:Terraform waits for the stack and reports its failure
  count = local.proxy_count

  name = "${var.name}-proxy"
  template_body = jsonencode({
    AWSTemplateFormatVersion = "2010-09-09"
    Resources = {
      Proxy = {
        Type = "AWS::RDS::DBProxy"
        Properties = {
          DBProxyName         = "${var.name}-proxy"
          EngineFamily        = "POSTGRESQL"
          DefaultAuthScheme   = "IAM_AUTH"
          RequireTLS          = true
          RoleArn             = aws_iam_role.proxy[0].arn
          VpcSubnetIds        = var.subnet_ids
          VpcSecurityGroupIds = [var.security_group_id]
        }
      }
      Targets = {
        Type = "AWS::RDS::DBProxyTargetGroup"
        Properties = {
          DBProxyName                     = { Ref = "Proxy" }
          TargetGroupName                 = "default"
          DBClusterIdentifiers            = [aws_rds_cluster.this.id]
          ConnectionPoolConfigurationInfo = { MaxConnectionsPercent = 80 }
        }
      }
    }
    Outputs = {
      Endpoint = { Value = { "Fn::GetAtt" = ["Proxy", "Endpoint"] } }
      Arn      = { Value = { "Fn::GetAtt" = ["Proxy", "DBProxyArn"] } }
    }
  })

  depends_on = [aws_rds_cluster_instance.this, aws_iam_role_policy.proxy]
}
