-- What analysts query. Their roles are granted this schema and nothing else, so that the tables
-- behind it can change.
create schema analytics;

create view analytics.events as
select
    record_id,
    source,
    id,
    type,
    subject,
    occurred_at,
    ingested_at,
    ingested_at - occurred_at as ingest_lag,
    payload -> 'data' as data,
    payload
from records;

create view analytics.events_per_hour as
select
    date_trunc('hour', occurred_at, 'UTC') as hour,
    type,
    source,
    count(*) as events
from records
group by 1, 2, 3;

create view analytics.events_per_day as
select
    date_trunc('day', occurred_at, 'UTC') as day,
    type,
    source,
    count(*) as events
from records
group by 1, 2, 3;

comment on schema analytics is 'Read-only views for analysts; stable names over changing tables.';
comment on view analytics.events is 'Every stored event, with its lag and its data.';
comment on view analytics.events_per_hour is 'Events per UTC hour, type and source.';
comment on view analytics.events_per_day is 'Events per UTC day, type and source.';
