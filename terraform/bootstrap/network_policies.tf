# What the role to apply may do in EC2. A VPC and its parts have no names, so what exists must have the pipeline's tag,
# which Terraform gives with the creation, and only what is new is allowed without it.
#
# Security groups are changed by a tag of their own, PipelineSecurityGroup, which can be given with the creation and
# never later: the default group of a VPC exists without any tag before Terraform can tag it, so whoever applies can
# give the tag Pipeline to a group of somebody else as well.
#
# Nothing of EC2 is allowed beyond what modules/network calls: no instance, volume, snapshot, image, peering or VPN.

locals {
  # These name nothing that exists.
  network_create_alone_actions = ["ec2:AllocateAddress", "ec2:CreateInternetGateway", "ec2:CreateVpc"]
  # What is new, by the actions that make it. A subnet or a group is new to some actions and exists for others (Service
  # Authorization Reference, "Amazon EC2"), hence two lists.
  network_create_parts_actions = [
    "ec2:CreateEgressOnlyInternetGateway", "ec2:CreateRouteTable", "ec2:CreateSecurityGroup", "ec2:CreateSubnet",
  ]
  network_create_on_parts_actions = ["ec2:CreateFlowLogs", "ec2:CreateNatGateway", "ec2:CreateVpcEndpoint"]
  network_create_in_vpc_actions   = concat(local.network_create_parts_actions, local.network_create_on_parts_actions)
  # These create rules of a security group, which have tags of their own.
  rule_create_actions = ["ec2:AuthorizeSecurityGroupEgress", "ec2:AuthorizeSecurityGroupIngress"]
  rule_revoke_actions = ["ec2:RevokeSecurityGroupEgress", "ec2:RevokeSecurityGroupIngress"]

  ec2_arn_prefix = "arn:${local.partition}:ec2:*:${local.account_id}"
  ec2_arns = {
    for kind in [
      "egress-only-internet-gateway", "elastic-ip", "natgateway", "route-table", "security-group",
      "security-group-rule", "subnet", "vpc", "vpc-endpoint", "vpc-flow-log",
    ] : kind => "${local.ec2_arn_prefix}:${kind}/*"
  }

  network_statements = {
    for environment, settings in var.environments : environment => [
      {
        Sid      = "CreateAlone"
        Effect   = "Allow"
        Action   = local.network_create_alone_actions
        Resource = ["*"]
      },
      {
        Sid    = "CreateParts"
        Effect = "Allow"
        Action = local.network_create_parts_actions
        Resource = [
          for kind in ["egress-only-internet-gateway", "route-table", "security-group", "subnet"] : local.ec2_arns[kind]
        ]
      },
      {
        Sid      = "CreateOnParts"
        Effect   = "Allow"
        Action   = local.network_create_on_parts_actions
        Resource = [for kind in ["natgateway", "vpc-endpoint", "vpc-flow-log"] : local.ec2_arns[kind]]
      },
      {
        Sid       = "CreateInOwnVpc"
        Effect    = "Allow"
        Action    = local.network_create_in_vpc_actions
        Resource  = [for kind in ["elastic-ip", "security-group", "subnet", "vpc"] : local.ec2_arns[kind]]
        Condition = { StringEquals = { "aws:ResourceTag/Pipeline" = settings.name } }
      },
      {
        Sid      = "TagWhatIsCreated"
        Effect   = "Allow"
        Action   = ["ec2:CreateTags"]
        Resource = ["*"]
        Condition = {
          StringEquals = {
            "ec2:CreateAction" = [
              for action in concat(
                local.network_create_alone_actions, local.network_create_in_vpc_actions, local.rule_create_actions,
              ) : trimprefix(action, "ec2:")
            ]
          }
        }
      },
      {
        Sid    = "ChangeNetwork"
        Effect = "Allow"
        Action = [
          "ec2:AssociateRouteTable", "ec2:AssociateSubnetCidrBlock", "ec2:AssociateVpcCidrBlock",
          "ec2:AttachInternetGateway", "ec2:CreateRoute", "ec2:DeleteEgressOnlyInternetGateway", "ec2:DeleteFlowLogs",
          "ec2:DeleteInternetGateway", "ec2:DeleteNatGateway", "ec2:DeleteRoute", "ec2:DeleteRouteTable",
          "ec2:DeleteSubnet", "ec2:DeleteTags", "ec2:DeleteVpc", "ec2:DeleteVpcEndpoints",
          "ec2:DetachInternetGateway", "ec2:DisassociateAddress", "ec2:DisassociateRouteTable",
          "ec2:DisassociateSubnetCidrBlock", "ec2:DisassociateVpcCidrBlock", "ec2:ModifySubnetAttribute",
          "ec2:ModifyVpcAttribute", "ec2:ModifyVpcEndpoint", "ec2:ReleaseAddress", "ec2:ReplaceRoute",
          "ec2:ReplaceRouteTableAssociation",
        ]
        Resource  = ["*"]
        Condition = { StringEquals = { "aws:ResourceTag/Pipeline" = settings.name } }
      },
      {
        Sid      = "ChangeTags"
        Effect   = "Allow"
        Action   = ["ec2:CreateTags"]
        Resource = ["*"]
        Condition = {
          StringEquals = { "aws:ResourceTag/Pipeline" = settings.name }
          Null         = { "aws:RequestTag/PipelineSecurityGroup" = "true" }
        }
      },
      {
        Sid    = "ChangeSecurityGroups"
        Effect = "Allow"
        Action = concat(
          local.rule_create_actions, local.rule_revoke_actions,
          ["ec2:DeleteSecurityGroup", "ec2:ModifySecurityGroupRules"],
        )
        Resource  = [local.ec2_arns["security-group"]]
        Condition = { StringEquals = { "aws:ResourceTag/PipelineSecurityGroup" = settings.name } }
      },
      # A rule is always named beside its group.
      {
        Sid      = "ChangeRulesOfTheseGroups"
        Effect   = "Allow"
        Action   = concat(local.rule_create_actions, ["ec2:ModifySecurityGroupRules"])
        Resource = [local.ec2_arns["security-group-rule"]]
      },
      # The default security group comes with the VPC, without a tag. Terraform gives it one and takes its rules away.
      {
        Sid      = "TagDefaultSecurityGroup"
        Effect   = "Allow"
        Action   = ["ec2:CreateTags"]
        Resource = [local.ec2_arns["security-group"]]
        Condition = {
          StringEquals = { "aws:RequestTag/Pipeline" = settings.name }
          Null = {
            "aws:ResourceTag/Pipeline"             = "true"
            "aws:RequestTag/PipelineSecurityGroup" = "true"
          }
        }
      },
      {
        Sid       = "CloseDefaultSecurityGroup"
        Effect    = "Allow"
        Action    = local.rule_revoke_actions
        Resource  = [local.ec2_arns["security-group"]]
        Condition = { StringEqualsIfExists = { "aws:ResourceTag/Pipeline" = settings.name } }
      },
      # An endpoint with a private name (Service Authorization Reference, "Amazon EC2", CreateVpcEndpoint). The zone is one
      # of AWS, so neither it nor the VPC can be named by the pipeline.
      {
        Sid      = "NameEndpoint"
        Effect   = "Allow"
        Action   = ["route53:AssociateVPCWithHostedZone"]
        Resource = ["*"]
      },
      # An interface that a deleted function has left keeps its subnet from being deleted. One in use cannot be deleted.
      {
        Sid      = "DeleteInterfaces"
        Effect   = "Allow"
        Action   = ["ec2:DeleteNetworkInterface"]
        Resource = ["*"]
      },
    ]
  }
}
