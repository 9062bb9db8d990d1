-- The rollup: records per hour, type and source. A trigger on `records` keeps it in the same transaction, for
-- each statement that inserts, deletes or truncates there, whoever sends it. Records are never updated.
-- Partition upkeep, which detaches whole partitions, takes their counts away itself.
--
-- The records that exist already are counted by the function `migrate`, in steps: those up to
-- `record_id_max` of `event_counts_backfill`. Until that table is dropped, the counts are too small.
set local lock_timeout = '5s';

create table event_counts (
    hour timestamptz not null,
    type text collate "C" not null,
    source text collate "C" not null,
    -- Two writes that count in the same row wait for each other, so a connection counts in one of several.
    -- Slot 0 is that of upkeep and deletions; upkeep moves the others there when the hour is over.
    slot smallint not null,
    events bigint not null,
    primary key (hour, type, source, slot)
)
-- Room in each page for new versions of its rows, so that an update changes no index.
with (fillfactor = 50);

comment on table event_counts is 'Records per UTC hour, type and source: the sum over the slots.';
comment on column event_counts.hour is 'Start of the UTC hour in which the events occurred.';
comment on column event_counts.type is 'CloudEvents type.';
comment on column event_counts.source is 'CloudEvents source.';
comment on column event_counts.slot is 'Part of the count.';
comment on column event_counts.events is 'Records of this slot; negative where others counted them.';

-- No deadlock between writes: the rows of the ledger are locked first, in one order; this trigger runs at the
-- end of the statement and locks the rows of its slot, again in one order. A transaction that waits here holds
-- no later row of either.
create function count_records() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    if tg_op = 'TRUNCATE' then
        delete from event_counts;
        return null;
    end if;
    insert into event_counts as c (hour, type, source, slot, events)
    select
        date_trunc('hour', occurred_at, 'UTC') as hour,
        type,
        source,
        case tg_op when 'INSERT' then 1 + pg_backend_pid() % 8 else 0 end as slot,
        case tg_op when 'INSERT' then count(*) else -count(*) end as events
    from changed
    group by 1, 2, 3
    order by 1, 2, 3
    on conflict (hour, type, source, slot) do update set events = c.events + excluded.events;
    return null;
end
$$;

-- A trigger runs without this right; whoever has it could attach the function to a table of their own.
revoke execute on function count_records() from public;

-- From here on every write is counted, and no other one is open.
create trigger count_inserted after insert on records
referencing new table as changed
for each statement execute function count_records();

create trigger count_deleted after delete on records
referencing old table as changed
for each statement execute function count_records();

create trigger count_truncated after truncate on records
for each statement execute function count_records();

create table event_counts_backfill (
    filled_to timestamptz not null,
    record_id_max bigint not null
);
insert into event_counts_backfill (filled_to, record_id_max)
select '-infinity', case when is_called then last_value else 0 end from event_keys_record_id_seq;
