-- Only a function `migrate` that keeps the sums with slot 0 changes slot 0. One of an earlier version, which is still
-- running while this is applied, would leave the sums wrong without a sign: its fold, and its removal of a partition,
-- fail instead, and the next run of this version does them.
create function refuse_change_without_sums() returns trigger
language plpgsql set search_path = public, pg_temp as $$
begin
    raise 'counts are folded by a newer version of the function migrate: deploy it'
        using errcode = 'object_not_in_prerequisite_state';
end
$$;

-- A statement that folds or forgets sets the mark in its transaction. Writes of events have other slots: for their rows
-- the condition alone is evaluated.
create trigger keep_sums_when_written before insert or update on event_counts
for each row when (new.slot = 0 and current_setting('opsconsole.keeps_sums', true) is distinct from 'on')
execute function refuse_change_without_sums();

create trigger keep_sums_when_deleted before delete on event_counts
for each row when (old.slot = 0 and current_setting('opsconsole.keeps_sums', true) is distinct from 'on')
execute function refuse_change_without_sums();

create or replace function count_records() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    -- Null where everything is counted.
    uncounted_from timestamptz;
    uncounted_id_max bigint;
begin
    if tg_op = 'TRUNCATE' then
        perform set_config('opsconsole.keeps_sums', 'on', true);
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
