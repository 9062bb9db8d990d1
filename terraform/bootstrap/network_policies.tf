# What the role to apply may do in EC2. A VPC and its parts have no names, so only creating is allowed everywhere; what
# exists must have the pipeline's tag, which Terraform gives with the creation.
#
# Nothing of EC2 is allowed beyond what modules/network calls: no instance, volume, snapshot, image, peering or VPN.

locals {
  network_create_actions = [
    "ec2:AllocateAddress", "ec2:CreateEgressOnlyInternetGateway", "ec2:CreateFlowLogs",
    "ec2:CreateInternetGateway", "ec2:CreateNatGateway", "ec2:CreateRouteTable", "ec2:CreateSecurityGroup",
    "ec2:CreateSubnet", "ec2:CreateVpc", "ec2:CreateVpcEndpoint",
    # These create rules of a security group, which have tags of their own.
    "ec2:AuthorizeSecurityGroupEgress", "ec2:AuthorizeSecurityGroupIngress",
  ]

  network_statements = {
    for environment, settings in var.environments : environment => [
      {
        Sid      = "CreateNetwork"
        Effect   = "Allow"
        Action   = local.network_create_actions
        Resource = ["*"]
      },
      {
        Sid      = "TagWhatIsCreated"
        Effect   = "Allow"
        Action   = ["ec2:CreateTags"]
        Resource = ["*"]
        Condition = {
          StringEquals = { "ec2:CreateAction" = [for action in local.network_create_actions : trimprefix(action, "ec2:")] }
        }
      },
      {
        Sid    = "ChangeNetwork"
        Effect = "Allow"
        Action = [
          "ec2:AssociateRouteTable", "ec2:AssociateSubnetCidrBlock", "ec2:AssociateVpcCidrBlock",
          "ec2:AttachInternetGateway", "ec2:CreateRoute", "ec2:CreateTags", "ec2:DeleteEgressOnlyInternetGateway",
          "ec2:DeleteFlowLogs", "ec2:DeleteInternetGateway", "ec2:DeleteNatGateway", "ec2:DeleteRoute",
          "ec2:DeleteRouteTable", "ec2:DeleteSecurityGroup", "ec2:DeleteSubnet", "ec2:DeleteTags", "ec2:DeleteVpc",
          "ec2:DeleteVpcEndpoints", "ec2:DetachInternetGateway", "ec2:DisassociateAddress",
          "ec2:DisassociateRouteTable", "ec2:DisassociateSubnetCidrBlock", "ec2:DisassociateVpcCidrBlock",
          "ec2:ModifySecurityGroupRules", "ec2:ModifySubnetAttribute", "ec2:ModifyVpcAttribute",
          "ec2:ModifyVpcEndpoint", "ec2:ReleaseAddress", "ec2:ReplaceRoute", "ec2:ReplaceRouteTableAssociation",
          "ec2:RevokeSecurityGroupEgress", "ec2:RevokeSecurityGroupIngress",
        ]
        Resource  = ["*"]
        Condition = { StringEquals = { "aws:ResourceTag/Pipeline" = settings.name } }
      },
      # The default security group comes with the VPC, without a tag. Terraform takes its rules away and gives it one.
      {
        Sid      = "CloseDefaultSecurityGroup"
        Effect   = "Allow"
        Action   = ["ec2:CreateTags", "ec2:RevokeSecurityGroupEgress", "ec2:RevokeSecurityGroupIngress"]
        Resource = ["arn:${local.partition}:ec2:*:${local.account_id}:security-group/*"]
        Condition = {
          Null = { "aws:ResourceTag/Pipeline" = "true" }
        }
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
