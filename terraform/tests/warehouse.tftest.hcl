mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name             = "events-test"
  functions_folder = "tests/functions"
  network          = { sqs_endpoint_enabled = true }
}

run "nothing_of_a_warehouse_by_default" {
  assert {
    condition     = output.export_bucket == null && length(module.warehouse.export_bucket_arn[*]) == 0 && !strcontains(aws_iam_policy.console.policy, "s3:")
    error_message = "The hooks must be off by default."
  }

  assert {
    condition     = !can(aws_lambda_invocation.migrate.triggers.publication)
    error_message = "There is no publication by default."
  }
}

run "publication_is_created_by_the_function_that_owns_the_tables" {
  variables {
    database  = { change_stream = "logical" }
    warehouse = { publication = "warehouse" }
  }

  assert {
    condition     = aws_lambda_invocation.migrate.triggers.publication == "warehouse" && local.migrate_variables.PUBLICATION == "warehouse"
    error_message = "The function must run again with the name."
  }
}

run "export_bucket_is_private_encrypted_and_of_the_console" {
  variables {
    warehouse = { export_bucket = { name = "events-test-exports", expire_after_days = 30 } }
  }

  assert {
    condition     = output.export_bucket == "events-test-exports"
    error_message = "The bucket must be an output."
  }

  assert {
    condition = toset(flatten([
      for statement in jsondecode(aws_iam_policy.console.policy).Statement : statement.Action
      if strcontains(jsonencode(statement.Resource), ":s3:::")
    ])) == toset(["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:ListBucket", "s3:PutObject"])
    error_message = "The console may do what an export does, and nothing else."
  }
}

run "export_bucket_refuses_the_public_and_plain_http" {
  module {
    source = "./modules/warehouse"
  }

  variables {
    name          = "events-test"
    export_bucket = { name = "events-test-exports", expire_after_days = 30 }
  }

  assert {
    condition = (
      aws_s3_bucket_public_access_block.export[0].block_public_acls &&
      aws_s3_bucket_public_access_block.export[0].block_public_policy &&
      aws_s3_bucket_public_access_block.export[0].ignore_public_acls &&
      aws_s3_bucket_public_access_block.export[0].restrict_public_buckets &&
      strcontains(aws_s3_bucket_policy.export[0].policy, "aws:SecureTransport")
    )
    error_message = "The bucket must be private, over TLS only."
  }

  assert {
    condition     = toset([for rule in aws_s3_bucket_lifecycle_configuration.export[0].rule : rule.id]) == toset(["interrupted-uploads", "expiry"])
    error_message = "Parts of interrupted uploads and old files must go."
  }

  assert {
    condition     = length(aws_rds_integration.redshift) == 0 && length(aws_redshift_resource_policy.source) == 0
    error_message = "A bucket needs no Redshift."
  }
}

run "redshift_gets_the_records_and_nothing_else" {
  module {
    source = "./modules/warehouse"
  }

  variables {
    name = "events-test"
    redshift = {
      namespace_arn = "arn:aws:redshift-serverless:us-east-1:111122223333:namespace/11111111-2222-3333-4444-555555555555"
      source_arn    = "arn:aws:rds:us-east-1:111122223333:cluster:events-test-database"
      database_name = "pipeline"
      account_id    = "111122223333"
    }
  }

  assert {
    condition     = aws_rds_integration.redshift[0].data_filter == "include: pipeline.public.records*" && aws_rds_integration.redshift[0].target_arn == var.redshift.namespace_arn
    error_message = "Only the records are replicated."
  }

  assert {
    condition     = jsondecode(aws_redshift_resource_policy.source[0].policy).Statement[0].Condition.StringEquals["aws:SourceArn"] == var.redshift.source_arn
    error_message = "Only this database may replicate into the namespace."
  }
}

run "redshift_without_its_change_stream_is_refused" {
  command = plan

  variables {
    warehouse = { redshift_namespace_arn = "arn:aws:redshift-serverless:us-east-1:111122223333:namespace/11111111-2222-3333-4444-555555555555" }
  }

  expect_failures = [var.warehouse]
}

run "publication_without_its_change_stream_is_refused" {
  command = plan

  variables {
    warehouse = { publication = "warehouse" }
  }

  expect_failures = [var.warehouse]
}

run "publication_whose_name_needs_quotes_is_refused" {
  command = plan

  variables {
    database  = { change_stream = "logical" }
    warehouse = { publication = "My Events" }
  }

  expect_failures = [var.warehouse]
}

run "wrong_names_are_refused" {
  command = plan
  module {
    source = "./modules/warehouse"
  }

  variables {
    name          = "events-test"
    export_bucket = { name = "Events_Test", expire_after_days = 0.5 }
    redshift = {
      namespace_arn = "arn:aws:s3:::events"
      source_arn    = "arn:aws:rds:us-east-1:111122223333:cluster:events-test-database"
      database_name = "pipeline"
      account_id    = "111122223333"
    }
  }

  expect_failures = [var.export_bucket, var.redshift]
}
