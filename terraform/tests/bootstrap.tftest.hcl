# Who may deploy, and what that allows.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  repository   = "acme/events"
  state_bucket = "acme-terraform"
}

run "states_are_versioned_encrypted_and_private" {
  module {
    source = "./bootstrap"
  }

  assert {
    condition = (
      aws_s3_bucket_versioning.state.versioning_configuration[0].status == "Enabled" &&
      alltrue([for rule in aws_s3_bucket_server_side_encryption_configuration.state.rule : rule.apply_server_side_encryption_by_default[0].sse_algorithm == "AES256"]) &&
      aws_s3_bucket_public_access_block.state.block_public_acls &&
      aws_s3_bucket_public_access_block.state.block_public_policy &&
      aws_s3_bucket_public_access_block.state.ignore_public_acls &&
      aws_s3_bucket_public_access_block.state.restrict_public_buckets &&
      strcontains(aws_s3_bucket_policy.state.policy, "aws:SecureTransport") &&
      coalesce(aws_s3_bucket.state.force_destroy, false) == false
    )
    error_message = "An earlier state can be had back, and nobody else reads one."
  }
}

run "roles_are_for_one_repository_and_one_environment" {
  module {
    source = "./bootstrap"
  }

  assert {
    condition = alltrue([
      for environment, role in aws_iam_role.apply :
      jsondecode(role.assume_role_policy).Statement[0].Condition.StringEquals == {
        "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com"
        "token.actions.githubusercontent.com:sub" = ["repo:acme/events:environment:${environment}"]
      }
    ])
    error_message = "Only jobs of the environment may apply: it asks for the approval."
  }

  assert {
    condition = alltrue([
      for role in aws_iam_role.plan :
      jsondecode(role.assume_role_policy).Statement[0].Condition.StringEquals["token.actions.githubusercontent.com:sub"] ==
      ["repo:acme/events:pull_request", "repo:acme/events:ref:refs/heads/main"]
    ])
    error_message = "Pull requests and main may plan."
  }

  assert {
    condition = alltrue([
      for role in concat(values(aws_iam_role.plan), values(aws_iam_role.apply)) :
      !strcontains(role.assume_role_policy, "StringLike") && !strcontains(role.assume_role_policy, "*")
    ])
    error_message = "A pattern lets others in."
  }
}

run "role_to_plan_only_reads" {
  module {
    source = "./bootstrap"
  }

  assert {
    condition = alltrue(flatten([
      for policy in aws_iam_role_policy.plan : [
        for statement in jsondecode(policy.policy).Statement : [
          for action in statement.Action : can(regex("^[a-z0-9-]+:(Get|List|Describe|View|GET)", action)) || statement.Sid == "KeepPlan"
        ]
      ]
    ]))
    error_message = "Who opens a pull request must not change anything."
  }

  # These read what the pipeline carries.
  assert {
    condition = alltrue(flatten([
      for policy in aws_iam_role_policy.plan : [
        for statement in jsondecode(policy.policy).Statement : [
          for action in statement.Action : !contains([
            "secretsmanager:GetSecretValue", "sqs:ReceiveMessage", "logs:GetLogEvents", "logs:FilterLogEvents",
            "kms:Decrypt", "lambda:InvokeFunction", "rds-data:ExecuteStatement",
          ], action)
        ]
      ]
    ]))
    error_message = "Planning takes no message, no row, no log and no secret."
  }

  # A function's variables and code, and the user data of an instance, can contain secrets of others.
  assert {
    condition = alltrue(flatten([
      for environment, policy in aws_iam_role_policy.plan : [
        for statement in jsondecode(policy.policy).Statement : [
          for resource in statement.Resource :
          strcontains(resource, ":${var.environments[environment].name}") || strcontains(resource, "/${var.environments[environment].name}-") || strcontains(resource, ":event-source-mapping:")
        ]
        if anytrue([
          for action in statement.Action :
          can(regex("^(lambda:|sqs:|scheduler:GetSchedule$|sns:GetTopic|rds:DescribeDB)", action))
        ])
      ]
    ]))
    error_message = "Functions, topics, queues and databases are read by the names of the pipeline."
  }

  assert {
    condition = alltrue(flatten([
      for policy in aws_iam_role_policy.plan : [
        for statement in jsondecode(policy.policy).Statement : [
          for action in statement.Action :
          !strcontains(action, "*") && !can(regex("^ec2:.*(Instance|LaunchTemplate|Image|Snapshot|Volume)", action))
          if startswith(action, "ec2:") || startswith(action, "rds:") || startswith(action, "lambda:")
        ]
      ]
    ]))
    error_message = "ec2:Describe* shows the user data of every instance."
  }

  assert {
    condition = alltrue(flatten([
      for policy in aws_iam_role_policy.plan : [
        for statement in jsondecode(policy.policy).Statement : [
          for resource in statement.Resource : can(regex("::/(apis|tags)(/|$)", resource))
        ]
        if contains(statement.Action, "apigateway:GET")
      ]
    ]))
    error_message = "/apikeys shows the keys of REST APIs."
  }

  assert {
    condition = alltrue([
      for environment, policy in aws_iam_role_policy.plan :
      [for statement in jsondecode(policy.policy).Statement : statement.Resource if contains(statement.Action, "s3:GetObject")] ==
      [["arn:aws:s3:::events-test-exports/${environment}.tfstate"]]
    ])
    error_message = "One environment does not read the state of another."
  }

  assert {
    condition = alltrue([
      for environment, policy in aws_iam_role_policy.plan :
      [for statement in jsondecode(policy.policy).Statement : [statement.Action, statement.Resource] if statement.Sid == "KeepPlan"] ==
      [[["s3:PutObject"], ["arn:aws:s3:::events-test-exports/plans/${environment}/*"]]]
    ])
    error_message = "It writes plans of its environment and nothing else: no state above all."
  }
}

run "plans_are_kept_for_who_applies_and_for_a_week" {
  module {
    source = "./bootstrap"
  }

  assert {
    condition = alltrue([
      for environment, policy in aws_iam_policy.apply :
      contains(flatten([
        for statement in jsondecode(policy.policy).Statement : statement.Resource if contains(statement.Action, "s3:GetObject")
      ]), "arn:aws:s3:::events-test-exports/plans/${environment}/*") &&
      alltrue(flatten([
        for statement in jsondecode(policy.policy).Statement : [for resource in statement.Resource : !strcontains(resource, "/plans/")]
        if contains(statement.Action, "s3:PutObject")
      ]))
    ])
    error_message = "Who applies reads a plan, and writes none."
  }

  assert {
    condition = anytrue([
      for rule in aws_s3_bucket_lifecycle_configuration.state.rule :
      rule.status == "Enabled" && try(rule.filter[0].prefix, "") == "plans/" && try(rule.expiration[0].days, 0) == 7 && try(rule.noncurrent_version_expiration[0].noncurrent_days, 0) == 1
    ])
    error_message = "A plan has the values of a state, and goes after a week."
  }
}

run "role_to_apply_makes_roles_only_within_the_boundary" {
  module {
    source = "./bootstrap"
  }

  assert {
    condition = alltrue(flatten([
      for environment, policy in aws_iam_policy.apply : [
        for statement in jsondecode(policy.policy).Statement :
        try(statement.Condition.StringEquals["iam:PermissionsBoundary"], "") == aws_iam_policy.boundary[environment].arn
        if length(setintersection(statement.Action, ["iam:CreateRole", "iam:PutRolePolicy", "iam:AttachRolePolicy", "iam:UpdateAssumeRolePolicy"])) > 0
      ]
    ]))
    error_message = "Who applies could otherwise make a role that may do everything."
  }

  assert {
    condition = alltrue([
      for environment, policy in aws_iam_policy.apply : anytrue([
        for statement in jsondecode(policy.policy).Statement :
        contains(statement.Action, "cloudwatch:PutCompositeAlarm") && statement.Resource == ["*"]
        ]) && anytrue([
        for statement in jsondecode(policy.policy).Statement :
        contains(statement.Action, "budgets:*") &&
        contains(statement.Resource, "arn:aws:budgets::111122223333:budget/${var.environments[environment].name}-*")
      ])
    ])
    error_message = "AWS refuses composite alarms to a role whose right to them has names; a budget has one."
  }

  assert {
    condition = alltrue([
      for policy in aws_iam_policy.apply :
      !strcontains(policy.policy, "iam:DeleteRolePermissionsBoundary") && !strcontains(policy.policy, "iam:*")
    ])
    error_message = "The boundary must stay."
  }

  assert {
    condition = alltrue([
      for policy in concat(values(aws_iam_policy.boundary), values(aws_iam_policy.operators)) :
      !strcontains(policy.policy, "iam:") && !strcontains(policy.policy, "sts:")
    ])
    error_message = "No role of a pipeline may change roles or become another."
  }

  assert {
    condition = alltrue([
      for policy in aws_iam_policy.apply :
      !strcontains(policy.policy, "iam:CreatePolicyVersion") && !strcontains(policy.policy, "iam:SetDefaultPolicyVersion")
    ])
    error_message = "The policies NAME-console and NAME-analyst are attached to people: a new version could make each an administrator."
  }

  assert {
    condition = alltrue(flatten([
      for environment, policy in aws_iam_policy.apply : [
        for statement in jsondecode(policy.policy).Statement : [
          for resource in statement.Resource : strcontains(resource, var.environments[environment].name) || strcontains(resource, "role/aws-service-role/") if strcontains(resource, ":iam:")
        ]
      ]
    ]))
    error_message = "A role of another pipeline, or one that deploys, is out of reach."
  }
}

run "role_of_the_pilot_reaches_no_data_of_production" {
  module {
    source = "./bootstrap"
  }

  assert {
    condition = alltrue(flatten([
      for environment, policy in merge(
        { for environment, policy in aws_iam_policy.boundary : "roles ${environment}" => policy },
        { for environment, policy in aws_iam_policy.operators : "people ${environment}" => policy },
        ) : [
        for statement in jsondecode(policy.policy).Statement : [
          for resource in statement.Resource : resource != "*" if length(setintersection(statement.Action, [
            "kms:Decrypt", "lambda:InvokeFunction", "logs:PutLogEvents", "rds-data:ExecuteStatement", "rds-db:connect",
            "s3:GetObject", "secretsmanager:GetSecretValue", "sns:Publish", "sqs:ReceiveMessage", "sqs:SendMessage",
          ])) > 0
        ]
      ]
    ]))
    error_message = "What the pipeline carries is limited by name or tag."
  }

  assert {
    condition = alltrue([
      for statement in jsondecode(aws_iam_policy.boundary["pilot"].policy).Statement :
      anytrue([for operator in values(try(statement.Condition, {})) : strcontains(jsonencode(operator), "events-pilot")])
      if length(setintersection(statement.Action, ["kms:Decrypt", "secretsmanager:GetSecretValue"])) > 0
    ])
    error_message = "Keys and secrets have no names, so they are limited by alias and by the tag of their cluster."
  }

  assert {
    condition     = !strcontains(aws_iam_policy.boundary["pilot"].policy, "production")
    error_message = "Each pipeline has its own names."
  }

  # Nobody approves what the role to apply of the pilot does.
  assert {
    condition = alltrue([
      for policy in concat(values(aws_iam_policy.apply), values(aws_iam_role_policy.apply_read)) :
      !strcontains(policy.policy, "execute-api:")
    ])
    error_message = "Without the id of its API, the right to read by it would be to read by any."
  }

  assert {
    condition = alltrue(flatten([
      for environment, policy in aws_iam_policy.apply : [
        for statement in jsondecode(policy.policy).Statement :
        try(statement.Condition.ArnLike["lambda:FunctionArn"], "") == "arn:aws:lambda:*:111122223333:function:${var.environments[environment].name}-*"
        if length(setintersection(statement.Action, [
          "lambda:CreateEventSourceMapping", "lambda:DeleteEventSourceMapping", "lambda:UpdateEventSourceMapping",
        ])) > 0
      ]
    ]))
    error_message = "A mapping of another pipeline, which would stop its ingest, is out of reach: it is known by its function."
  }

  assert {
    condition = alltrue(flatten([
      for policy in aws_iam_policy.apply : [
        for statement in jsondecode(policy.policy).Statement : [
          for action in statement.Action : contains([
            "cloudwatch:PutCompositeAlarm", "lambda:CreateEventSourceMapping", "lambda:DeleteEventSourceMapping",
            "lambda:UpdateEventSourceMapping", "logs:CreateLogDelivery", "logs:DeleteLogDelivery",
            "logs:DescribeResourcePolicies", "logs:GetLogDelivery", "logs:ListLogDeliveries", "logs:PutResourcePolicy",
            "logs:UpdateLogDelivery", "sns:SetSubscriptionAttributes", "sns:Unsubscribe",
          ], action)
        ] if contains(statement.Resource, "*")
      ]
    ]))
    error_message = "Only what AWS cannot limit by name is allowed on everything."
  }

  assert {
    condition = alltrue(flatten([
      for policy in aws_iam_policy.operators : [
        for statement in jsondecode(policy.policy).Statement :
        try(statement.Condition.StringEquals["cloudwatch:namespace"], "") == "OpsConsole/Pipeline" && length(statement.Action) == 1
        if contains(statement.Action, "cloudwatch:PutMetricData")
      ]
    ]))
    error_message = "Who announces a pause sends no metric of a service or of somebody else."
  }
}

run "what_has_no_name_is_allowed_on_everything" {
  module {
    source = "./bootstrap"
  }

  # Taking away an address that was confirmed, and any change of the subscription of the queue.
  assert {
    condition = alltrue(flatten([
      for policy in aws_iam_policy.apply : [
        for action in ["sns:SetSubscriptionAttributes", "sns:Unsubscribe"] : anytrue([
          for statement in jsondecode(policy.policy).Statement :
          contains(statement.Action, action) && statement.Resource == ["*"]
        ])
      ]
    ]))
    error_message = "They name no topic, so AWS denies them to a right that does."
  }

  assert {
    condition = alltrue([
      for policy in aws_iam_policy.apply_network : anytrue([
        for statement in jsondecode(policy.policy).Statement :
        contains(statement.Action, "route53:AssociateVPCWithHostedZone") && statement.Resource == ["*"]
      ])
    ])
    error_message = "An endpoint gets its private name by a zone of Route 53."
  }
}

run "api_is_named_once_it_is_known" {
  module {
    source = "./bootstrap"
  }

  variables {
    environments = {
      pilot      = { name = "events-pilot", api_id = "abcdefghij" }
      production = { name = "events-production", api_id = "klmnopqrst" }
    }
  }

  assert {
    condition = [
      for statement in jsondecode(aws_iam_role_policy.apply_read["pilot"].policy).Statement : statement.Resource
      if contains(statement.Action, "execute-api:Invoke")
    ] == [["arn:aws:execute-api:*:111122223333:abcdefghij/$default/GET/*"]]
    error_message = "The smoke test reads by its own API."
  }

  # A route without authorization would show the rows to everybody.
  assert {
    condition = [
      for statement in jsondecode(aws_iam_policy.apply["pilot"].policy).Statement : statement.Resource
      if anytrue([for action in statement.Action : startswith(action, "apigateway:")])
      ] == [[
        "arn:aws:apigateway:*::/apis", "arn:aws:apigateway:*::/apis/abcdefghij", "arn:aws:apigateway:*::/apis/abcdefghij/*",
        "arn:aws:apigateway:*::/tags/*abcdefghij*",
    ]]
    error_message = "It makes APIs and changes its own."
  }

  assert {
    condition = alltrue(flatten([
      for environment, policy in aws_iam_policy.operators : [
        for statement in jsondecode(policy.policy).Statement :
        statement.Resource == ["arn:aws:execute-api:*:111122223333:${var.environments[environment].api_id}/*"]
        if contains(statement.Action, "execute-api:Invoke")
      ]
    ]))
    error_message = "People read by the API of their pipeline."
  }
}

run "api_id_that_is_an_address_is_refused" {
  command = plan
  module {
    source = "./bootstrap"
  }
  variables {
    environments = { pilot = { name = "events-pilot", api_id = "https://abcdefghij.execute-api.us-east-1.amazonaws.com" } }
  }
  expect_failures = [var.environments]
}

run "boundary_names_the_database_once_it_is_known" {
  module {
    source = "./bootstrap"
  }

  variables {
    environments = {
      pilot      = { name = "events-pilot", database_id = "cluster-ABCDEFGHIJKLMNOPQRSTUVWXYZ", operators_bounded = true }
      production = { name = "events-production" }
    }
  }

  assert {
    condition = alltrue(flatten([
      for policy in [aws_iam_policy.boundary["pilot"], aws_iam_policy.operators["pilot"]] : [
        for statement in jsondecode(policy.policy).Statement : [
          for resource in statement.Resource : strcontains(resource, ":dbuser:cluster-ABCDEFGHIJKLMNOPQRSTUVWXYZ/")
        ] if contains(statement.Action, "rds-db:connect")
      ]
    ]))
    error_message = "The users of another cluster have the same names."
  }

  assert {
    condition     = strcontains(aws_iam_policy.apply["pilot"].policy, "iam:CreatePolicyVersion") && !strcontains(aws_iam_policy.apply["production"].policy, "iam:CreatePolicyVersion")
    error_message = "Where people have their boundary, the role to apply may change their policies; else it may not."
  }
}

run "database_id_that_is_a_name_is_refused" {
  command = plan
  module {
    source = "./bootstrap"
  }
  variables {
    environments = { pilot = { name = "events-pilot", database_id = "events-pilot-database" } }
  }
  expect_failures = [var.environments]
}

run "secret_is_made_by_rds_alone" {
  module {
    source = "./bootstrap"
  }

  # RDS is not among the services that are sure to be in aws:CalledVia.
  assert {
    condition = alltrue(flatten([
      for policy in aws_iam_policy.apply : [
        for statement in jsondecode(policy.policy).Statement : [
          statement.Condition == { Bool = { "aws:ViaAWSService" = "true" } },
          alltrue([for resource in statement.Resource : strcontains(resource, ":secret:rds!cluster-")]),
        ] if contains(statement.Action, "secretsmanager:CreateSecret")
      ]
    ]))
    error_message = "Only with a call of RDS, and only a secret that RDS names."
  }
}

run "bucket_is_read_as_a_whole" {
  module {
    source = "./bootstrap"
  }

  variables {
    environments = { pilot = { name = "events-pilot", export_bucket = "acme-exports" } }
  }

  # The provider reads these beside those that match s3:GetBucket*, and stops where one is denied.
  assert {
    condition = alltrue([
      for policy in [aws_iam_role_policy.plan["pilot"], aws_iam_role_policy.apply_read["pilot"]] :
      length(setsubtract([
        "s3:GetAccelerateConfiguration", "s3:GetBucket*", "s3:GetEncryptionConfiguration",
        "s3:GetLifecycleConfiguration", "s3:GetReplicationConfiguration", "s3:ListBucket",
        ], flatten([
          for statement in jsondecode(policy.policy).Statement : statement.Action
          if contains(statement.Resource, "arn:aws:s3:::acme-exports")
      ]))) == 0
    ])
    error_message = "Without one of them, no plan of a pipeline with a bucket succeeds."
  }
}

run "role_to_apply_reaches_no_network_of_others" {
  module {
    source = "./bootstrap"
  }

  assert {
    condition = alltrue(flatten([
      for environment, policy in aws_iam_policy.apply_network : [
        for statement in jsondecode(policy.policy).Statement : [
          for resource in statement.Resource :
          endswith(resource, ":security-group-rule/*") ||
          try(statement.Condition.StringEquals["aws:ResourceTag/PipelineSecurityGroup"], "") == var.environments[environment].name
        ]
        if length(setintersection(statement.Action, [
          "ec2:AuthorizeSecurityGroupEgress", "ec2:AuthorizeSecurityGroupIngress", "ec2:DeleteSecurityGroup",
          "ec2:ModifySecurityGroupRules",
        ])) > 0
      ]
    ]))
    error_message = "Production's database must not be opened by the pilot."
  }

  # It is given with the creation, or never.
  assert {
    condition = alltrue(flatten([
      for policy in aws_iam_policy.apply_network : [
        for statement in jsondecode(policy.policy).Statement :
        can(statement.Condition.StringEquals["ec2:CreateAction"]) || try(statement.Condition.Null["aws:RequestTag/PipelineSecurityGroup"], "") == "true"
        if contains(statement.Action, "ec2:CreateTags")
      ]
    ]))
    error_message = "Whoever may give the tag to a group that exists may open it."
  }

  assert {
    condition = alltrue(flatten([
      for environment, policy in aws_iam_policy.apply_network : [
        for statement in jsondecode(policy.policy).Statement :
        try(statement.Condition.StringEqualsIfExists["aws:ResourceTag/Pipeline"], statement.Condition.StringEquals["aws:ResourceTag/PipelineSecurityGroup"], "") == var.environments[environment].name
        if contains(statement.Action, "ec2:RevokeSecurityGroupIngress")
      ]
    ]))
    error_message = "A group with the tag of somebody else keeps its rules."
  }

  assert {
    condition = alltrue(flatten([
      for environment, policy in aws_iam_policy.apply_network : [
        for statement in jsondecode(policy.policy).Statement : [
          for resource in statement.Resource :
          resource != "*" && (
            !can(regex(":(vpc|elastic-ip)/", resource)) ||
            try(statement.Condition.StringEquals["aws:ResourceTag/Pipeline"], "") == var.environments[environment].name
          )
        ]
        if length(setintersection(statement.Action, [
          "ec2:CreateNatGateway", "ec2:CreateSecurityGroup", "ec2:CreateSubnet", "ec2:CreateVpcEndpoint",
        ])) > 0
      ]
    ]))
    error_message = "Nothing is put into the VPC of somebody else."
  }

  assert {
    condition = alltrue(flatten([
      for environment, policy in aws_iam_policy.apply_network : [
        for statement in jsondecode(policy.policy).Statement :
        try(statement.Condition.StringEquals["aws:ResourceTag/Pipeline"], statement.Condition.StringEquals["aws:ResourceTag/PipelineSecurityGroup"], "") == var.environments[environment].name
        if anytrue([
          for action in statement.Action :
          can(regex("^ec2:(Delete|Modify|Replace|Release|Detach|Disassociate)", action)) && !contains(["ec2:DeleteNetworkInterface", "ec2:ModifySecurityGroupRules"], action)
        ])
      ]
    ]))
    error_message = "What exists is changed only where it has the pipeline's tag."
  }

  assert {
    condition = alltrue(flatten([
      for policy in concat(values(aws_iam_policy.apply), values(aws_iam_policy.apply_network)) : [
        for statement in jsondecode(policy.policy).Statement : [
          for action in statement.Action :
          !strcontains(action, "*") && !can(regex("(?i)(Snapshot|Instance|Volume|Image|Peering|Vpn)", action))
          if startswith(action, "ec2:")
          && !contains(local.read_actions, action)
        ]
      ]
    ]))
    error_message = "A snapshot of a disk could be shared with another account."
  }
}

run "pipelines_keep_to_the_names_of_their_policies" {
  module {
    source = "./bootstrap"
  }

  assert {
    condition     = contains(local.resources["pilot"].named, "arn:aws:sqs:*:111122223333:events-pilot-*") && contains(local.resources["pilot"].named, "arn:aws:rds:*:111122223333:cluster:events-pilot-*")
    error_message = "The pilot's queues and database have its name."
  }
}

run "production_has_a_key_that_stays" {
  module {
    source = "./bootstrap"
  }

  assert {
    condition     = keys(output.key_arns) == ["production"]
    error_message = "Only production has a key by default: ${jsonencode(keys(output.key_arns))}"
  }
}

run "existing_trust_in_github_is_used" {
  module {
    source = "./bootstrap"
  }

  variables {
    oidc_provider_arn = "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com"
  }

  assert {
    condition     = length(aws_iam_openid_connect_provider.github) == 0 && alltrue([for role in aws_iam_role.apply : strcontains(role.assume_role_policy, var.oidc_provider_arn)])
    error_message = "An account can have one provider of this URL."
  }
}

run "every_repository_is_refused" {
  command = plan
  module {
    source = "./bootstrap"
  }
  variables {
    repository = "acme/*"
  }
  expect_failures = [var.repository]
}

run "pipeline_named_like_the_roles_that_deploy_is_refused" {
  command = plan
  module {
    source = "./bootstrap"
  }
  variables {
    environments = { pilot = { name = "opsconsole-apply" } }
  }
  expect_failures = [var.environments]
}

run "names_that_begin_alike_are_refused" {
  command = plan
  module {
    source = "./bootstrap"
  }
  variables {
    environments = {
      pilot      = { name = "events" }
      production = { name = "events-production" }
    }
  }
  expect_failures = [var.environments]
}

run "longest_names_fit_into_the_policies" {
  module {
    source = "./bootstrap"
  }

  variables {
    environments = {
      pilot-of-the-region-a = {
        name          = "events-pilot-of-a-region-in-east"
        export_bucket = "a-bucket-for-exports-whose-name-is-as-long-as-s3-takes-it-here1"
        # With these, the most statements.
        database_id       = "cluster-ABCDEFGHIJKLMNOPQRSTUVWXYZ"
        api_id            = "abcdefghij"
        operators_bounded = true
      }
    }
  }

  # jsonencode writes no white space, which AWS would not count.
  assert {
    condition = alltrue([
      for policy in concat(
        values(aws_iam_policy.apply), values(aws_iam_policy.apply_network), values(aws_iam_policy.boundary),
        values(aws_iam_policy.operators),
      ) : length(policy.policy) <= 6144
    ])
    error_message = "A managed policy has at most 6,144 characters."
  }

  assert {
    condition     = alltrue([for policy in concat(values(aws_iam_role_policy.plan), values(aws_iam_role_policy.apply_read)) : length(policy.policy) <= 10240])
    error_message = "The inline policies of a role have at most 10,240 characters together."
  }
}

run "wrong_names_are_refused" {
  command = plan
  module {
    source = "./bootstrap"
  }
  variables {
    region            = "Virginia"
    state_bucket      = "Acme_Terraform"
    oidc_provider_arn = "arn:aws:iam::111122223333:oidc-provider/example.com"
  }
  expect_failures = [var.region, var.state_bucket, var.oidc_provider_arn]
}
