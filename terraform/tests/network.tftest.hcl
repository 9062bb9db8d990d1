mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name                    = "events-test"
  sqs_endpoint_queue_arns = ["arn:aws:sqs:us-east-1:111122223333:events-test-dead-letters"]
}

run "two_public_and_two_private_subnets_in_two_zones" {
  module {
    source = "./modules/network"
  }

  assert {
    condition     = toset([for subnet in aws_subnet.public : subnet.availability_zone]) == toset(["us-east-1a", "us-east-1b"])
    error_message = "The public subnets must lie in both zones."
  }

  assert {
    condition     = toset([for subnet in aws_subnet.private : subnet.availability_zone]) == toset(["us-east-1a", "us-east-1b"])
    error_message = "The private subnets must lie in both zones."
  }

  assert {
    condition     = length(distinct(concat(values(aws_subnet.public)[*].cidr_block, values(aws_subnet.private)[*].cidr_block))) == 4
    error_message = "No two subnets may share addresses."
  }

  assert {
    condition     = alltrue([for subnet in concat(values(aws_subnet.public), values(aws_subnet.private)) : !subnet.map_public_ip_on_launch])
    error_message = "Nothing may get a public address by itself."
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 0 && length(aws_route.private_internet) == 0 && length(aws_vpc_security_group_egress_rule.functions_to_internet) == 0
    error_message = "Without NAT, private subnets have no way out."
  }

  assert {
    condition     = !output.sqs_is_reachable && length(aws_vpc_endpoint.sqs) == 0
    error_message = "Without NAT and endpoint, SQS cannot be reached, and the output must be false."
  }
}

run "only_functions_reach_the_database" {
  module {
    source = "./modules/network"
  }

  assert {
    condition = (
      aws_vpc_security_group_ingress_rule.database_from_functions.security_group_id == aws_security_group.database.id &&
      aws_vpc_security_group_ingress_rule.database_from_functions.referenced_security_group_id == aws_security_group.functions.id &&
      aws_vpc_security_group_ingress_rule.database_from_functions.from_port == 5432 &&
      aws_vpc_security_group_ingress_rule.database_from_functions.to_port == 5432
    )
    error_message = "The database lets in the functions on its port, and nothing else."
  }

  assert {
    condition     = length(coalesce(aws_default_security_group.this.ingress, [])) == 0 && length(coalesce(aws_default_security_group.this.egress, [])) == 0
    error_message = "The default security group must be closed."
  }
}

run "one_nat_gateway_serves_all_zones" {
  module {
    source = "./modules/network"
  }

  variables {
    nat = "one"
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 1 && length(aws_route.private_internet) == 2 && output.sqs_is_reachable
    error_message = "Both private subnets must go by the only gateway."
  }

  assert {
    condition     = alltrue([for route in aws_route.private_internet : route.nat_gateway_id == aws_nat_gateway.this["us-east-1a"].id])
    error_message = "Both private subnets must go by the only gateway."
  }
}

run "one_nat_gateway_per_zone_serves_its_own" {
  module {
    source = "./modules/network"
  }

  variables {
    nat = "one-per-zone"
  }

  assert {
    condition     = alltrue([for zone in ["us-east-1a", "us-east-1b"] : aws_route.private_internet[zone].nat_gateway_id == aws_nat_gateway.this[zone].id])
    error_message = "Each private subnet must go by the gateway of its zone."
  }
}

run "endpoint_sends_to_the_dead_letter_queue_only" {
  module {
    source = "./modules/network"
  }

  variables {
    sqs_endpoint_enabled = true
  }

  assert {
    condition     = output.sqs_is_reachable && aws_vpc_endpoint.sqs[0].private_dns_enabled
    error_message = "Functions must find the endpoint under the name of SQS."
  }

  assert {
    condition = (
      jsondecode(aws_vpc_endpoint.sqs[0].policy).Statement[*].Action == ["sqs:SendMessage"] &&
      jsondecode(aws_vpc_endpoint.sqs[0].policy).Statement[0].Resource == ["arn:aws:sqs:us-east-1:111122223333:events-test-dead-letters"]
    )
    error_message = "The endpoint lets through what the functions need, and nothing else."
  }
}

run "flow_logs_may_write_their_own_group_only" {
  module {
    source = "./modules/network"
  }

  variables {
    flow_log_retention_days = 30
  }

  assert {
    condition     = alltrue([for statement in jsondecode(aws_iam_role_policy.flow[0].policy).Statement : statement.Resource == "${aws_cloudwatch_log_group.flow[0].arn}:*"])
    error_message = "The role of the flow logs writes to one log group."
  }
}

run "one_zone_is_refused" {
  command = plan
  module {
    source = "./modules/network"
  }
  variables {
    availability_zones = ["us-east-1a"]
  }
  expect_failures = [var.availability_zones]
}

run "the_same_zone_twice_is_refused" {
  command = plan
  module {
    source = "./modules/network"
  }
  variables {
    availability_zones = ["us-east-1a", "us-east-1a"]
  }
  expect_failures = [var.availability_zones]
}

run "unknown_nat_is_refused" {
  command = plan
  module {
    source = "./modules/network"
  }
  variables {
    nat = "two"
  }
  expect_failures = [var.nat]
}

run "endpoint_for_no_queue_is_refused" {
  command = plan
  module {
    source = "./modules/network"
  }
  variables {
    sqs_endpoint_enabled    = true
    sqs_endpoint_queue_arns = []
  }
  expect_failures = [var.sqs_endpoint_queue_arns]
}

run "block_too_small_for_the_subnets_is_refused" {
  command = plan
  module {
    source = "./modules/network"
  }
  variables {
    cidr_block = "10.20.0.0/28"
  }
  expect_failures = [var.cidr_block]
}

run "flow_logs_kept_for_ever_are_refused" {
  command = plan
  module {
    source = "./modules/network"
  }
  variables {
    flow_log_retention_days = 0
  }
  expect_failures = [var.flow_log_retention_days]
}

run "name_in_capitals_is_refused" {
  command = plan
  module {
    source = "./modules/network"
  }
  variables {
    name = "Events"
  }
  expect_failures = [var.name]
}

run "ipv6_lets_functions_out_and_nothing_in" {
  module {
    source = "./modules/network"
  }

  variables {
    ipv6_egress_enabled = true
  }

  assert {
    condition     = output.sqs_is_reachable && aws_vpc.this.assign_generated_ipv6_cidr_block
    error_message = "SQS has IPv6, so it can be reached."
  }

  assert {
    condition = (
      length(distinct([for subnet in aws_subnet.private : subnet.ipv6_cidr_block])) == 2 &&
      alltrue([for subnet in aws_subnet.private : endswith(subnet.ipv6_cidr_block, "/64") && subnet.assign_ipv6_address_on_creation])
    )
    error_message = "Lambda wants IPv6 in every subnet of a function, a /64 of its own."
  }

  assert {
    condition     = alltrue([for subnet in aws_subnet.public : subnet.ipv6_cidr_block == null])
    error_message = "The public subnets, which an internet gateway reaches, need no IPv6."
  }

  assert {
    condition = (
      length(aws_route.private_ipv6) == 2 &&
      alltrue([for route in aws_route.private_ipv6 : route.destination_ipv6_cidr_block == "::/0" && route.egress_only_gateway_id == aws_egress_only_internet_gateway.this[0].id])
    )
    error_message = "Both private subnets go out by the egress-only gateway, which lets nothing in."
  }

  assert {
    condition = (
      aws_vpc_security_group_egress_rule.functions_to_ipv6[0].cidr_ipv6 == "::/0" &&
      aws_vpc_security_group_egress_rule.functions_to_ipv6[0].from_port == 443 &&
      aws_vpc_security_group_egress_rule.functions_to_ipv6[0].to_port == 443
    )
    error_message = "Functions may open HTTPS connections, and no others."
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 0 && length(aws_vpc_endpoint.sqs) == 0
    error_message = "Nothing that is billed by the hour."
  }
}

run "no_ipv6_by_default" {
  module {
    source = "./modules/network"
  }

  assert {
    condition     = length(aws_egress_only_internet_gateway.this) == 0 && length(aws_route.private_ipv6) == 0 && length(aws_vpc_security_group_egress_rule.functions_to_ipv6) == 0 && alltrue([for subnet in aws_subnet.private : subnet.ipv6_cidr_block == null])
    error_message = "Without the variable there is no way out by IPv6."
  }
}

run "groups_have_the_tag_by_which_they_are_changed" {
  module {
    source = "./modules/network"
  }

  variables {
    name                    = "events-test"
    sqs_endpoint_enabled    = true
    sqs_endpoint_queue_arns = ["arn:aws:sqs:us-east-1:111122223333:events-test-dead-letters"]
  }

  assert {
    condition = alltrue([
      for group in [aws_security_group.functions, aws_security_group.database, aws_security_group.endpoint[0]] :
      try(group.tags.PipelineSecurityGroup, "") == var.name
    ])
    error_message = "Without it the role to apply can make a group and no rule of it."
  }

  assert {
    condition     = !contains(keys(aws_default_security_group.this.tags), "PipelineSecurityGroup")
    error_message = "The default group exists before it can be tagged: the tag would be refused."
  }
}
