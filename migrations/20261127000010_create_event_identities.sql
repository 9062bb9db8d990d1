-- The ledger by digest. `event_keys` takes 246 bytes an event, because it contains the texts of `source`
-- and `id` twice, in the table and in its key. The new table contains a digest of 16 bytes in their place.
--
-- It is filled while events are written, and no lock lasts longer than the changes of this file:
-- 1. This migration creates it as `event_identities_copy`. A trigger adds to it each event that an ingest of
--    the earlier version stores.
-- 2. The function `migrate` copies the events that were stored before, in steps. Then it renames the table to
--    `event_identities`. An ingest of this version needs that name: it stores nothing before the ledger is
--    complete. An ingest of the earlier version still works.
-- 3. A later run of `migrate` drops `event_keys`.
set local lock_timeout = '5s';

-- The first 6 bytes are those of SHA-256 of the id, so that the events with an id are a short range of the
-- key. The other 10 are those of SHA-256 of source and id. The length of the source keeps ("a", "bc") and
-- ("ab", "c") apart. `shared/store/src/identity.rs` computes the same; a test compares them.
create function event_identity(source text, id text) returns uuid
language sql immutable strict parallel safe
return encode(
    substring(sha256(convert_to(id, 'UTF8')) for 6)
    || substring(
        sha256(
            int4send(octet_length(convert_to(source, 'UTF8')))
            || convert_to(source, 'UTF8') || convert_to(id, 'UTF8')
        ) for 10
    ),
    'hex'
)::uuid;

create table event_identities_copy (
    identity uuid,
    record_id bigint not null,
    occurred_at timestamptz not null,
    constraint event_identities_pkey primary key (identity)
);

-- A record by its id (the ledger knows its partition key), and records in order of arrival. Ids only grow, so
-- full pages are never split.
create unique index event_identities_record_id on event_identities_copy (record_id)
with (fillfactor = 100);

comment on table event_identities_copy is
'One row for each stored event; deleted when its record expires, kept when its record is erased.';
comment on column event_identities_copy.identity is 'event_identity(source, id).';
comment on column event_identities_copy.record_id is 'Identity of the record, in order of arrival.';
comment on column event_identities_copy.occurred_at is 'Partition key of the record.';
comment on function event_identity is 'Digest of the identity of an event.';

-- Nobody writes from here to the end of this migration.
lock table event_keys in access exclusive mode;

-- The sequence of an identity column cannot outlive its table, so an ordinary one takes its place. It keeps
-- the name, which the earlier version of the ingest uses.
create sequence record_ids;
select setval('record_ids', last_value, is_called) from event_keys_record_id_seq;
alter table event_keys alter column record_id drop identity;
alter sequence record_ids rename to event_keys_record_id_seq;
alter table event_keys
alter column record_id set default nextval('event_keys_record_id_seq');
alter table event_identities_copy
alter column record_id set default nextval('event_keys_record_id_seq');
do $$
begin
    if exists (select from pg_roles where rolname = 'ingest') then
        grant usage, select on sequence event_keys_record_id_seq to ingest;
    end if;
end
$$;

-- How far the copy is. Rows beyond `record_id_max` are the trigger's.
create table event_keys_copy (
    copied_to bigint not null,
    record_id_max bigint not null,
    finished_at timestamptz
);
insert into event_keys_copy (copied_to, record_id_max)
select 0, case when is_called then last_value else 0 end from event_keys_record_id_seq;

-- A view follows its table when that is renamed.
create view event_keys_target as
select identity, record_id, occurred_at from event_identities_copy;

-- Runs for each row of an earlier ingest's insert. A row that it skips is a duplicate for that ingest.
-- The first look-up finds what the copy may not have reached yet. Two transactions with one new event: the
-- second waits in the insert for the first and then finds its row.
create function copy_event_key() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    if exists (select from event_keys as k where k.id = new.id and k.source = new.source) then
        return null;
    end if;
    insert into event_keys_target (identity, record_id, occurred_at)
    values (event_identity(new.source, new.id), new.record_id, new.occurred_at)
    on conflict (identity) do nothing;
    if not found then
        return null;
    end if;
    return new;
end
$$;

-- A trigger runs without this right; whoever has it could attach the function to a table of their own.
revoke execute on function copy_event_key() from public;

create trigger copy_event_key before insert on event_keys
for each row execute function copy_event_key();
