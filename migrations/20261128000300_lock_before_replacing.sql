-- The same function with two changes. It takes its lock on the table first: it took the lock of a reader and later that
-- of a writer, and so could wait in a circle with the creation of partitions. And it plans the partitions of the weeks
-- that its records are of, not all between the first and the last.
--
-- An erasure locks records of one partition after the other, and counts in between: it can wait in a circle with a
-- replacement of records of several partitions. PostgreSQL ends one of them, which is tried again.
create or replace function replace_records(
    replaced bigint [],
    times timestamptz [],
    sources text [],
    ids text [],
    types text [],
    subjects text [],
    payloads text [],
    -- First number of the advisory locks of writes, see `shared/store/src/arrivals.rs`.
    arrival_lock int
) returns table (place bigint, outcome text, record_id bigint)
language plpgsql security definer
set search_path = public, pg_temp
-- Each record is found by the primary key of its partition, and only the partitions between the first and the
-- last time are planned.
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set plan_cache_mode = force_custom_plan
as $$
#variable_conflict use_column
declare
    horizon_now timestamptz;
    identities uuid[];
    locked bigint[];
    -- Of each message the record of its identity: its id, its time, and whether it has the text of the message;
    -- null where there is no record.
    known_ids bigint[];
    known_times timestamptz[];
    are_same boolean[];
    -- Records are read and locked week by week, so that the partitions between two far times are not planned.
    week record;
    is_same boolean;
    -- The messages that are applied, and their new records.
    chosen bigint[];
    new_ids bigint[];
    deleted bigint;
    updated bigint := 0;
begin
    -- Upgraded later, the lock would wait in a circle with the creation of a partition.
    lock table only records in row exclusive mode;
    select horizon into horizon_now from retention;
    select array_agg(event_identity(source, id) order by position) into identities
    from unnest(sources, ids) with ordinality as m (source, id, position);
    if (select count(distinct identity) from unnest(identities) as i (identity)) <> cardinality(identities) then
        raise 'an identity occurs twice' using errcode = 'cardinality_violation';
    end if;

    -- A row that another replacement has changed meanwhile does not match any more, and is not locked.
    select array_agg(position) into locked from (
        select m.position
        from unnest(identities, replaced, times) with ordinality as m (identity, record_id, time, position)
        join event_identities as k using (identity)
        where k.record_id = m.record_id and k.occurred_at >= horizon_now and m.time >= horizon_now
        order by k.identity
        for update of k
    ) as l;

    select array_agg(k.record_id order by m.position), array_agg(k.occurred_at order by m.position),
        array_agg(null::boolean)
    into known_ids, known_times, are_same
    from unnest(identities) with ordinality as m (identity, position)
    left join event_identities as k using (identity);

    for week in
        select min(time) as first, max(time) as last
        from unnest(known_times) as k (time)
        where time is not null
        group by date_bin('7 days', time, timestamptz '2000-01-03 00:00+00')
        order by 1
    loop
        -- An erasure does not lock the ledger.
        perform from unnest(locked) as l (position)
        join records as r
            on r.occurred_at = known_times[l.position] and r.record_id = known_ids[l.position]
        where r.occurred_at between week.first and week.last
        order by r.occurred_at, r.record_id
        for update of r;

        for place, is_same in
            select m.position, r.payload::text = m.payload::jsonb::text
            from unnest(known_ids, known_times, payloads) with ordinality as m (id, time, payload, position)
            join records as r on r.occurred_at = m.time and r.record_id = m.id
            where r.occurred_at between week.first and week.last
        loop
            are_same[place] := is_same;
        end loop;
    end loop;

    -- No record id is taken before the lock.
    perform pg_advisory_xact_lock_shared(arrival_lock, (((last_value - 1) << 32) >> 32)::int)
    from event_keys_record_id_seq;
    select array_agg(position order by position), array_agg(nextval('event_keys_record_id_seq') order by position)
    into chosen, new_ids
    from unnest(locked) as l (position)
    where not are_same[position];

    insert into records (record_id, source, id, type, subject, occurred_at, payload)
    select new_id, sources[position], ids[position], types[position], subjects[position],
        times[position], payloads[position]::jsonb
    from unnest(chosen, new_ids) as c (position, new_id);

    for week in
        select min(known_times[position]) as first, max(known_times[position]) as last
        from unnest(chosen) as c (position)
        group by date_bin('7 days', known_times[position], timestamptz '2000-01-03 00:00+00')
        order by 1
    loop
        delete from records as r using unnest(chosen) as c (position)
        where r.occurred_at between week.first and week.last
            and r.occurred_at = known_times[c.position] and r.record_id = known_ids[c.position];
        get diagnostics deleted = row_count;
        updated := updated + deleted;
    end loop;
    if updated <> coalesce(cardinality(chosen), 0) then
        raise 'a record that is replaced is gone' using errcode = 'serialization_failure';
    end if;

    update event_identities as k set record_id = c.new_id, occurred_at = times[c.position]
    from unnest(chosen, new_ids) as c (position, new_id)
    where k.identity = identities[c.position];

    return query
    select m.position,
        case
            when c.new_id is not null then 'replaced'
            when m.time < horizon_now then 'expired'
            when are_same[m.position] then 'same'
            when known_ids[m.position] is null then 'unknown'
            when are_same[m.position] is null or known_times[m.position] < horizon_now then 'gone'
            else 'other'
        end,
        coalesce(c.new_id, known_ids[m.position])
    from unnest(times) with ordinality as m (time, position)
    left join unnest(chosen, new_ids) as c (position, new_id) on c.position = m.position
    order by m.position;
end
$$;
