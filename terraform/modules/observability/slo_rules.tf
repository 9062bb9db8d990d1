# What the pipeline promises, and how fast a broken promise may spend its error budget before somebody is called: the
# multi-window, multi-burn-rate alerts of the SRE workbook ("Alerting on SLOs", 6). No resource here, so that a test
# can evaluate this file by itself: console/tests/deploy replays incidents against it.

locals {
  slo_window_days = 30

  # Each ratio is `bad` by `total`; a service that sends no zeros has a FILL. shared/pipeline/src/slo has the same
  # objectives, which a test compares. `late` has none: the ingest sends zeros, and an earlier version of it nothing,
  # whose events must not count as late.
  slos = {
    freshness = {
      promise           = "events are stored within 60 s of their publish"
      objective_percent = 99
      total             = "stored"
      bad               = "late"
      metrics = {
        stored = { metric = "stored", stat = "Sum", source = local.slo_sources.ingest }
        late   = { metric = "late", stat = "Sum", source = local.slo_sources.ingest }
      }
    }
    durability = {
      promise           = "published events are stored, duplicates, dead letters or pending"
      objective_percent = 99.9
      total             = "published"
      bad               = "IF(${local.unaccounted} > 0, ${local.unaccounted}, 0)"
      metrics = {
        published     = { metric = "NumberOfMessagesPublished", stat = "Sum", source = local.slo_sources.topic }
        stored        = { metric = "stored", stat = "Sum", source = local.slo_sources.ingest }
        duplicates    = { metric = "duplicates", stat = "Sum", source = local.slo_sources.ingest }
        expired       = { metric = "expired", stat = "Sum", source = local.slo_sources.ingest }
        dead_lettered = { metric = "dead_lettered", stat = "Sum", source = local.slo_sources.ingest }
        waiting       = { metric = "ApproximateNumberOfMessagesVisible", stat = "Maximum", source = local.slo_sources.queue }
        in_flight     = { metric = "ApproximateNumberOfMessagesNotVisible", stat = "Maximum", source = local.slo_sources.queue }
        dead_most     = { metric = "ApproximateNumberOfMessagesVisible", stat = "Maximum", source = local.slo_sources.dead_letters }
        dead_least    = { metric = "ApproximateNumberOfMessagesVisible", stat = "Minimum", source = local.slo_sources.dead_letters }
        dead_removed  = { metric = "NumberOfMessagesDeleted", stat = "Sum", source = local.slo_sources.dead_letters }
      }
    }
    api-availability = {
      promise           = "requests to the API are answered without a 5xx"
      objective_percent = 99.9
      total             = "requests"
      bad               = "FILL(failures, 0)"
      metrics = {
        requests = { metric = "Count", stat = "Sum", source = local.slo_sources.api }
        failures = { metric = "5xx", stat = "Sum", source = local.slo_sources.api }
      }
    }
    api-latency = {
      promise           = "requests to the API are answered within 1 s"
      objective_percent = 99
      total             = "answers"
      # PR is the percentage of the values up to this one ("CloudWatch statistics definitions").
      bad = "answers * (1 - fast / 100)"
      metrics = {
        answers = { metric = "Latency", stat = "SampleCount", source = local.slo_sources.api }
        fast    = { metric = "Latency", stat = "PR(:1000)", source = local.slo_sources.api }
      }
    }
  }

  slo_sources = {
    ingest       = { namespace = "OpsConsole/Ingest", dimension = "FunctionName", value = local.ingest }
    topic        = { namespace = "AWS/SNS", dimension = "TopicName", value = var.topic_name }
    queue        = { namespace = "AWS/SQS", dimension = "QueueName", value = var.queue_name }
    dead_letters = { namespace = "AWS/SQS", dimension = "QueueName", value = var.dead_letter_queue_name }
    api          = { namespace = "AWS/ApiGateway", dimension = "ApiId", value = var.api_id }
  }

  # The balance of `opsconsole account` in one line. What waits and what came to the dead-letter queue are taken at their
  # most: that queue grew at most from its least to its most, and by what was deleted from it. Only a purge
  # and the end of the retention take dead letters that no metric counts; what a redrive takes is stored again.
  dead_more   = "(FILL(dead_most, 0) - FILL(dead_least, 0))"
  dead_new    = "IF(${local.dead_more} > FILL(dead_lettered, 0), ${local.dead_more}, FILL(dead_lettered, 0))"
  dead        = "(${local.dead_new} + FILL(dead_removed, 0))"
  pending     = "(FILL(waiting, 0) + FILL(in_flight, 0))"
  unaccounted = "(published - FILL(stored, 0) - FILL(duplicates, 0) - FILL(expired, 0) - ${local.dead} - ${local.pending})"

  # The workbook's table of windows: the long one says that the budget is being spent, the short one that it still is.
  # `fast` pages, `slow` can wait for the morning.
  slo_burns = {
    "1h" = { urgency = "fast", burn_rate = 14.4, long_secs = 3600, short_secs = 300 }
    "6h" = { urgency = "fast", burn_rate = 6, long_secs = 21600, short_secs = 1800 }
    "1d" = { urgency = "slow", burn_rate = 3, long_secs = 86400, short_secs = 7200 }
  }

  # The metrics of SNS and SQS and those of the log come at different times, minutes apart, and nobody promises which are
  # first (`opsconsole account` waits as long for them): until both are there, all that was just published looks
  # lost, or no loss does. So a loss counts that is in two of three parts of the short window, of which only the last
  # one can be incomplete. A window whose parts are shorter than the lag is left out, with its pair.
  slo_of_several_sources = ["durability"]
  slo_lag_secs           = 180
  slo_parts              = { for name in keys(local.slos) : name => contains(local.slo_of_several_sources, name) ? 3 : 1 }
  slo_pairs = {
    for name in keys(local.slos) : name => {
      for window, burn in local.slo_burns : window => burn
      if local.slo_parts[name] == 1 || burn.short_secs / local.slo_parts[name] >= local.slo_lag_secs
    }
  }

  slo_windows = merge([
    for name, slo in local.slos : merge([
      for window, burn in local.slo_pairs[name] : {
        for length in ["long", "short"] : "slo-${name}-${window}-${length}" => {
          slo            = name
          promise        = slo.promise
          burn_rate      = burn.burn_rate
          secs           = length == "long" ? burn.long_secs : burn.short_secs
          parts          = length == "long" ? 1 : local.slo_parts[name]
          parts_to_alarm = length == "long" ? 1 : ceil(local.slo_parts[name] / 2)
          threshold      = burn.burn_rate * (100 - slo.objective_percent) / 100
          metrics        = slo.metrics
          # Of fewer events one bad one would be a high share: the rest of the window is needed to judge.
          expression = format(
            "IF(%s >= %d, (%s) / %s, 0)",
            slo.total,
            length == "long" ? var.slo_events_min : ceil(
              var.slo_events_min * burn.short_secs / burn.long_secs / local.slo_parts[name]
            ),
            slo.bad,
            slo.total,
          )
        }
      }
    ]...)
  ]...)

  slo_alarms = merge([
    for name, slo in local.slos : {
      for urgency in ["fast", "slow"] : "slo-${name}-${urgency}" => {
        slo         = name
        description = "${slo.promise}: ${slo.objective_percent} % in ${local.slo_window_days} days; the error budget is being spent ${urgency == "fast" ? "so fast that somebody is needed now" : "too fast to last"}."
        rule = join(" OR ", [
          for window, burn in local.slo_pairs[name] :
          "(ALARM(\"${var.name}-slo-${name}-${window}-long\") AND ALARM(\"${var.name}-slo-${name}-${window}-short\"))"
          if burn.urgency == urgency
        ])
        # What a pause spent stays in the short window for as long.
        pause_extension_secs = max([for burn in local.slo_burns : burn.short_secs if burn.urgency == urgency]...)
      }
    }
  ]...)
}
