# What the roles may do. Resources are limited to the pipeline's names where AWS has names.

locals {
  # Each service's resources of one pipeline.
  resources = {
    for environment, settings in var.environments : environment => {
      named = flatten([
        for kind in [
          "budgets::${local.account_id}:budget/${settings.name}-*",
          "cloudwatch:*:${local.account_id}:alarm:${settings.name}-*",
          "lambda:*:${local.account_id}:function:${settings.name}-*",
          "logs:*:${local.account_id}:log-group:/aws/lambda/${settings.name}-*",
          "logs:*:${local.account_id}:log-group:/aws/rds/cluster/${settings.name}-*",
          "logs:*:${local.account_id}:log-group:/aws/vendedlogs/apigateway/${settings.name}-*",
          "logs:*:${local.account_id}:log-group:/vpc/${settings.name}/*",
          "rds:*:${local.account_id}:cluster:${settings.name}-*",
          "rds:*:${local.account_id}:cluster-pg:${settings.name}-*",
          "rds:*:${local.account_id}:cluster-snapshot:${settings.name}-*",
          "rds:*:${local.account_id}:db:${settings.name}-*",
          "rds:*:${local.account_id}:subgrp:${settings.name}-*",
          "scheduler:*:${local.account_id}:schedule/default/${settings.name}-*",
          "sns:*:${local.account_id}:${settings.name}",
          "sns:*:${local.account_id}:${settings.name}:*",
          "sns:*:${local.account_id}:${settings.name}-*",
          "sqs:*:${local.account_id}:${settings.name}-*",
        ] : "arn:${local.partition}:${kind}"
      ])
      # Of these, what planning reads by name.
      readable = [
        for kind in [
          "lambda:*:${local.account_id}:function:${settings.name}-*",
          "rds:*:${local.account_id}:cluster:${settings.name}-*",
          "rds:*:${local.account_id}:cluster-pg:${settings.name}-*",
          "rds:*:${local.account_id}:db:${settings.name}-*",
          "rds:*:${local.account_id}:subgrp:${settings.name}-*",
          "scheduler:*:${local.account_id}:schedule/default/${settings.name}-*",
          "sns:*:${local.account_id}:${settings.name}",
          "sns:*:${local.account_id}:${settings.name}-*",
          "sqs:*:${local.account_id}:${settings.name}-*",
        ] : "arn:${local.partition}:${kind}"
      ]
      functions = "arn:${local.partition}:lambda:*:${local.account_id}:function:${settings.name}-*"
      dashboard = "arn:${local.partition}:cloudwatch::${local.account_id}:dashboard/${settings.name}"
      roles     = "arn:${local.partition}:iam::${local.account_id}:role/${settings.name}-*"
      policies  = "arn:${local.partition}:iam::${local.account_id}:policy/${settings.name}-*"
      buckets   = [for name in settings.export_bucket[*] : "arn:${local.partition}:s3:::${name}"]
    }
  }

  # What reading takes by name: a function's variables and code, in which others may keep secrets, are its
  # configuration.
  read_named_actions = [
    "lambda:GetFunction",
    "lambda:GetFunctionCodeSigningConfig",
    "lambda:GetPolicy",
    "lambda:ListTags",
    "lambda:ListVersionsByFunction",
    "rds:DescribeDBClusterParameterGroups",
    "rds:DescribeDBClusterParameters",
    "rds:DescribeDBClusters",
    "rds:DescribeDBInstances",
    "rds:DescribeDBSubnetGroups",
    "rds:ListTagsForResource",
    "scheduler:GetSchedule",
    "sns:GetTopicAttributes",
    "sns:ListTagsForResource",
    "sqs:GetQueueAttributes",
    "sqs:GetQueueUrl",
    "sqs:ListQueueTags",
  ]

  # The rest has no names, or supports no resources. It shows configurations of the account: no message, row, log,
  # secret, code or user data.
  read_actions = [
    "budgets:ListTagsForResource",
    "budgets:ViewBudget",
    "cloudwatch:DescribeAlarms",
    "cloudwatch:GetDashboard",
    "cloudwatch:ListTagsForResource",
    # Those that modules/network, RDS and Lambda in a VPC need. ec2:Describe* would show the user data of instances.
    "ec2:DescribeAccountAttributes",
    "ec2:DescribeAddresses",
    "ec2:DescribeAddressesAttribute",
    "ec2:DescribeAvailabilityZones",
    "ec2:DescribeEgressOnlyInternetGateways",
    "ec2:DescribeFlowLogs",
    "ec2:DescribeInternetGateways",
    "ec2:DescribeNatGateways",
    "ec2:DescribeNetworkAcls",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribePrefixLists",
    "ec2:DescribeRouteTables",
    "ec2:DescribeSecurityGroupRules",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeTags",
    "ec2:DescribeVpcAttribute",
    "ec2:DescribeVpcEndpointServices",
    "ec2:DescribeVpcEndpoints",
    "ec2:DescribeVpcs",
    "kms:DescribeKey",
    "kms:GetKeyPolicy",
    "kms:GetKeyRotationStatus",
    "kms:ListAliases",
    "kms:ListResourceTags",
    "logs:DescribeLogGroups",
    "logs:ListTagsForResource",
    "rds:DescribeGlobalClusters",
    "rds:DescribeIntegrations",
    "scheduler:ListTagsForResource",
    "secretsmanager:DescribeSecret",
    # The data source of a quota reads its default first.
    "servicequotas:GetAWSDefaultServiceQuota",
    "servicequotas:GetServiceQuota",
    "sns:GetSubscriptionAttributes",
    "sts:GetCallerIdentity",
  ]

  # Plans, each under its SHA-256. A plan has the values of the state.
  plan_arns  = { for environment in keys(var.environments) : environment => "${aws_s3_bucket.state.arn}/plans/${environment}/*" }
  state_arns = { for environment, key in local.state_keys : environment => "${aws_s3_bucket.state.arn}/${key}" }

  plan_statements = {
    for environment, settings in var.environments : environment => concat(
      [
        { Sid = "ReadConfiguration", Effect = "Allow", Action = local.read_actions, Resource = ["*"] },
        {
          Sid      = "ReadByName"
          Effect   = "Allow"
          Action   = local.read_named_actions
          Resource = local.resources[environment].readable
        },
        # An HTTP API and a mapping have no names. REST APIs and their keys are out of reach.
        {
          Sid    = "ReadApi"
          Effect = "Allow"
          Action = ["apigateway:GET"]
          Resource = [
            "arn:${local.partition}:apigateway:*::/apis", "arn:${local.partition}:apigateway:*::/apis/*",
            "arn:${local.partition}:apigateway:*::/tags/*",
          ]
        },
        {
          Sid      = "ReadMapping"
          Effect   = "Allow"
          Action   = ["lambda:GetEventSourceMapping", "lambda:ListTags"]
          Resource = ["arn:${local.partition}:lambda:*:${local.account_id}:event-source-mapping:*"]
        },
        {
          Sid    = "ReadRoles"
          Effect = "Allow"
          Action = [
            "iam:GetPolicy", "iam:GetPolicyVersion", "iam:GetRole", "iam:GetRolePolicy",
            "iam:ListAttachedRolePolicies", "iam:ListPolicyVersions", "iam:ListRolePolicies",
          ]
          Resource = [local.resources[environment].roles, local.resources[environment].policies]
        },
        {
          Sid       = "FindState"
          Effect    = "Allow"
          Action    = ["s3:ListBucket"]
          Resource  = [aws_s3_bucket.state.arn]
          Condition = { StringLike = { "s3:prefix" = [local.state_keys[environment]] } }
        },
        { Sid = "ReadState", Effect = "Allow", Action = ["s3:GetObject"], Resource = [local.state_arns[environment]] },
      ],
      length(local.resources[environment].buckets) == 0 ? [] : [{
        Sid    = "ReadBucket"
        Effect = "Allow"
        # The provider reads all of a bucket's settings, and stops where one is denied.
        Action = [
          "s3:GetAccelerateConfiguration", "s3:GetBucket*", "s3:GetEncryptionConfiguration",
          "s3:GetLifecycleConfiguration", "s3:GetReplicationConfiguration", "s3:ListBucket",
        ]
        Resource = local.resources[environment].buckets
      }],
    )
  }

  # The smoke test: it publishes by the topic, whose actions the role to apply has, and reads by the API. With the right
  # to any API, the pilot's would read production's rows.
  smoke_statements = {
    for environment, settings in var.environments : environment => [
      for id in settings.api_id[*] : {
        Sid      = "ReadByApi"
        Effect   = "Allow"
        Action   = ["execute-api:Invoke"]
        Resource = ["arn:${local.partition}:execute-api:*:${local.account_id}:${id}/$default/GET/*"]
      }
    ]
  }

  # The role to apply has those of planning and of the smoke test as well.
  apply_statements = {
    for environment, settings in var.environments : environment => concat(
      [
        {
          Sid    = "WriteState"
          Effect = "Allow"
          Action = ["s3:PutObject"]
          Resource = [
            local.state_arns[environment],
            "${local.state_arns[environment]}.tflock",
          ]
        },
        {
          Sid      = "Lock"
          Effect   = "Allow"
          Action   = ["s3:GetObject", "s3:DeleteObject"]
          Resource = ["${local.state_arns[environment]}.tflock"]
        },
        { Sid = "ReadPlan", Effect = "Allow", Action = ["s3:GetObject"], Resource = [local.plan_arns[environment]] },
        {
          Sid    = "ManageByName"
          Effect = "Allow"
          Action = [
            "budgets:*", "cloudwatch:*", "lambda:*", "logs:*", "rds:*", "scheduler:*", "sns:*", "sqs:*",
          ]
          Resource = concat(local.resources[environment].named, [local.resources[environment].dashboard])
        },
        # RDS asks for the right to the default groups as well, which a new cluster or instance names.
        {
          Sid    = "UseDefaultGroups"
          Effect = "Allow"
          Action = ["rds:CreateDBCluster", "rds:CreateDBInstance", "rds:ModifyDBCluster", "rds:ModifyDBInstance"]
          Resource = [
            "arn:${local.partition}:rds:*:${local.account_id}:og:default*",
            "arn:${local.partition}:rds:*:${local.account_id}:pg:default*",
          ]
        },
        # The id of an HTTP API is known after the first apply; until then, of any. Routes do not inherit their API's tags
        # for a condition (API Gateway Developer Guide, "API Gateway resources that can be tagged"). A tag's path has the
        # ARN of what it is on.
        {
          Sid    = "ManageApi"
          Effect = "Allow"
          Action = [
            "apigateway:DELETE", "apigateway:PATCH", "apigateway:POST", "apigateway:PUT", "apigateway:TagResource",
            "apigateway:UntagResource",
          ]
          Resource = [
            for path in settings.api_id == null ? ["apis", "apis/*", "tags/*"] : [
              "apis", "apis/${settings.api_id}", "apis/${settings.api_id}/*", "tags/*${settings.api_id}*",
            ] : "arn:${local.partition}:apigateway:*::/${path}"
          ]
        },
        # A mapping has no name, but its function has.
        {
          Sid       = "ManageMapping"
          Effect    = "Allow"
          Action    = ["lambda:CreateEventSourceMapping", "lambda:DeleteEventSourceMapping", "lambda:UpdateEventSourceMapping"]
          Resource  = ["*"]
          Condition = { ArnLike = { "lambda:FunctionArn" = local.resources[environment].functions } }
        },
        {
          Sid      = "TagMapping"
          Effect   = "Allow"
          Action   = ["lambda:TagResource", "lambda:UntagResource"]
          Resource = ["arn:${local.partition}:lambda:*:${local.account_id}:event-source-mapping:*"]
        },
        # These support no resources; of SNS, all that name a subscription and no topic. A composite alarm must be put
        # with "*" (CloudWatch API Reference, "PutCompositeAlarm").
        {
          Sid    = "ManageWithoutNames"
          Effect = "Allow"
          Action = [
            "cloudwatch:PutCompositeAlarm",
            "logs:CreateLogDelivery", "logs:DeleteLogDelivery", "logs:DescribeResourcePolicies",
            "logs:GetLogDelivery", "logs:ListLogDeliveries", "logs:PutResourcePolicy", "logs:UpdateLogDelivery",
            "sns:SetSubscriptionAttributes", "sns:Unsubscribe",
          ]
          Resource = ["*"]
        },
        # For RDS, which makes the secret of the master user with the rights of who makes the cluster.
        {
          Sid       = "LetRdsKeepItsSecret"
          Effect    = "Allow"
          Action    = ["secretsmanager:CreateSecret", "secretsmanager:TagResource"]
          Resource  = ["arn:${local.partition}:secretsmanager:*:${local.account_id}:secret:rds!cluster-*"]
          Condition = { Bool = { "aws:ViaAWSService" = "true" } }
        },
        {
          Sid      = "UseKeys"
          Effect   = "Allow"
          Action   = ["kms:CreateGrant", "kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"]
          Resource = ["arn:${local.partition}:kms:*:${local.account_id}:key/*"]
          Condition = {
            "ForAnyValue:StringEquals" = { "kms:ResourceAliases" = ["alias/${settings.name}", "alias/aws/rds", "alias/aws/sns", "alias/aws/secretsmanager"] }
          }
        },
        {
          Sid    = "ManageRolesInTheBoundary"
          Effect = "Allow"
          Action = [
            "iam:AttachRolePolicy", "iam:CreateRole", "iam:DeleteRolePolicy", "iam:DetachRolePolicy",
            "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy", "iam:UpdateAssumeRolePolicy",
          ]
          Resource  = [local.resources[environment].roles]
          Condition = { StringEquals = { "iam:PermissionsBoundary" = aws_iam_policy.boundary[environment].arn } }
        },
        {
          Sid    = "ManageRoles"
          Effect = "Allow"
          Action = [
            "iam:CreatePolicy", "iam:DeletePolicy", "iam:DeletePolicyVersion", "iam:DeleteRole",
            "iam:ListInstanceProfilesForRole", "iam:TagPolicy", "iam:TagRole", "iam:UntagPolicy", "iam:UntagRole",
            "iam:UpdateRole", "iam:UpdateRoleDescription",
          ]
          Resource = [local.resources[environment].roles, local.resources[environment].policies]
        },
        {
          Sid      = "PassRoles"
          Effect   = "Allow"
          Action   = ["iam:PassRole"]
          Resource = [local.resources[environment].roles]
          Condition = {
            StringEquals = {
              "iam:PassedToService" = [
                "lambda.amazonaws.com", "monitoring.rds.amazonaws.com", "scheduler.amazonaws.com",
                "vpc-flow-logs.amazonaws.com",
              ]
            }
          }
        },
        # An account that never had a database or an HTTP API.
        {
          Sid      = "MakeServiceRoles"
          Effect   = "Allow"
          Action   = ["iam:CreateServiceLinkedRole"]
          Resource = ["arn:${local.partition}:iam::${local.account_id}:role/aws-service-role/*"]
          Condition = {
            StringEquals = { "iam:AWSServiceName" = ["ops.apigateway.amazonaws.com", "rds.amazonaws.com"] }
          }
        },
      ],
      # The policies for people are the only ones of the modules. A new version is in force for everybody who has the
      # policy, so without an upper limit for people it could make each of them an administrator.
      !settings.operators_bounded ? [] : [{
        Sid      = "ChangePoliciesForPeople"
        Effect   = "Allow"
        Action   = ["iam:CreatePolicyVersion"]
        Resource = [local.resources[environment].policies]
      }],
      length(local.resources[environment].buckets) == 0 ? [] : [{
        Sid    = "ManageBucket"
        Effect = "Allow"
        Action = [
          "s3:CreateBucket", "s3:DeleteBucket", "s3:DeleteBucketPolicy", "s3:PutBucket*",
          "s3:PutEncryptionConfiguration", "s3:PutLifecycleConfiguration",
        ]
        Resource = local.resources[environment].buckets
      }],
    )
  }
}
