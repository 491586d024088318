"""Prints the messages of ZeroMQ publishers: "<address> <hex>" a line. Arguments: addresses.

Says "ready" once every connection stands and its subscription is on the way.
"""

import sys

import zmq
from zmq.utils.monitor import recv_monitor_message

context = zmq.Context()
poller = zmq.Poller()
sockets = {}
for address in sys.argv[1:]:
    socket = context.socket(zmq.SUB)
    socket.setsockopt(zmq.RCVHWM, 0)
    socket.setsockopt(zmq.SUBSCRIBE, b"")
    monitor = socket.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED)
    socket.connect(address)
    recv_monitor_message(monitor)
    socket.disable_monitor()
    poller.register(socket, zmq.POLLIN)
    sockets[socket] = address

print("ready", flush=True)
while True:
    for socket, _ in poller.poll():
        print(sockets[socket], socket.recv().hex(), flush=True)
