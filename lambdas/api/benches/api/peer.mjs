// The first page of records in Fastify and pg, as their documentation shows it.

import { createRequire } from "node:module";

const require = createRequire(process.env.PEER_MODULES);
const { Pool } = require("pg");
const app = require("fastify")();

const pool = new Pool({ connectionString: process.env.DATABASE_URL, max: 8 });
const statement = { name: "page", text: process.env.STATEMENT };

app.get("/v1/records", async () => {
  const { rows } = await pool.query(statement);
  const items = rows.map((row) => ({ ...row, payload: JSON.parse(row.payload) }));
  return { items, next_cursor: null };
});

await app.listen({ host: "127.0.0.1", port: Number(process.env.PORT) });
