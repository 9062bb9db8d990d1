-- The records, partitioned by the time at which the event occurred. The default partition takes
-- what no other one covers, so that no event is refused for its date; partition upkeep moves rows
-- out of it when it creates the partition that they belong to.
create table records (
    record_id bigint not null,
    source text not null,
    id text not null,
    type text not null,
    subject text,
    occurred_at timestamptz not null,
    -- The clock, not the start of the transaction: the difference to occurred_at is the lag of the
    -- pipeline, and a statement that waited must not look quick.
    ingested_at timestamptz not null default clock_timestamp(),
    payload jsonb not null,
    primary key (occurred_at, record_id)
) partition by range (occurred_at);

create index records_type on records (type, occurred_at, record_id);
create index records_source on records (source, occurred_at, record_id);

create table records_default partition of records default;

comment on table records is 'The stored events, range-partitioned by occurred_at.';
comment on column records.record_id is 'Identity from the ledger (event_keys), in order of arrival.';
comment on column records.source is 'CloudEvents source.';
comment on column records.id is 'CloudEvents id.';
comment on column records.type is 'CloudEvents type.';
comment on column records.subject is 'CloudEvents subject.';
comment on column records.occurred_at is 'CloudEvents time, to the microsecond.';
comment on column records.ingested_at is 'Clock of the database when the row was written.';
comment on column records.payload is 'The whole event.';
