// A Node handler of batches.
//
// peer.mjs files URL FOLDER    takes them from files, as Lambda would give them
// peer.mjs function URL        takes them from the runtime API, as a function

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

const [mode, url, folder] = process.argv.slice(2);
const ca = process.env.DATABASE_ROOT && readFileSync(process.env.DATABASE_ROOT);
const client = new Client({ connectionString: url, ssl: ca && { ca } });
await client.connect();

async function store(batch) {
  const columns = [[], [], [], [], [], []];
  for (const { body } of batch.Records) {
    const event = JSON.parse(body);
    const row = [event.source, event.id, event.type, event.subject ?? null, event.time, body];
    row.forEach((value, column) => columns[column].push(value));
  }
  await client.query({ name: "store", text: STATEMENT, values: columns });
}

async function fromFiles() {
  const run = (name) => store(JSON.parse(readFileSync(join(folder, name), "utf8")));
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
}

async function asFunction() {
  const api = `http://${process.env.AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime/invocation`;
  for (;;) {
    const invocation = await fetch(`${api}/next`);
    await store(await invocation.json());
    const id = invocation.headers.get("lambda-runtime-aws-request-id");
    await fetch(`${api}/${id}/response`, { method: "POST", body: '{"batchItemFailures":[]}' });
  }
}

await (mode === "function" ? asFunction() : fromFiles());
