# The pipeline as a whole, and what only the whole can tell.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  functions_folder = "tests/functions"
  network          = { sqs_endpoint_enabled = true }
}

run "console_entry_has_the_fields_of_its_configuration" {
  assert {
    condition = toset(keys(output.console)) == toset([
      "region", "endpoint_url", "topic_arn", "queue_url", "dead_letter_queue_url", "api_url",
      "database_url", "ingest_function", "function_timeout_secs", "production", "read_only",
    ])
    error_message = "The console refuses unknown keys and misses absent ones."
  }

  assert {
    condition     = output.console.database_url == "postgres://analyst@events-test-database.cluster-abcdefghijkl.us-east-1.rds.amazonaws.com:5432/pipeline?sslmode=verify-full"
    error_message = "The console reads as analyst, over verified TLS and without a password: ${output.console.database_url}"
  }
}
