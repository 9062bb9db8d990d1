-- The ledger: one row for each event that was ever stored, whatever partition holds its record and
-- whether that partition still exists. It makes the write idempotent for ever, which the
-- partitioned table cannot do (a unique constraint there must contain the partition key).
create table event_keys (
    source text not null,
    id text not null,
    record_id bigint generated always as identity,
    occurred_at timestamptz not null,
    -- The id stands first so that an event is also found by its id alone.
    primary key (id, source)
);

-- A record by its id (the ledger knows its partition key), and the newest record without a count.
create unique index event_keys_record_id on event_keys (record_id);

comment on table event_keys is 'One row for each event that was ever stored; never deleted from.';
comment on column event_keys.source is 'CloudEvents source.';
comment on column event_keys.id is 'CloudEvents id; unique together with source.';
comment on column event_keys.record_id is 'Identity of the record, in order of arrival.';
comment on column event_keys.occurred_at is 'Partition key of the record.';
