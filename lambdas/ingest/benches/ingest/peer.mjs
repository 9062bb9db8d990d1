// A Node handler: reads batches from files, as Lambda would give them, and stores them.
//
// peer.mjs URL FOLDER

import { readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline/promises";

const { Client } = createRequire(process.env.PEER_MODULES)("pg");

const STATEMENT = `
with input as (
    select *
    from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::text[])
        as columns (source, id, type, subject, occurred_at, payload)
), keys as (
    insert into event_keys (source, id, occurred_at)
    select source, id, occurred_at from input
    on conflict do nothing
    returning source, id, record_id
)
insert into records (record_id, source, id, type, subject, occurred_at, payload)
select record_id, source, id, type, subject, occurred_at, payload::jsonb
from keys join input using (source, id)`;

const [url, folder] = process.argv.slice(2);
const client = new Client({ connectionString: url });
await client.connect();

async function run(name) {
  const batch = JSON.parse(readFileSync(join(folder, name), "utf8"));
  const columns = [[], [], [], [], [], []];
  for (const { body } of batch.Records) {
    const event = JSON.parse(body);
    const row = [event.source, event.id, event.type, event.subject ?? null, event.time, body];
    row.forEach((value, column) => columns[column].push(value));
  }
  await client.query({ name: "store", text: STATEMENT, values: columns });
}

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const [warmUp, ...files] = readdirSync(folder).sort();
await run(warmUp);
console.log("@ready");
await lines.next();
const [begun, before] = [performance.now(), process.cpuUsage()];
for (const name of files) await run(name);
const secs = (performance.now() - begun) / 1e3;
const { user, system } = process.cpuUsage(before);
console.log("@" + JSON.stringify({ secs, cpu_secs: (user + system) / 1e6 }));
await lines.next();
await client.end();
