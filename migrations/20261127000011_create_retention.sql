-- The retention horizon: events that occurred before it are not stored any more. Partition upkeep moves it
-- forward before it removes what is behind it, so that an event whose record and identity are gone is not
-- stored again when it is delivered again.
create table retention (
    horizon timestamptz not null,
    is_only_row boolean primary key default true check (is_only_row)
);

insert into retention (horizon) values ('-infinity');

-- Partitions that were detached because they expired. Their identities are deleted from the ledger in steps,
-- in the order of the primary key, before the table is dropped.
create table expired_partitions (
    name text primary key,
    partition_name text not null,
    pruned_to_time timestamptz not null,
    pruned_to_id bigint not null
);

comment on table retention is 'One row.';
comment on column retention.horizon is
'Events that occurred before it are not stored; it never moves back.';
comment on table expired_partitions is
'Detached partitions, until their identities are deleted and they are dropped.';
comment on column expired_partitions.name is 'Name of the table.';
comment on column expired_partitions.partition_name is 'Its name before it was detached.';
comment on column expired_partitions.pruned_to_time is
'occurred_at of the last record whose identity was deleted.';
comment on column expired_partitions.pruned_to_id is
'record_id of the last record whose identity was deleted.';
