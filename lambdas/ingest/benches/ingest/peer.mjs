// A Node handler of batches.
//
// peer.mjs URL FOLDER      reads them from files, as Lambda passes them
// peer.mjs function URL    reads them from the runtime API, as a function

import { readFileSync, readdirSync } from "node:fs";
import { request } from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline/promises";

const { Client } = createRequire(process.env.PEER_MODULES)("pg");

const STATEMENT = `
with input as (
    select *, event_identity(source, id) as identity
    from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::text[])
        as columns (source, id, type, subject, occurred_at, payload)
), keys as (
    insert into event_identities (identity, occurred_at)
    select identity, occurred_at from input
    on conflict do nothing
    returning identity, record_id
)
insert into records (record_id, source, id, type, subject, occurred_at, payload)
select record_id, source, id, type, subject, occurred_at, payload::jsonb
from keys join input using (identity)`;

const [first, second] = process.argv.slice(2);
const isFunction = first === "function";
const client = new Client({ connectionString: isFunction ? second : first });
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

function call(method, path, body) {
  const url = `http://${process.env.AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime/invocation${path}`;
  return new Promise((resolve, reject) => {
    const sent = request(url, { method }, async (answer) => {
      const parts = [];
      for await (const part of answer) parts.push(part);
      resolve([answer.headers, Buffer.concat(parts).toString()]);
    });
    sent.on("error", reject).end(body);
  });
}

while (isFunction) {
  const [headers, invocation] = await call("GET", "/next");
  await store(JSON.parse(invocation));
  const id = headers["lambda-runtime-aws-request-id"];
  await call("POST", `/${id}/response`, '{"batchItemFailures":[]}');
}

const folder = second;
let [ms, microsOfCpu] = [0, 0];
async function run(name) {
  const invocation = readFileSync(join(folder, name));
  const [begun, before] = [performance.now(), process.cpuUsage()];
  await store(JSON.parse(invocation.toString()));
  const { user, system } = process.cpuUsage(before);
  ms += performance.now() - begun;
  microsOfCpu += user + system;
}
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const [warmUp, ...files] = readdirSync(folder).sort();
await run(warmUp);
console.log("@ready");
await lines.next();
[ms, microsOfCpu] = [0, 0];
for (const name of files) await run(name);
console.log("@" + JSON.stringify({ secs: ms / 1e3, cpu_secs: microsOfCpu / 1e6 }));
await lines.next();
await client.end();
