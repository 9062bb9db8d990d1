# Each environment plans and applies as a whole, and matches its README.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  functions_folder = "tests/functions"
}

run "pilot_applies_as_a_whole" {
  module {
    source = "./environments/pilot"
  }

  assert {
    condition     = output.console.production == false && output.console.function_timeout_secs == 60
    error_message = "The console must know the pilot as a pilot."
  }

  assert {
    condition     = length(module.pipeline.slo_alarm_names) == 0
    error_message = "A pilot does not pay for alarms of objectives."
  }

  assert {
    condition     = local.tags == { Pipeline = "events-pilot", Environment = "pilot", ManagedBy = "terraform" }
    error_message = "Everything must be known by its tags: ${jsonencode(local.tags)}"
  }
}

run "tags_are_added_to_everything" {
  module {
    source = "./environments/pilot"
  }

  variables {
    tags = { CostCenter = "4711" }
  }

  assert {
    condition     = local.tags.CostCenter == "4711" && local.tags.Pipeline == "events-pilot"
    error_message = "The given tags come beside the others: ${jsonencode(local.tags)}"
  }
}

run "tags_that_are_set_already_are_refused" {
  command = plan
  module {
    source = "./environments/pilot"
  }
  variables {
    tags = { Environment = "production" }
  }
  expect_failures = [var.tags]
}

run "production_applies_as_a_whole_and_is_known_as_such" {
  module {
    source = "./environments/production"
  }

  variables {
    kms_key_arn = "arn:aws:kms:us-east-1:111122223333:key/22222222-2222-3333-4444-555555555555"
  }

  assert {
    condition     = output.console.production
    error_message = "The console must ask before it changes production."
  }

  assert {
    condition     = output.console.database_instances == 2 && output.console.ingest_memory_mib == 1024
    error_message = "The console estimates costs with what production has."
  }

  assert {
    condition     = length(module.pipeline.slo_alarm_names) == 8
    error_message = "Production keeps its promises, or somebody is called: ${jsonencode(module.pipeline.slo_alarm_names)}"
  }
}

run "local_is_the_emulator_and_names_no_password" {
  module {
    source = "./environments/local"
  }

  variables {
    endpoint_url = "http://127.0.0.1:4566"
    database_url = "postgres://me:secret@127.0.0.1:5432/pipeline"
  }

  assert {
    condition     = output.console.database_url == "postgres://me@127.0.0.1:5432/pipeline"
    error_message = "The password must not reach the console's configuration: ${output.console.database_url}"
  }

  assert {
    condition     = output.console.api_auth == "iam" && output.console.database_auth == null
    error_message = "Calls to the API are signed, and the log-in to a database that is there already is its own affair."
  }

  assert {
    condition     = output.console.endpoint_url == "http://127.0.0.1:4566" && startswith(output.console.api_url, "http://127.0.0.1:4566/_aws/execute-api/")
    error_message = "The API is below a path of the emulator: ${output.console.api_url}"
  }
}
