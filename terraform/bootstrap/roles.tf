# Two roles for each environment, which only workflows of this repository can assume, by a token of GitHub that lives
# minutes. The role to plan reads; the role to apply is for jobs of the GitHub environment of the same name, which
# can ask for an approval and for the branch main.

locals {
  issuer       = "token.actions.githubusercontent.com"
  provider_arn = coalesce(var.oidc_provider_arn, one(aws_iam_openid_connect_provider.github[*].arn))

  # The subjects of GitHub's tokens, in full: a pattern would let other branches or repositories in.
  subjects = {
    for environment in keys(var.environments) : environment => {
      plan  = ["repo:${var.repository}:pull_request", "repo:${var.repository}:ref:refs/heads/main"]
      apply = ["repo:${var.repository}:environment:${environment}"]
    }
  }
  trusts = {
    for environment, subjects in local.subjects : environment => {
      for task, names in subjects : task => jsonencode({
        Version = "2012-10-17"
        Statement = [{
          Sid       = "WorkflowsOfTheRepository"
          Effect    = "Allow"
          Principal = { Federated = local.provider_arn }
          Action    = "sts:AssumeRoleWithWebIdentity"
          Condition = {
            StringEquals = {
              "${local.issuer}:aud" = "sts.amazonaws.com"
              "${local.issuer}:sub" = names
            }
          }
        }]
      })
    }
  }
}

# AWS verifies GitHub's certificate by its own list of authorities, so there is no thumbprint.
resource "aws_iam_openid_connect_provider" "github" {
  count = var.oidc_provider_arn == null ? 1 : 0

  url            = "https://${local.issuer}"
  client_id_list = ["sts.amazonaws.com"]
}

resource "aws_iam_role" "plan" {
  for_each = var.environments

  name                 = "opsconsole-plan-${each.key}"
  description          = "Reads what ${each.value.name} consists of, for terraform plan"
  assume_role_policy   = local.trusts[each.key].plan
  max_session_duration = 3600
}

resource "aws_iam_role_policy" "plan" {
  for_each = var.environments

  name = "read"
  role = aws_iam_role.plan[each.key].id
  policy = jsonencode({
    Version = "2012-10-17"
    # What it writes there is applied only by the run that knows its SHA-256.
    Statement = concat(local.plan_statements[each.key], [
      { Sid = "KeepPlan", Effect = "Allow", Action = ["s3:PutObject"], Resource = [local.plan_arns[each.key]] },
    ])
  })
}

resource "aws_iam_role" "apply" {
  for_each = var.environments

  name                 = "opsconsole-apply-${each.key}"
  description          = "Creates, changes and deletes what ${each.value.name} consists of"
  assume_role_policy   = local.trusts[each.key].apply
  max_session_duration = 7200
}

# Inline, and the rest as managed policies: together they are longer than one managed policy may be.
resource "aws_iam_role_policy" "apply_read" {
  for_each = var.environments

  name = "read"
  role = aws_iam_role.apply[each.key].id
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = concat(local.plan_statements[each.key], local.smoke_statements[each.key])
  })
}

resource "aws_iam_policy" "apply" {
  # checkov:skip=CKV_AWS_286:The roles that it makes have the boundary, which excludes IAM
  # checkov:skip=CKV_AWS_287:It makes the master's secret, whose value it cannot read
  # checkov:skip=CKV_AWS_288:It deletes and makes queues and databases of this name; their data is in its reach
  # checkov:skip=CKV_AWS_289:Roles of this name only, and only with the boundary
  # checkov:skip=CKV_AWS_290:Resources of this name, where the service has names
  # checkov:skip=CKV_AWS_355:VPCs, HTTP APIs and mappings have no names before they exist
  for_each = var.environments

  name        = "opsconsole-apply-${each.key}"
  description = "Manage ${each.value.name} by Terraform"
  policy      = jsonencode({ Version = "2012-10-17", Statement = local.apply_statements[each.key] })
}

resource "aws_iam_role_policy_attachment" "apply" {
  for_each = var.environments

  role       = aws_iam_role.apply[each.key].name
  policy_arn = aws_iam_policy.apply[each.key].arn
}

resource "aws_iam_policy" "apply_network" {
  # checkov:skip=CKV_AWS_290:Creating only; what exists needs the tag of this pipeline
  # checkov:skip=CKV_AWS_355:VPCs and their parts have no names before they exist
  for_each = var.environments

  name        = "opsconsole-apply-network-${each.key}"
  description = "Manage the network of ${each.value.name} by Terraform"
  policy      = jsonencode({ Version = "2012-10-17", Statement = local.network_statements[each.key] })
}

resource "aws_iam_role_policy_attachment" "apply_network" {
  for_each = var.environments

  role       = aws_iam_role.apply[each.key].name
  policy_arn = aws_iam_policy.apply_network[each.key].arn
}
