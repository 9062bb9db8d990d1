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
          for action in statement.Action : can(regex("^[a-z0-9-]+:(Get|List|Describe|GET)", action))
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

  assert {
    condition = alltrue([
      for environment, policy in aws_iam_role_policy.plan :
      [for statement in jsondecode(policy.policy).Statement : statement.Resource if contains(statement.Action, "s3:GetObject")] ==
      [["arn:aws:s3:::events-test-exports/${environment}.tfstate"]]
    ])
    error_message = "One environment does not read the state of another."
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
        if length(setintersection(statement.Action, ["iam:CreateRole", "iam:PutRolePolicy", "iam:AttachRolePolicy"])) > 0
      ]
    ]))
    error_message = "Who applies could otherwise make a role that may do everything."
  }

  assert {
    condition = alltrue([
      for policy in aws_iam_policy.apply :
      !strcontains(policy.policy, "iam:DeleteRolePermissionsBoundary") && !strcontains(policy.policy, "iam:*")
    ])
    error_message = "The boundary must stay."
  }

  assert {
    condition     = alltrue([for policy in aws_iam_policy.boundary : !strcontains(policy.policy, "iam:") && !strcontains(policy.policy, "sts:")])
    error_message = "No role of a pipeline may change roles or become another."
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

run "role_to_apply_reaches_no_network_of_others" {
  module {
    source = "./bootstrap"
  }

  assert {
    condition = alltrue(flatten([
      for environment, policy in aws_iam_policy.apply_network : [
        for statement in jsondecode(policy.policy).Statement :
        try(statement.Condition.StringEquals["aws:ResourceTag/Pipeline"], "") == var.environments[environment].name
        if anytrue([
          for action in statement.Action :
          can(regex("^ec2:(Delete|Modify|Replace|Release|Detach|Disassociate)", action)) && action != "ec2:DeleteNetworkInterface"
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
      }
    }
  }

  # jsonencode writes no white space, which AWS would not count.
  assert {
    condition = alltrue([
      for policy in concat(values(aws_iam_policy.apply), values(aws_iam_policy.apply_network)) :
      length(policy.policy) <= 6144
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
