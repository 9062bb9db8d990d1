# Also on what AWS makes for a resource: snapshots, and the secret of the master user.
locals {
  tags = merge(var.tags, {
    Pipeline    = var.name
    Environment = "production"
    ManagedBy   = "terraform"
  })
}

provider "aws" {
  region = var.region

  default_tags {
    tags = local.tags
  }
}
