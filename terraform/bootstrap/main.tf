# What has to exist before the environments are deployed by a workflow, and outlives them: the bucket of their
# states, the trust in GitHub's tokens, a role to plan and a role to apply for each, and their keys.

provider "aws" {
  region = var.region

  default_tags {
    tags = {
      Pipeline  = "bootstrap"
      ManagedBy = "terraform"
    }
  }
}

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

locals {
  account_id = data.aws_caller_identity.current.account_id
  partition  = data.aws_partition.current.partition
  # The object that holds an environment's state, as .ci/deploy names it.
  state_keys = { for environment in keys(var.environments) : environment => "${environment}.tfstate" }
}

# Its policy lets this pipeline's topic in. A key stays when the pipeline is destroyed, so that the final snapshot
# can be read.
module "key" {
  source   = "../modules/key"
  for_each = { for environment, settings in var.environments : environment => settings if settings.key_enabled }

  name           = each.value.name
  publisher_arns = each.value.publisher_arns
}
