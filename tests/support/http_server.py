#!/usr/bin/env python3
"""An HTTP server that misbehaves on demand, for tests of HTTP clients.

Prints "port N" when it listens on 127.0.0.1, and ends when its standard input does. What it does
with a request stands in the request's own query, so that a test sees its whole plan in one place:

    /data?size=100000&cut=5000&id=a&times=1

Byte i of a file is i modulo 251. The query knows:

    size=N          bytes of the file (0)
    etag=TEXT       its ETag, sent as it is ("v1" in quotes); "-": none
    modified=TEXT   its Last-Modified; none
    status=N        answers that status with a short text
    retry_after=T   and that Retry-After
    nohead=N        HEAD is answered with status N
    ranges=0        ranges are ignored
    chunked=1       no length is told; close=1: the end of the connection ends the body
    redirect=URL    302 (or `status`) to there; loop=1: to itself
    cut=N, reset=N  the connection ends, or is reset, after N bytes of the body
    cut_headers=1   and within the headers
    delay=MS        before the answer; hang=1: no answer at all
    drip=N,MS       N bytes of the body at a time, with a pause
    shift=N         the Content-Range and bytes of a range are N off
    total=N         the Content-Range tells that total
    short=N         a range is answered N bytes shorter than asked
    header=N        with a header of N bytes
    encoding=TEXT   with a Content-Encoding
    basic=U:P, bearer=T   401 without that Authorization
    id=TEXT         requests are counted by it
    times=N         the faults above (status, cut, reset, delay, hang, shift, ...) hold for the first
                    N requests of the id only
    after=N         and not for the first N
    then_etag=TEXT  the ETag from then on

/log?of=TEXT answers one line for each request of the id: method, range, If-Match, Authorization,
other headers that begin with "X-", and the number of its connection.
"""
import base64
import collections
import http.server
import os
import socket
import struct
import sys
import threading
import time
import urllib.parse

PATTERN = bytes(range(251)) * 4178  # a little over 1 MiB
FAULTS = {"status", "retry_after", "redirect", "loop", "cut", "reset", "cut_headers", "delay",
          "hang", "drip", "shift", "total", "short", "header"}

lock = threading.Lock()
counts = collections.Counter()
logs = collections.defaultdict(list)
connections = collections.Counter()


def content(start, end):
    """Bytes [start, end) of any file, in pieces."""
    while start < end:
        at = start % 251
        size = min(end - start, len(PATTERN) - at)
        yield PATTERN[at:at + size]
        start += size


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self):
        super().setup()
        with lock:
            connections["all"] += 1
            self.number = connections["all"]

    def log_message(self, format, *args):
        pass

    def do_HEAD(self):
        self.answer()

    def do_GET(self):
        self.answer()

    def do_POST(self):
        self.take_body()

    def do_PUT(self):
        self.take_body()

    def do_DELETE(self):
        self.take_body()

    def take_body(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.answer(f"{self.command} {len(body)} {sum(body)}".encode())

    def end_connection(self, reset):
        self.wfile.flush()
        if reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        else:
            self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

    def plan(self):
        """What the query asks for, without the faults that do not hold for this request."""
        self.split = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(self.split.query, keep_blank_values=True))
        key = query.get("id", "")
        with lock:
            counts[key] += 1
            number = counts[key]
            logs[key].append(" ".join(
                [self.command] + [self.headers.get(name, "-") for name in
                                  ("Range", "If-Match", "If-Range", "Authorization")] +
                [f"{n}:{v}" for n, v in self.headers.items() if n.lower().startswith("x-")] +
                [f"#{self.number}"]))
        first = int(query.get("after", 0))
        if not first < number <= first + int(query.get("times", 10**9)):
            query = {n: v for n, v in query.items() if n not in FAULTS}
        elif "then_etag" in query:
            query["etag"] = query["then_etag"]
        return query

    def is_allowed(self, query):
        wanted = ("Basic " + base64.b64encode(query["basic"].encode()).decode() if "basic" in query
                  else "Bearer " + query["bearer"] if "bearer" in query else None)
        return wanted is None or self.headers.get("Authorization") == wanted

    def simple(self, status, text=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    def answer(self, text=None):
        query = self.plan()
        if self.split.path == "/log":
            with lock:
                lines = "\n".join(logs[query.get("of", "")])
            return self.simple(200, lines.encode())
        if self.split.path.startswith("/echo"):
            return self.simple(200, self.path.encode())
        if "delay" in query:
            time.sleep(int(query["delay"]) / 1000)
        if "hang" in query:
            time.sleep(3600)
        if not self.is_allowed(query):
            return self.simple(401, b"who are you?", WWW_Authenticate="Basic")
        if "loop" in query or "redirect" in query:
            return self.simple(int(query.get("status", 302)), b"elsewhere",
                               Location=query.get("redirect", self.path))
        if "status" in query:
            extra = {"Retry_After": query["retry_after"]} if "retry_after" in query else {}
            return self.simple(int(query["status"]), b"no: " + query["status"].encode(), **extra)
        if self.command == "HEAD" and "nohead" in query:
            return self.simple(int(query["nohead"]))
        if "missing" in self.split.path:
            return self.simple(404, b"there is no such file")
        if text is not None:
            return self.simple(200, text)
        return self.send_file(query)

    def wanted(self, query):
        """The range asked for: (start, end), None for the whole file, False for one beyond it."""
        size = int(query.get("size", 0))
        asked = self.headers.get("Range", "")
        if query.get("ranges") == "0" or not asked.startswith("bytes="):
            return None
        if "If-Range" in self.headers and self.headers["If-Range"] != query.get("etag", '"v1"'):
            return None
        first, _, last = asked[6:].partition("-")
        start, end = int(first), min(int(last) + 1 if last else size, size)
        return (start, end) if start < size else False

    def send_file(self, query):
        size = int(query.get("size", 0))
        etag = query.get("etag", '"v1"')
        if self.headers.get("If-Match", etag) not in (etag, "*") and query.get("ifmatch") != "0":
            return self.simple(412, b"it is another one now")
        range_ = self.wanted(query)
        if range_ is False:
            return self.simple(416, b"there is nothing there", Content_Range=f"bytes */{size}")
        start, end = range_ or (0, size)
        shift = int(query.get("shift", 0))
        start, end = start + shift, end + shift - int(query.get("short", 0))
        self.send_response(200 if range_ is None else 206)
        if etag != "-":
            self.send_header("ETag", etag)
        if "modified" in query:
            self.send_header("Last-Modified", query["modified"])
        if "encoding" in query:
            self.send_header("Content-Encoding", query["encoding"])
        if "header" in query:
            self.send_header("X-Long", "x" * int(query["header"]))
        if range_ is not None:
            self.send_header("Content-Range",
                             f"bytes {start}-{end - 1}/{query.get('total', size)}")
        if query.get("ranges") != "0":
            self.send_header("Accept-Ranges", "bytes")
        if "cut_headers" in query:
            self.flush_headers()
            return self.end_connection(False)
        if "chunked" in query:
            self.send_header("Transfer-Encoding", "chunked")
        elif "close" in query:
            self.send_header("Connection", "close")
            self.close_connection = True
        else:
            self.send_header("Content-Length", str(end - start))
        self.end_headers()
        if self.command != "HEAD":
            self.send_content(query, start, end)

    def send_content(self, query, start, end):
        stop = min(int(query.get("cut", query.get("reset", 1 << 60))), end - start)
        for piece in content(start, start + stop):
            if "drip" in query:
                step, pause = (int(n) for n in query["drip"].split(","))
                for i in range(0, len(piece), step):
                    self.send_piece(query, piece[i:i + step])
                    time.sleep(pause / 1000)
            else:
                self.send_piece(query, piece)
        if "cut" in query or "reset" in query:
            if "reset" in query:
                time.sleep(0.05)  # a reset overtakes bytes that were not yet read
            self.end_connection("reset" in query)
        elif "chunked" in query:
            self.wfile.write(b"0\r\n\r\n")

    def send_piece(self, query, piece):
        if "chunked" in query:
            piece = b"%x\r\n%s\r\n" % (len(piece), piece)
        self.wfile.write(piece)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        pass  # a client that went away


def main():
    server = Server(("127.0.0.1", 0), Handler)
    print(f"port {server.server_address[1]}", flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.buffer.read()
    os._exit(0)


main()
