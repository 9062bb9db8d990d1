"""The first page of records in FastAPI and asyncpg, as their documentation shows it."""

import json
import os
from contextlib import asynccontextmanager

import asyncpg
import uvicorn
from fastapi import FastAPI


@asynccontextmanager
async def lifespan(app: FastAPI):
    # The server listens on a socket, whose folder is a parameter of the URL.
    url = os.environ["DATABASE_URL"].replace("@localhost", "@")
    app.state.pool = await asyncpg.create_pool(url, min_size=1, max_size=8)
    yield
    await app.state.pool.close()


app = FastAPI(lifespan=lifespan)


@app.get("/v1/records")
async def records():
    rows = await app.state.pool.fetch(os.environ["STATEMENT"])
    items = [{**row, "payload": json.loads(row["payload"])} for row in rows]
    return {"items": items, "next_cursor": None}


uvicorn.run(app, host="127.0.0.1", port=int(os.environ["PORT"]), log_level="error")
