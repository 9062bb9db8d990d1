"""Starts MiniStack 1.5.33 with six additions that the stack needs.

Statistics: AWS publishes how many messages were published to each topic, how many were sent to,
received from and deleted from each queue, and the age of the oldest; MiniStack does not count them.
They are served as JSON at STATISTICS_PATH.

Batches: MiniStack passes at most ten messages to a function, whatever the batch size of its
mapping is.

Permissions: on AWS the action of the single call also allows the batch call (Service Authorization
Reference); MiniStack requires actions that do not exist on AWS.

Metrics: PutMetricData adds what it has, so a call that is repeated because its answer did not come
would count twice. A call with a token in the header TOKEN_HEADER is taken once.

Logs: MiniStack makes a log stream for each invocation, with the time of its end on each line, and keeps
all lines for ever. Here a function has one stream, an invocation starts when it started, and of each
stream the newest lines are kept.

Users: functions are processes of this user, so whoever can create one can run any program as this
user, and the keys are public. On Linux, connections of other users are closed unanswered.

The version is pinned because this script replaces internal functions of the emulator; if one is
missing, the start fails at once.
"""

import json
import os
import socket
import struct
import sys
import threading
import time
from collections import Counter, OrderedDict, defaultdict

from hypercorn.asyncio import run, tcp_server
from ministack import app as gateway
from ministack.core import iam_actions
from ministack.services import cloudwatch, lambda_svc, sns, sqs
from ministack.services import cloudwatch_logs as logs

STATISTICS_PATH = "/_opsconsole/statistics"
TOKEN_HEADER = "x-opsconsole-publication"
# Answers that are kept for a repetition, which comes before a newer call.
ANSWERS_MAX = 1_000
# The payload limit of AWS Lambda is 6 MB, including JSON escapes and attributes.
BATCH_BODY_BYTES_MAX = 3 * 1024 * 1024

# Of each log stream; a tenth more before the oldest are dropped.
LOG_EVENTS_MAX = 20_000
LOG_STREAM = "[$LATEST]local"

BATCH_ACTIONS = {
    "sns:PublishBatch": "sns:Publish",
    "sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
    "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
    "sqs:SendMessageBatch": "sqs:SendMessage",
}

counters = defaultdict(Counter)
published = Counter()
counters_lock = threading.Lock()
delivery = threading.local()
answers = OrderedDict()


def count(queue, what, number=1):
    with counters_lock:
        counters[queue["name"]][what] += number


def counted_collect(queue, *arguments, collect=sqs._collect_msgs):
    messages = collect(queue, *arguments)
    count(queue, "received", len(messages))
    return messages


def counted_send(data, queue_url, send=sqs._act_send_message):
    result = send(data, queue_url)
    count(sqs._get_q(data.get("QueueUrl", queue_url)), "sent")
    return result


def counted_delete(data, queue_url, delete=sqs._act_delete_message):
    result = delete(data, queue_url)
    count(sqs._get_q(data.get("QueueUrl", queue_url)), "deleted")
    return result


def counted_delete_batch(data, queue_url, delete=sqs._act_delete_message_batch):
    result = delete(data, queue_url)
    count(sqs._get_q(data.get("QueueUrl", queue_url)), "deleted", len(result["Successful"]))
    return result


def counted_delete_for_mapping(queue_url, handles, delete=sqs._delete_messages_for_esm):
    delete(queue_url, handles)
    count(sqs._get_q(queue_url), "deleted", len(handles))


def counted_delivery(endpoint, *arguments, deliver=sns._deliver_to_sqs, **options):
    delivery.is_accepted = False
    deliver(endpoint, *arguments, **options)
    if delivery.is_accepted:
        count({"name": endpoint.rsplit(":", 1)[-1]}, "sent")


def counted_fanout(topic_arn, *arguments, fanout=sns._fanout, **options):
    with counters_lock:
        published[topic_arn.rsplit(":", 1)[-1]] += 1
    fanout(topic_arn, *arguments, **options)


def noticed_fields(message, ensure=sqs._ensure_msg_fields):
    # A delivery from a topic gets here only if the queue's policy allows it.
    delivery.is_accepted = True
    ensure(message)


def receive_for_mapping(queue_url, batch_size):
    with sqs._queues_lock:
        queue = sqs._get_q(queue_url)
        sqs._expire_retained(queue)
        sqs._dlq_sweep(queue)
        now = time.time()
        number = size = 0
        for message in queue["messages"]:
            if number == int(batch_size):
                break
            if message.get("visible_at", 0) <= now:
                size += len(message["body"])
                if number and size > BATCH_BODY_BYTES_MAX:
                    break
                number += 1
        visibility = int(queue["attributes"].get("VisibilityTimeout", "30"))
        return sqs._collect_msgs(queue, number, visibility) if number else []


async def counted_once(method, path, headers, *arguments, handle=cloudwatch.handle_request):
    token = headers.get(TOKEN_HEADER)
    if token in answers:
        return answers[token]
    # It waits for nothing, so that a closed connection cannot end it half-way.
    answer = await handle(method, path, headers, *arguments)
    if token is not None and answer[0] == 200:
        answers[token] = answer
        if len(answers) > ANSWERS_MAX:
            answers.popitem(last=False)
    return answer


def drop_oldest_events(stream):
    with logs._log_events_lock:
        events = stream["events"]
        if len(events) <= LOG_EVENTS_MAX * 11 // 10:
            return
        # A new list: whoever is reading the old one reads on.
        stream["events"] = events[-LOG_EVENTS_MAX:]
    for event in events[:-LOG_EVENTS_MAX]:
        logs._log_records.pop(event.get("eventId"), None)


def bounded_put(data, put=logs._put_log_events):
    answer = put(data)
    group = logs._log_groups.get(data.get("logGroupName"))
    stream = group and group["streams"].get(data.get("logStreamName"))
    if stream:
        drop_oldest_events(stream)
    return answer


def log_invocation(func, request_id, log_text, error, duration_ms, *, log_source=None):
    config = func.get("config") or func
    group = (config.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{config['FunctionName']}"
    version = config.get("Version", "$LATEST")
    end = int(time.time() * 1000)
    status = "\tStatus: error" if error else ""
    report = (
        f"REPORT RequestId: {request_id}\tDuration: {duration_ms} ms\tBilled Duration: {duration_ms} ms\t"
        f"Memory Size: {config.get('MemorySize', 128)} MB{status}"
    )
    lines = [(end - duration_ms, f"START RequestId: {request_id} Version: {version}")]
    lines += [(end, line) for line in (log_text or "").splitlines()]
    lines += [(end, f"END RequestId: {request_id}"), (end, report)]
    # Each refuses what is there already.
    logs._create_log_group({"logGroupName": group})
    logs._create_log_stream({"logGroupName": group, "logStreamName": LOG_STREAM})
    events = [{"timestamp": at, "message": line} for at, line in lines]
    bounded_put({"logGroupName": group, "logStreamName": LOG_STREAM, "logEvents": events})


def single_action(*arguments, extract=iam_actions.extract_iam_action):
    action = extract(*arguments)
    return BATCH_ACTIONS.get(action, action)


def statistics():
    now = time.time()
    result = {}
    for queue in list(sqs._queues.to_dict().values()):
        messages = list(queue["messages"])
        visible = delayed = in_flight = 0
        for message in messages:
            if message.get("visible_at", 0) <= now:
                visible += 1
            elif message.get("receive_count", 0) == 0:
                delayed += 1
            else:
                in_flight += 1
        oldest = min((message.get("sent_at", now) for message in messages), default=now)
        with counters_lock:
            counted = dict(counters[queue["name"]])
        result[queue["name"]] = {
            "visible": visible,
            "in_flight": in_flight,
            "delayed": delayed,
            "oldest_age_secs": max(0.0, now - oldest),
            "sent": counted.get("sent", 0),
            "received": counted.get("received", 0),
            "deleted": counted.get("deleted", 0),
        }
    with counters_lock:
        topics = {topic: {"published": number} for topic, number in published.items()}
    return {"queues": result, "topics": topics}


def address_in_table(address):
    # IPv4 in the byte order of the machine, as the kernel prints it (proc_net_tcp.rst).
    host, port = address
    (number,) = struct.unpack("=I", socket.inet_aton(host))
    return "%08X:%04X" % (number, port)


def uid_of_peer(connection):
    """Owner of the socket at the other end; None if it is closed."""
    peer = address_in_table(connection.getpeername())
    own = address_in_table(connection.getsockname())
    # A client with an IPv6 socket is in the second table, with mapped addresses.
    for table in "/proc/net/tcp", "/proc/net/tcp6":
        try:
            with open(table) as lines:
                for line in lines:
                    _, local, remote, _, _, _, _, uid, _, inode = line.split()[:10]
                    # A socket that its owner has closed has no inode, and no owner.
                    if local.endswith(peer) and remote.endswith(own) and inode != "0":
                        return int(uid)
        except FileNotFoundError:
            # Without IPv6 there is no second table.
            pass
    return None


class OwnConnections(tcp_server.TCPServer):
    async def run(self):
        connection = self.writer.get_extra_info("socket")
        if uid_of_peer(connection) in (os.geteuid(), 0):
            await super().run()
        else:
            self.writer.close()


async def app(scope, receive, send, emulate=gateway.app):
    if scope["type"] != "http" or scope["path"] != STATISTICS_PATH:
        await emulate(scope, receive, send)
        return
    body = json.dumps(statistics()).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


sqs._collect_msgs = counted_collect
sqs._act_send_message = sqs._HANDLERS["SendMessage"] = counted_send
sqs._act_delete_message = sqs._HANDLERS["DeleteMessage"] = counted_delete
sqs._act_delete_message_batch = sqs._HANDLERS["DeleteMessageBatch"] = counted_delete_batch
sqs._delete_messages_for_esm = counted_delete_for_mapping
sqs._ensure_msg_fields = noticed_fields
sqs._receive_messages_for_esm = receive_for_mapping
logs._put_log_events = bounded_put
lambda_svc._emit_lambda_logs = log_invocation
sns._deliver_to_sqs = counted_delivery
sns._fanout = counted_fanout
cloudwatch.handle_request = counted_once
iam_actions.extract_iam_action = single_action
gateway.app = app
if sys.platform == "linux":
    # Where the server looks it up for each connection.
    run.TCPServer = OwnConnections

if __name__ == "__main__":
    sys.exit(gateway.main())
