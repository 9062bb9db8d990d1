-- The views per hour and per day read the rollup: a count of the records never left a partition out, because
-- the time of a bucket is computed from `occurred_at`. A view reads with the rights of its owner, so that an
-- analyst needs none on the tables.
create or replace view analytics.events_per_hour as
select
    hour,
    type,
    source,
    sum(events)::bigint as events
from event_counts
group by 1, 2, 3
having sum(events) <> 0;

create or replace view analytics.events_per_day as
select
    date_trunc('day', hour, 'UTC') as day,
    type,
    source,
    sum(events)::bigint as events
from event_counts
group by 1, 2, 3
having sum(events) <> 0;
