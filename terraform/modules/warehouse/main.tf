# What feeds a warehouse: a bucket for exports, and the replication to Redshift without copying. Both are
# off by default.

data "aws_partition" "current" {}

locals {
  bucket_count = var.export_bucket == null ? 0 : 1
}

resource "aws_s3_bucket" "export" {
  # checkov:skip=CKV_AWS_18:Who reads an export is in CloudTrail's data events, where an account wants them
  # checkov:skip=CKV_AWS_21:An export is a copy: it can be written again, and versions would keep erased events
  # checkov:skip=CKV_AWS_144:An export is a copy: it can be written again
  # checkov:skip=CKV_AWS_145:A key is a variable; without one S3 encrypts with its own
  # checkov:skip=CKV2_AWS_62:Nothing waits for the files
  count = local.bucket_count

  bucket        = var.export_bucket.name
  force_destroy = var.export_bucket.force_destroy
}

resource "aws_s3_bucket_public_access_block" "export" {
  count = local.bucket_count

  bucket                  = aws_s3_bucket.export[0].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "export" {
  # checkov:skip=CKV2_AWS_65:Access lists are switched off, which is what the check asks for
  count = local.bucket_count

  bucket = aws_s3_bucket.export[0].id
  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "export" {
  count = local.bucket_count

  bucket = aws_s3_bucket.export[0].id
  rule {
    bucket_key_enabled = true
    apply_server_side_encryption_by_default {
      sse_algorithm     = var.kms_key_arn == null ? "AES256" : "aws:kms"
      kms_master_key_id = var.kms_key_arn
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "export" {
  count = local.bucket_count

  bucket = aws_s3_bucket.export[0].id

  # Parts of an upload that was interrupted are billed until they are removed.
  rule {
    id     = "interrupted-uploads"
    status = "Enabled"
    filter {}
    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }

  dynamic "rule" {
    for_each = var.export_bucket.expire_after_days[*]

    content {
      id     = "expiry"
      status = "Enabled"
      filter {}
      expiration {
        days = rule.value
      }
    }
  }
}

resource "aws_s3_bucket_policy" "export" {
  count = local.bucket_count

  bucket = aws_s3_bucket.export[0].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "TlsOnly"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = [aws_s3_bucket.export[0].arn, "${aws_s3_bucket.export[0].arn}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })

  depends_on = [aws_s3_bucket_public_access_block.export]
}

# Redshift must allow the source before the integration exists (Aurora User Guide, "Getting started with
# Aurora zero-ETL integrations").
resource "aws_redshift_resource_policy" "source" {
  count = var.redshift == null ? 0 : 1

  resource_arn = var.redshift.namespace_arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect    = "Allow"
        Principal = { Service = "redshift.amazonaws.com" }
        Action    = "redshift:AuthorizeInboundIntegration"
        Resource  = var.redshift.namespace_arn
        Condition = { StringEquals = { "aws:SourceArn" = var.redshift.source_arn } }
      },
      {
        Effect    = "Allow"
        Principal = { AWS = "arn:${data.aws_partition.current.partition}:iam::${var.redshift.account_id}:root" }
        Action    = "redshift:CreateInboundIntegration"
        Resource  = var.redshift.namespace_arn
      },
    ]
  })
}

resource "aws_rds_integration" "redshift" {
  count = var.redshift == null ? 0 : 1

  integration_name = var.name
  source_arn       = var.redshift.source_arn
  target_arn       = var.redshift.namespace_arn
  # One database, its records and nothing else: the ledger is of no use to analysts.
  data_filter = "include: ${var.redshift.database_name}.public.records*"
  kms_key_id  = var.kms_key_arn

  depends_on = [aws_redshift_resource_policy.source]
}
