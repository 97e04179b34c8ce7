#!/usr/bin/env python3
"""A TCP proxy on loopback that breaks connections, for tests of network clients.

    fault_proxy.py HOST PORT [PLAN]

Prints "port N" when it listens, and ends when its standard input does. A PLAN is words with commas
between; lines of standard input are further plans, each for connections that begin from then on:

    cut=N       the connection ends after N bytes from the server; reset=N: it is reset
    delay=MS    each piece from the server waits so long; connect=MS: before the first
    slow=N      at most N bytes a second from the server
    refuse      the connection ends at once
    times=N     holds for the next N connections only; then everything passes
    hang=N      nothing more passes after N bytes, and the connection stays open
"""
import os
import socket
import struct
import sys
import threading
import time

PIECE = 16384
plan_lock = threading.Lock()
plan = {}


def read_plan(line):
    words = (word.partition("=") for word in line.strip().split(",") if word)
    return {name: int(value or 1) for name, _, value in words}


def next_plan():
    with plan_lock:
        now = dict(plan)
        if plan.get("times", 1) <= 0:
            return {}
        if "times" in plan:
            plan["times"] -= 1
        return now


def end(connection, reset):
    if reset:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    else:
        try:
            connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
    connection.close()


def pass_on(source, target):
    """Client to server: as it comes."""
    try:
        while data := source.recv(PIECE):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def pass_back(server, client, faults):
    """Server to client, with the faults of the plan."""
    limit = min(faults.get(name, 1 << 60) for name in ("cut", "reset", "hang"))
    passed = 0
    time.sleep(faults.get("connect", 0) / 1000)
    try:
        while passed < limit and (data := server.recv(min(PIECE, limit - passed))):
            time.sleep(faults.get("delay", 0) / 1000)
            if "slow" in faults:
                time.sleep(len(data) / faults["slow"])
            client.sendall(data)
            passed += len(data)
        if passed >= limit and "hang" in faults:
            time.sleep(3600)
        if passed >= limit and "reset" in faults:
            time.sleep(0.05)  # a reset overtakes bytes that were not yet read
    except OSError:
        pass
    end(client, passed >= limit and "reset" in faults)
    end(server, False)


def serve(client, address):
    faults = next_plan()
    if "refuse" in faults:
        return end(client, True)
    try:
        server = socket.create_connection(address, 10)
    except OSError:
        return end(client, True)
    server.settimeout(None)
    for each in (client, server):
        each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    threading.Thread(target=pass_on, args=(client, server), daemon=True).start()
    return pass_back(server, client, faults)


def accept(listener, address):
    while True:
        client, _ = listener.accept()
        threading.Thread(target=serve, args=(client, address), daemon=True).start()


def main():
    global plan
    address = (sys.argv[1], int(sys.argv[2]))
    plan = read_plan(sys.argv[3]) if len(sys.argv) > 3 else {}
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    print(f"port {listener.getsockname()[1]}", flush=True)
    threading.Thread(target=accept, args=(listener, address), daemon=True).start()
    for line in sys.stdin:
        with plan_lock:
            plan = read_plan(line)
    os._exit(0)


main()
