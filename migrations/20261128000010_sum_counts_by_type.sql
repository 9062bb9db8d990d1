-- Sums of the rollup: per hour and type for counts by type, and per type for the list of types and the total. They
-- hold what slot 0 of `event_counts` holds; a read adds the rows of the other slots. Only upkeep writes slot 0, in
-- the transaction that changes the sums, so a write of events costs nothing more. Therefore deletions and the count
-- of the past, which used slot 0, use slot -1.
-- not online: writers wait while the rollup is read once; it has a row for an hour, a type and a source, and no event
set local lock_timeout = '5s';

-- Writers wait until the sums are there: for as long as it takes to read the rollup, which has no record.
lock table event_counts in share row exclusive mode;

create table event_type_counts (
    hour timestamptz not null,
    type text collate "C" not null,
    events bigint not null,
    primary key (hour, type)
);

comment on table event_type_counts is 'Records per UTC hour and type, as far as upkeep has folded them.';
comment on column event_type_counts.hour is 'Start of the UTC hour in which the events occurred.';
comment on column event_type_counts.type is 'CloudEvents type.';
comment on column event_type_counts.events is 'Sum of slot 0 of event_counts.';

-- The last hour of each type.
create index event_type_counts_type on event_type_counts (type, hour);

create table event_type_totals (
    type text collate "C" primary key,
    events bigint not null
);

comment on table event_type_totals is 'Records per type, as far as upkeep has folded them.';
comment on column event_type_totals.type is 'CloudEvents type.';
comment on column event_type_totals.events is 'Sum of event_type_counts.';

insert into event_type_counts (hour, type, events)
select hour, type, sum(events) from event_counts where slot = 0 group by 1, 2 having sum(events) <> 0;

insert into event_type_totals (type, events)
select type, sum(events) from event_type_counts group by 1;

-- What is not folded. The count is not in it, so an update of the count changes no index.
create index event_counts_unfolded on event_counts (hour, type) where slot <> 0;

comment on column event_counts.slot is 'Part of the count: 0 what is folded, -1 deletions, others writes.';

create or replace function count_records() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    -- Null where everything is counted.
    uncounted_from timestamptz;
    uncounted_id_max bigint;
begin
    if tg_op = 'TRUNCATE' then
        delete from event_counts;
        delete from event_type_counts;
        delete from event_type_totals;
        return null;
    end if;
    if tg_op = 'DELETE' and to_regclass('event_counts_backfill') is not null then
        begin
            select b.filled_to, b.record_id_max into uncounted_from, uncounted_id_max
            from event_counts_backfill as b for share;
        exception
            -- Dropped while this waited: all are counted.
            when undefined_table then null;
        end;
    end if;
    insert into event_counts as c (hour, type, source, slot, events)
    select
        date_trunc('hour', occurred_at, 'UTC') as hour,
        type,
        source,
        case tg_op when 'INSERT' then 1 + pg_backend_pid() % 8 else -1 end as slot,
        case tg_op when 'INSERT' then count(*) else -count(*) end as events
    from changed
    where (occurred_at >= uncounted_from and record_id <= uncounted_id_max) is not true
    group by 1, 2, 3
    order by 1, 2, 3
    on conflict (hour, type, source, slot) do update set events = c.events + excluded.events;
    return null;
end
$$;
