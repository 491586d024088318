"""The yardstick of the broker row: the same service, written with pika as the original's services are.

  broker_service.py <tag>      the broker's address is in BROKER_URL

One request at a time (prefetch 1): request_start, a thread for the request, request_success and the
acknowledgement on the connection's thread. Statuses are neither confirmed nor mandatory.
"""

import json
import os
import sys
import threading
import uuid

import pika


def main(tag: str) -> None:
    connection = pika.BlockingConnection(pika.URLParameters(os.environ["BROKER_URL"]))
    channel = connection.channel()
    channel.basic_qos(prefetch_count=1)
    for exchange, kind in (("request", "topic"), ("status", "fanout"), ("kill", "topic")):
        channel.exchange_declare(exchange=exchange, exchange_type=kind)

    def status(body: bytes, request_id: str, action: str, message: object) -> None:
        headers = {"action": action, "source": "pika", "message": message}
        properties = pika.BasicProperties(correlation_id=request_id, headers=headers)
        channel.basic_publish("status", tag, body, properties)

    def on_request(_channel, method, header, body) -> None:
        request_id, request = header.correlation_id, json.loads(body.decode())
        status(body, request_id, "request_start", None)

        def end(result: object) -> None:
            status(body, request_id, "request_success", result)
            channel.basic_ack(method.delivery_tag)

        def work() -> None:
            result = {"got": request["n"]}
            connection.add_callback_threadsafe(lambda: end(result))

        threading.Thread(target=work, daemon=True).start()

    for exchange, callback, auto_ack in (
        ("request", on_request, False),
        ("kill", lambda *_: None, True),
    ):
        queue = str(uuid.uuid4())
        channel.queue_declare(queue=queue, auto_delete=True, exclusive=True)
        channel.queue_bind(queue=queue, exchange=exchange, routing_key=tag)
        channel.basic_consume(queue, callback, auto_ack=auto_ack)

    def until_closed() -> None:
        sys.stdin.read()
        connection.add_callback_threadsafe(channel.stop_consuming)

    threading.Thread(target=until_closed, daemon=True).start()
    print("ready", flush=True)
    channel.start_consuming()
    connection.close()


main(sys.argv[1])
