-- Replaces stored records: the record that stands for an identity leaves `records`, the rollup and the ledger in
-- the transaction that stores the new one.
--
-- Compare and set: `replaced` names the record that the sender saw. Only while that very record is the one of its
-- identity, and still exists, is it replaced; otherwise nothing is changed. So a message that is delivered twice
-- replaces once, of two replacements of one record the first is applied, and an identity whose record was erased
-- gets none again.
--
-- The ingest needs the right to execute this function and no right to change or delete records itself.
--
-- No deadlock with writes, with other replacements and with the folding of counts: all of them lock rows of the
-- ledger first, in the order of the identity, then counts of the slots of writes, then those of deletions. The new
-- records are therefore inserted before the old ones are deleted.
set local lock_timeout = '5s';

create function replace_records(
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
    known_from timestamptz;
    known_to timestamptz;
    -- The messages that are applied, and their new records.
    chosen bigint[];
    new_ids bigint[];
    updated bigint;
begin
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

    select min(k.occurred_at), max(k.occurred_at) into known_from, known_to
    from unnest(identities) as m (identity) join event_identities as k using (identity);
    -- An erasure does not lock the ledger.
    perform from unnest(identities, replaced) with ordinality as m (identity, record_id, position)
    join event_identities as k using (identity)
    join records as r on r.occurred_at = k.occurred_at and r.record_id = k.record_id
    where m.position = any(locked) and r.occurred_at between known_from and known_to
    order by r.occurred_at, r.record_id
    for update of r;

    select array_agg(k.record_id order by m.position), array_agg(k.occurred_at order by m.position),
        array_agg(r.payload::text = m.payload::jsonb::text order by m.position)
    into known_ids, known_times, are_same
    from unnest(identities, payloads) with ordinality as m (identity, payload, position)
    left join event_identities as k using (identity)
    left join lateral (
        select payload from records as found
        where found.occurred_at between known_from and known_to
            and found.occurred_at = k.occurred_at and found.record_id = k.record_id
        limit 1
    ) as r on true;

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

    delete from records as r using unnest(chosen) as c (position)
    where r.occurred_at between known_from and known_to
        and r.occurred_at = known_times[c.position] and r.record_id = known_ids[c.position];
    get diagnostics updated = row_count;
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

-- Granted to the ingest where the deployment permits replacements.
revoke execute on function replace_records from public;

comment on function replace_records is
'Replaces records by others of the same identities, each only while the named record is the stored one.';
