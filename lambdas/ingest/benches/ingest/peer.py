"""A Python handler of batches.

peer.py loop|recordset URL FOLDER    reads them from files, as Lambda passes them
peer.py function URL                 reads them from the runtime API, as a function
"""

import http.client
import json
import os
import sys
import time

import psycopg

LOOP = """
with input as (
    select %s::text as source, %s::text as id, %s::timestamptz as occurred_at
), keys as (
    insert into event_identities (identity, occurred_at)
    select event_identity(source, id), occurred_at from input
    on conflict do nothing
    returning record_id
)
insert into records (record_id, source, id, type, subject, occurred_at, payload)
select record_id, source, id, %s, %s, occurred_at, %s::jsonb from keys cross join input
"""

RECORDSET = """
with input as (
    select event ->> 'source' as source, event ->> 'id' as id, event ->> 'type' as type,
        event ->> 'subject' as subject, (event ->> 'time')::timestamptz as occurred_at,
        event as payload,
        event_identity(event ->> 'source', event ->> 'id') as identity
    from jsonb_array_elements(%s::jsonb) as event
), keys as (
    insert into event_identities (identity, occurred_at)
    select identity, occurred_at from input
    on conflict do nothing
    returning identity, record_id
)
insert into records (record_id, source, id, type, subject, occurred_at, payload)
select record_id, source, id, type, subject, occurred_at, payload
from keys join input using (identity)
"""


def loop(connection, batch):
    with connection.cursor() as cursor:
        for message in batch["Records"]:
            body = message["body"]
            event = json.loads(body)
            row = (event["source"], event["id"], event["time"], event["type"])
            cursor.execute(LOOP, (*row, event.get("subject"), body))
    connection.commit()


def recordset(connection, batch):
    bodies = ",".join(message["body"] for message in batch["Records"])
    connection.execute(RECORDSET, (f"[{bodies}]",))
    connection.commit()


def function(url):
    api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    connection = psycopg.connect(url)
    prefix = "/2018-06-01/runtime/invocation"
    while True:
        api.request("GET", f"{prefix}/next")
        answer = api.getresponse()
        request_id = answer.headers["lambda-runtime-aws-request-id"]
        recordset(connection, json.loads(answer.read()))
        api.request("POST", f"{prefix}/{request_id}/response", '{"batchItemFailures":[]}')
        api.getresponse().read()


def main():
    mode, url, *rest = sys.argv[1:]
    if mode == "function":
        return function(url)
    (folder,) = rest
    handle = {"loop": loop, "recordset": recordset}[mode]
    # Statements are prepared at once, not after five times.
    connection = psycopg.connect(url, prepare_threshold=0)
    warm_up, *files = sorted(os.listdir(folder))

    def run(name):
        with open(os.path.join(folder, name), "rb") as file:
            invocation = file.read()
        begun, cpu_begun = time.perf_counter(), time.process_time()
        handle(connection, json.loads(invocation))
        return time.perf_counter() - begun, time.process_time() - cpu_begun

    run(warm_up)
    print("@ready", flush=True)
    sys.stdin.readline()
    secs, cpu_secs = map(sum, zip(*map(run, files)))
    print("@" + json.dumps({"secs": secs, "cpu_secs": cpu_secs}), flush=True)
    sys.stdin.readline()


main()
