-- A record that is deleted before the function `migrate` has counted it is not taken from its count: it was
-- never added. Those are the records from `filled_to` on, up to `record_id_max` (see `create_event_counts`).
--
-- The lock on the row of `event_counts_backfill` orders a deletion and a step of the count: a step locks the row
-- before it looks at the records, so that it sees what a deletion that came before has committed, and a deletion
-- that comes after sees how far the step went.
set local lock_timeout = '5s';

create or replace function count_records() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    -- Null where everything is counted.
    uncounted_from timestamptz;
    uncounted_id_max bigint;
begin
    if tg_op = 'TRUNCATE' then
        delete from event_counts;
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
        case tg_op when 'INSERT' then 1 + pg_backend_pid() % 8 else 0 end as slot,
        case tg_op when 'INSERT' then count(*) else -count(*) end as events
    from changed
    where (occurred_at >= uncounted_from and record_id <= uncounted_id_max) is not true
    group by 1, 2, 3
    order by 1, 2, 3
    on conflict (hour, type, source, slot) do update set events = c.events + excluded.events;
    return null;
end
$$;
