provider "aws" {
  region = var.region

  default_tags {
    tags = {
      Pipeline    = var.name
      Environment = "production"
      ManagedBy   = "terraform"
    }
  }
}
