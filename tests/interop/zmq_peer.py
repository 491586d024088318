"""A pyzmq peer for zmq_test.ts: `zmq_peer.py <type> <bind|connect> <address>`.

It prints "ready" once its socket is there, then plays its part:
  PUB            publishes ["data", "<i>", 100 000 bytes of i] for ever, until its stdin ends
  SUB, PULL      prints one JSON line per message: each part's length and its first 20 bytes as text
  PUSH           sends 1000 messages ["<i>", ""], then waits for its stdin to end
  REQ, DEALER    asks 100 questions and prints each answer as a JSON line
  REP, ROUTER    answers each question with "re: " + question
"""

import json
import sys
import threading

import zmq


def text_of(part: bytes) -> list:
    return [len(part), part[:20].decode("latin-1")]


def show(value: object) -> None:
    print(json.dumps(value), flush=True)


def main() -> None:
    kind, way, address = sys.argv[1:4]
    context = zmq.Context()
    socket = context.socket(getattr(zmq, kind))
    socket.linger = 0
    socket.rcvtimeo = socket.sndtimeo = 20_000
    if kind == "SUB":
        socket.subscribe(b"data")
    if kind == "DEALER":
        socket.routing_id = b"python"
    getattr(socket, way)(address)
    print("ready", flush=True)

    ended = threading.Event()
    watcher = threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True)
    watcher.start()

    if kind == "PUB":
        i = 0
        while not ended.wait(0.001):
            socket.send_multipart([b"data", str(i).encode(), bytes([i % 256]) * 100_000])
            i += 1
    elif kind == "PUSH":
        for i in range(1000):
            socket.send_multipart([str(i).encode(), b""])
        ended.wait()
    elif kind in ("REQ", "DEALER"):
        for i in range(100):
            envelope = [b""] if kind == "DEALER" else []
            socket.send_multipart([*envelope, f"question {i}".encode()])
            show([part.decode() for part in socket.recv_multipart()])
    else:
        while not ended.is_set():
            if not socket.poll(10):
                continue
            parts = socket.recv_multipart()
            if kind in ("SUB", "PULL"):
                show([text_of(part) for part in parts])
            else:
                socket.send_multipart([*parts[:-1], b"re: " + parts[-1]])


main()
