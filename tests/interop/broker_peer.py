"""Pika peers for broker_test.ts, as a client and a service of the original std-daq would speak.

  broker_peer.py <port> <user> <password> client <tag>
      sends what it reads on stdin, one JSON a line: {"request": …} or {"kill": id};
      prints one JSON a line: {"sent": id} for a request, and every status it hears
  broker_peer.py <port> <user> <password> service <name> <tag>
      carries out requests: {"fail": text} fails, {"hold": true} waits to be killed, others give {"got": n}
  broker_peer.py <port> <user> <password> postprocessing <name> <primary>
      answers each success of the primary service with "checked"
  broker_peer.py <port> <user> <password> sender <tag>
      sends what it reads on stdin, one JSON a line: {"exchange": …, "depth": n}, a message with lists n
      deep in its headers; prints one JSON a line: {"sent": id}

All print {"ready": true} when they are bound, and end with stdin.
"""

import json
import sys
import threading
import uuid

import pika


def show(value: object) -> None:
    print(json.dumps(value, default=str), flush=True)


def connect(port: str, user: str, password: str):
    parameters = pika.ConnectionParameters(
        "127.0.0.1", int(port), credentials=pika.PlainCredentials(user, password)
    )
    connection = pika.BlockingConnection(parameters)
    channel = connection.channel()
    channel.basic_qos(prefetch_count=1)
    channel.exchange_declare(exchange="request", exchange_type="topic")
    channel.exchange_declare(exchange="status", exchange_type="fanout")
    channel.exchange_declare(exchange="kill", exchange_type="topic")
    return connection, channel


def bind(channel, exchange: str, tag: str, callback, auto_ack: bool) -> None:
    queue = str(uuid.uuid4())
    channel.queue_declare(queue=queue, auto_delete=True, exclusive=True)
    channel.queue_bind(queue=queue, exchange=exchange, routing_key=tag)
    channel.basic_consume(queue, callback, auto_ack=auto_ack)


class Peer:
    def __init__(self, port: str, user: str, password: str) -> None:
        self.connection, self.channel = connect(port, user, password)

    def run(self, lines) -> None:
        """Consumes until stdin ends; hands its lines over on the connection's thread."""

        def read() -> None:
            for line in sys.stdin:
                self.connection.add_callback_threadsafe(lambda line=line: lines(json.loads(line)))
            self.connection.add_callback_threadsafe(self.channel.stop_consuming)

        threading.Thread(target=read, daemon=True).start()
        show({"ready": True})
        self.channel.start_consuming()
        self.connection.close()

    def publish(self, exchange: str, tag: str, body: bytes, headers: dict, request_id: str) -> None:
        properties = pika.BasicProperties(correlation_id=request_id, headers=headers)
        self.channel.basic_publish(exchange, tag, body, properties)


class Client(Peer):
    def start(self, tag: str) -> None:
        def on_status(_channel, _method, header, body) -> None:
            # As the original does it: each of these would end its thread where it is missing.
            show(
                {
                    "id": header.correlation_id,
                    "action": header.headers["action"],
                    "source": header.headers["source"],
                    "message": header.headers["message"],
                    "request": json.loads(body.decode()),
                }
            )

        def on_line(order: dict) -> None:
            if "kill" in order:
                self.publish("kill", tag, b"", {}, order["kill"])
            else:
                request_id = str(uuid.uuid4())
                self.publish("request", tag, json.dumps(order["request"]).encode(), {}, request_id)
                show({"sent": request_id})

        bind(self.channel, "status", tag, on_status, True)
        self.run(on_line)


class Service(Peer):
    def start(self, name: str, tag: str) -> None:
        kills: dict = {}

        def status(body: bytes, request_id: str, action: str, message: object) -> None:
            headers = {"action": action, "source": name, "message": message}
            self.publish("status", tag, body, headers, request_id)

        def on_request(channel, method, header, body) -> None:
            request_id, request = header.correlation_id, json.loads(body.decode())
            status(body, request_id, "request_start", None)
            show({"headers": header.headers, "request": request})

            def work() -> None:
                if request.get("hold"):
                    kills.setdefault(request_id, threading.Event()).wait()
                self.connection.add_callback_threadsafe(end)

            def end() -> None:
                if "fail" in request:
                    status(body, request_id, "request_fail", request["fail"])
                    channel.basic_reject(method.delivery_tag, requeue=False)
                else:
                    result = None if request.get("hold") else {"got": request["n"]}
                    status(body, request_id, "request_success", result)
                    channel.basic_ack(method.delivery_tag)

            threading.Thread(target=work, daemon=True).start()

        def on_kill(_channel, _method, header, _body) -> None:
            kills.setdefault(header.correlation_id, threading.Event()).set()

        bind(self.channel, "request", tag, on_request, False)
        bind(self.channel, "kill", tag, on_kill, True)
        self.run(lambda _order: None)


class Postprocessing(Peer):
    def start(self, name: str, primary: str) -> None:
        def on_status(channel, method, header, body) -> None:
            if header.headers["source"] == primary and header.headers["action"] == "request_success":
                headers = {"action": "request_success", "source": name, "message": "checked"}
                self.publish("status", name, body, headers, header.correlation_id)
            channel.basic_ack(method.delivery_tag)

        bind(self.channel, "status", "#", on_status, False)
        self.run(lambda _order: None)


class Sender(Peer):
    def start(self, tag: str) -> None:
        sys.setrecursionlimit(1_000_000)
        show({"ready": True})
        for line in sys.stdin:
            order = json.loads(line)
            message: object = 1
            for _ in range(order["depth"]):
                message = [message]
            headers = {"action": "request_fail", "source": "sender", "message": message}
            request_id = str(uuid.uuid4())
            self.publish(order["exchange"], tag, b'{"n": 1}', headers, request_id)
            show({"sent": request_id})
        self.connection.close()


if __name__ == "__main__":
    port, user, password, kind, *rest = sys.argv[1:]
    kinds = {"client": Client, "service": Service, "postprocessing": Postprocessing, "sender": Sender}
    kinds[kind](port, user, password).start(*rest)
