# What the pipeline may cost in a month. A budget only notifies: it stops nothing.

resource "aws_budgets_budget" "monthly" {
  count = var.monthly_budget_usd == null || length(var.notification_emails) == 0 ? 0 : 1

  name         = "${var.name}-monthly"
  budget_type  = "COST"
  time_unit    = "MONTHLY"
  limit_amount = tostring(var.monthly_budget_usd)
  limit_unit   = "USD"

  # The pipeline's share of the account, by the tag that every environment sets.
  cost_filter {
    name   = "TagKeyValue"
    values = [format("user:Pipeline$%s", var.name)]
  }

  dynamic "notification" {
    for_each = { ACTUAL = 80, FORECASTED = 100 }

    content {
      notification_type          = notification.key
      comparison_operator        = "GREATER_THAN"
      threshold                  = notification.value
      threshold_type             = "PERCENTAGE"
      subscriber_email_addresses = var.notification_emails
    }
  }
}
