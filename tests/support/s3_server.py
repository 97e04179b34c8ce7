"""A strict S3 server for tests, in memory: signatures, ranges, conditions, uploads in parts, pages.

    s3_server.py [--plan FILE] [--log FILE] [--region R] [--token T] [--tls CERT KEY] [--page N]

Prints "port N", then serves until its standard input ends (so it goes with whoever started it).
Written from Amazon's S3 API Reference and the description of Signature Version 4; it shares no code
with what it tests. Buckets: "lake" is there; PUT /NAME makes others.

FILE of --plan holds faults, one a line, and is read again whenever it changes:

    COUNT SKIP METHOD PATTERN ACTION [ARGUMENT]     METHOD "*": any; PATTERN: regular expression on
                                                    "path?query"; the first SKIP hits pass

    status CODE:NAME   refuse with that status before anything is done
    late CODE:NAME     do it, then refuse
    lost               do it, then close without an answer
    reset              close with a reset before anything is done
    cut N              send N bytes of the body, then close
    flip N             flip the byte N of the body that is sent
    hang               answer nothing until the client goes
    slow MS            wait before the answer
    header NAME:VALUE  replace a header of the answer
    error200 NAME      answer 200 with an <Error>
    body TEXT          answer 200 with this text
    moved REGION       301 PermanentRedirect to a region
    redirect URL       307 with this Location ("SELF": where it already is)
    clock SECONDS      from now on, the server's clock is wrong by so much
"""
import argparse
import base64
import datetime
import hashlib
import hmac
import http.server
import os
import re
import socket
import ssl
import struct
import sys
import threading
import time
import urllib.parse
import xml.etree.ElementTree
from xml.sax.saxutils import escape

KEYS = {"stoatestkey": "stoa-test-secret-0123456789"}
LIMIT = 5 << 20  # of an inner part of an upload


def crc32c(data, table=[]):
    if not table:
        for n in range(256):
            for _ in range(8):
                n = (n >> 1) ^ (0x82F63B78 if n & 1 else 0)
            table.append(n)
    crc = 0xFFFFFFFF
    for byte in data:
        crc = table[(crc ^ byte) & 255] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


class Refusal(Exception):
    def __init__(self, status, code, message="", **more):
        super().__init__(code)
        self.status, self.code, self.message, self.more = status, code, message or code, more


class Object:
    def __init__(self, data, etag, meta, crc=None, kind="application/octet-stream"):
        self.data, self.etag, self.meta, self.crc, self.kind = data, etag, meta, crc, kind
        self.time = datetime.datetime.now(datetime.timezone.utc)


class Store:
    def __init__(self, arguments):
        self.lock = threading.RLock()
        self.arguments = arguments
        self.buckets = {"lake": {}}
        self.uploads = {}
        self.plan, self.plan_stamp, self.skew = [], None, 0

    def fault(self, method, target):
        """The action planned for this request, if any."""
        with self.lock:
            path = self.arguments.plan
            if path:
                try:
                    there = os.stat(path)
                    stamp = (there.st_mtime_ns, there.st_size, there.st_ino)
                except FileNotFoundError:
                    stamp = None
                if stamp != self.plan_stamp:
                    self.plan_stamp, self.plan = stamp, []
                    for line in open(path).read().splitlines() if stamp else []:
                        words = line.split(None, 5)
                        if words:
                            self.plan.append([int(words[0]), int(words[1]), *words[2:5],
                                              words[5] if len(words) > 5 else ""])
            for rule in self.plan:
                count, skip, wanted, pattern, action, argument = rule
                if count > 0 and wanted in ("*", method) and re.search(pattern, target):
                    if skip > 0:
                        rule[1] -= 1
                        continue
                    rule[0] -= 1
                    return action, argument
            return None, ""

    def note(self, line):
        with self.lock:
            if self.arguments.log:
                with open(self.arguments.log, "a", encoding="utf-8") as log:
                    log.write(line + "\n")


def sign(secret, date, region, text):
    key = b"AWS4" + secret.encode()
    for part in (date, region, "s3", "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def strict_unquote(text):
    """Percent-decodes; whatever should have been encoded and was not is refused."""
    if not re.fullmatch(r"(?:[A-Za-z0-9._~/-]|%[0-9A-F]{2})*", text):
        raise Refusal(400, "InvalidURI", f"not encoded as S3 wants it: {text}")
    return urllib.parse.unquote_to_bytes(text).decode("utf-8")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16

    def log_message(self, *args):
        pass

    # Reading and checking a request --------------------------------------------------------------

    def check_signature(self, body):
        arguments, store = self.server.store.arguments, self.server.store
        header = self.headers.get("Authorization")
        if header is None:
            if self.bucket == "public":
                return
            raise Refusal(403, "AccessDenied", "Anonymous access is forbidden")
        found = re.fullmatch(r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/s3/aws4_request, "
                             r"SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})", header)
        if not found:
            raise Refusal(400, "AuthorizationHeaderMalformed", "malformed")
        key, day, region, names, signature = found.groups()
        if key not in KEYS:
            raise Refusal(403, "InvalidAccessKeyId", "The key id does not exist in our records")
        if region != arguments.region:
            raise Refusal(400, "AuthorizationHeaderMalformed",
                          f"the region '{region}' is wrong; expecting '{arguments.region}'",
                          Region=arguments.region)
        names = names.split(";")
        assert names == sorted(names)
        date = self.headers.get("x-amz-date") or ""
        payload = self.headers.get("x-amz-content-sha256") or ""
        for name in self.headers:
            if (name.lower().startswith("x-amz-") or name.lower() in ("host", "content-md5")) and \
                    name.lower() not in names:
                raise Refusal(403, "AccessDenied", f"the header {name} is not signed")
        path, _, query = self.path.partition("?")
        pairs = []
        for part in query.split("&") if query else []:
            name, _, value = part.partition("=")
            pairs.append((name, value))
        canonical = "\n".join([
            self.command, path, "&".join(f"{n}={v}" for n, v in sorted(pairs)),
            *(f"{n}:{','.join(' '.join(v.split()) for v in self.headers.get_all(n, []))}"
              for n in names), "", ";".join(names), payload])
        text = "\n".join(["AWS4-HMAC-SHA256", date, f"{day}/{region}/s3/aws4_request",
                          hashlib.sha256(canonical.encode("latin-1")).hexdigest()])
        if not hmac.compare_digest(sign(KEYS[key], day, region, text), signature):
            raise Refusal(403, "SignatureDoesNotMatch", "The request signature we calculated does "
                          "not match the signature you provided")
        if not re.fullmatch(r"\d{8}T\d{6}Z", date) or date[:8] != day:
            raise Refusal(403, "AccessDenied", "no date")
        then = datetime.datetime.strptime(date, "%Y%m%dT%H%M%SZ").timestamp()
        now = datetime.datetime.utcnow().timestamp() + store.skew
        if abs(now - then) > 15 * 60:
            raise Refusal(403, "RequestTimeTooSkewed", "The difference between the request time and "
                          "the current time is too large")
        if arguments.token and self.headers.get("x-amz-security-token") != arguments.token:
            raise Refusal(403, "InvalidToken", "The provided token is malformed")
        if payload == "UNSIGNED-PAYLOAD":
            if not arguments.tls:
                raise Refusal(400, "InvalidRequest", "unsigned payloads need TLS")
        elif hashlib.sha256(body).hexdigest() != payload:
            raise Refusal(400, "XAmzContentSHA256Mismatch", "the body has another hash")

    def check_body(self, body):
        md5 = self.headers.get("Content-MD5")
        if md5 and base64.b64decode(md5) != hashlib.md5(body).digest():
            raise Refusal(400, "BadDigest")
        crc = self.headers.get("x-amz-checksum-crc32c")
        if crc and len(body) <= 64 << 10 or crc and self.server.store.arguments.sums:
            # Slow in Python, so of long bodies only when asked for.
            if struct.pack(">I", crc32c(body)) != base64.b64decode(crc):
                raise Refusal(400, "XAmzContentChecksumMismatch")
        return crc

    def handle_request(self):
        store = self.server.store
        length = self.headers.get("Content-Length")
        if self.path.startswith("http://"):  # asked as a proxy
            self.path = "/" + self.path.split("/", 3)[3]
        action, argument = store.fault(self.command, self.path)
        store.note(f"{self.command} {self.path}{' ! ' + action if action else ''}")
        if action == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()
            return
        if action == "hang":
            self.close_connection = True
            try:
                while self.connection.recv(65536):
                    pass
            except OSError:
                pass
            return
        if (self.headers.get("Expect") or "").lower() == "100-continue":
            pass  # the base class has answered
        body = self.rfile.read(int(length)) if length else b""
        self.out_status, self.out_headers, self.out_body = 200, {}, b""
        try:
            self.run(action, argument, body)
        except Refusal as refusal:
            self.refuse(refusal)
        if action == "lost":
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        if action == "slow":
            time.sleep(int(argument) / 1000)
        self.send(action, argument)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = handle_request

    def run(self, action, argument, body):
        store = self.server.store
        path, _, query = self.path.partition("?")
        self.query = {}
        for part in query.split("&") if query else []:
            name, _, value = part.partition("=")
            self.query[name] = urllib.parse.unquote(value)
        host = (self.headers.get("Host") or "").split(":")[0]
        path = strict_unquote(path)[1:]
        if host.endswith(".s3.test"):
            self.bucket, self.key = host[:-len(".s3.test")], path
        else:
            self.bucket, _, self.key = path.partition("/")
        if action == "status":
            raise Refusal(int(argument.split(":")[0]), argument.split(":")[1])
        if action == "clock":
            store.skew = int(argument)
        if action == "moved":
            self.out_headers["x-amz-bucket-region"] = argument
            raise Refusal(301, "PermanentRedirect", "The bucket must be addressed using another "
                          "endpoint", Region=argument)
        if action == "redirect":
            here = f"http://{self.headers['Host']}{self.path}"
            self.out_headers["Location"] = here if argument == "SELF" else argument + self.path
            raise Refusal(307, "TemporaryRedirect", "Please re-send this request elsewhere")
        if action == "error200":
            self.answer_xml("Error", f"<Code>{argument}</Code><Message>late</Message>")
            return
        if action == "body":
            self.out_body = argument.encode()
            return
        self.check_signature(body)
        with store.lock:
            self.serve(body)
        if action == "late":
            raise Refusal(int(argument.split(":")[0]), argument.split(":")[1])

    # Operations ----------------------------------------------------------------------------------

    def serve(self, body):
        store = self.server.store
        if self.command == "PUT" and not self.key:
            store.buckets.setdefault(self.bucket, {})
            return
        if self.bucket not in store.buckets:
            raise Refusal(404, "NoSuchBucket", "The specified bucket does not exist")
        objects = store.buckets[self.bucket]
        if not self.key:
            if self.command == "POST" and "delete" in self.query:
                return self.delete_many(objects, body)
            if self.command == "GET" and self.query.get("list-type") == "2":
                return self.list(objects)
            raise Refusal(501, "NotImplemented")
        if len(self.key.encode()) > 1024:
            raise Refusal(400, "KeyTooLongError")
        if "uploads" in self.query and self.command == "POST":
            return self.begin_upload()
        if "uploadId" in self.query:
            return self.upload(objects, body)
        if self.command in ("GET", "HEAD"):
            return self.get(objects)
        if self.command == "DELETE":
            objects.pop(self.key, None)
            self.out_status = 204
            return
        if self.command == "PUT" and "x-amz-copy-source" in self.headers:
            return self.copy(objects)
        if self.command == "PUT":
            return self.put(objects, body)
        raise Refusal(405, "MethodNotAllowed")

    def find(self, objects):
        if self.key not in objects:
            raise Refusal(404, "NoSuchKey", "The specified key does not exist.")
        return objects[self.key]

    def check_write(self, objects):
        there = objects.get(self.key)
        if self.headers.get("If-None-Match") == "*" and there:
            raise Refusal(412, "PreconditionFailed", "At least one of the pre-conditions you "
                          "specified did not hold")
        match = self.headers.get("If-Match")
        if match and not there:
            raise Refusal(404, "NoSuchKey", "The specified key does not exist.")
        if match and match.strip('"') != there.etag:
            raise Refusal(412, "PreconditionFailed", "At least one of the pre-conditions you "
                          "specified did not hold")

    def meta(self):
        return {n.lower(): v for n, v in self.headers.items() if n.lower().startswith("x-amz-meta-")}

    def put(self, objects, body):
        crc = self.check_body(body)
        self.check_write(objects)
        objects[self.key] = Object(body, hashlib.md5(body).hexdigest(), self.meta(), crc,
                                   self.headers.get("Content-Type"))
        self.out_headers["ETag"] = f'"{objects[self.key].etag}"'
        if crc:
            self.out_headers["x-amz-checksum-crc32c"] = crc

    def get(self, objects):
        there = self.find(objects)
        match = self.headers.get("If-Match")
        if match and match.strip('"') != there.etag:
            raise Refusal(412, "PreconditionFailed", "At least one of the pre-conditions you "
                          "specified did not hold")
        total = len(there.data)
        first, last = 0, total - 1
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range") or "")
        if wanted:
            first, last = int(wanted[1]), min(int(wanted[2]), total - 1)
            if first >= total:
                raise Refusal(416, "InvalidRange")
            self.out_status = 206
            self.out_headers["Content-Range"] = f"bytes {first}-{last}/{total}"
        elif there.crc and self.headers.get("x-amz-checksum-mode") == "ENABLED":
            self.out_headers["x-amz-checksum-crc32c"] = there.crc
        self.out_headers.update(there.meta)
        self.out_headers["ETag"] = f'"{there.etag}"'
        self.out_headers["Content-Type"] = there.kind or "binary/octet-stream"
        self.out_headers["Last-Modified"] = there.time.strftime("%a, %d %b %Y %H:%M:%S GMT")
        self.out_body = there.data[first:last + 1]

    def source(self):
        path = strict_unquote(self.headers["x-amz-copy-source"]).lstrip("/")
        bucket, _, key = path.partition("/")
        there = self.server.store.buckets.get(bucket, {}).get(key)
        if there is None:
            raise Refusal(404, "NoSuchKey", "The specified key does not exist.")
        match = self.headers.get("x-amz-copy-source-if-match")
        if match and match.strip('"') != there.etag:
            raise Refusal(412, "PreconditionFailed")
        return there

    def copy(self, objects):
        there = self.source()
        if there is objects.get(self.key):
            raise Refusal(400, "InvalidRequest", "This copy request is illegal because it is trying "
                          "to copy an object to itself")
        if len(there.data) > self.server.store.arguments.copy_limit:
            raise Refusal(400, "InvalidRequest", "The specified copy source is larger than the "
                          "maximum allowable size")
        objects[self.key] = Object(there.data, there.etag, there.meta, there.crc, there.kind)
        self.answer_xml("CopyObjectResult", f"<ETag>&quot;{there.etag}&quot;</ETag>")

    def begin_upload(self):
        name = base64.b64encode(os.urandom(18)).decode() + "=="  # must be encoded in a query
        self.server.store.uploads[name] = (self.bucket, self.key, {}, self.meta(),
                                           self.headers.get("Content-Type"))
        self.answer_xml("InitiateMultipartUploadResult",
                        f"<Bucket>{self.bucket}</Bucket><UploadId>{name}</UploadId>")

    def upload(self, objects, body):
        uploads, name = self.server.store.uploads, self.query["uploadId"]
        if name not in uploads or uploads[name][:2] != (self.bucket, self.key):
            raise Refusal(404, "NoSuchUpload", "The specified upload does not exist")
        parts = uploads[name][2]
        if self.command == "DELETE":
            del uploads[name]
            self.out_status = 204
        elif self.command == "PUT":
            number = int(self.query["partNumber"])
            if not 1 <= number <= 10000:
                raise Refusal(400, "InvalidArgument")
            crc = None
            if "x-amz-copy-source" in self.headers:
                first, last = re.fullmatch(r"bytes=(\d+)-(\d+)",
                                           self.headers["x-amz-copy-source-range"]).groups()
                body = self.source().data[int(first):int(last) + 1]
            else:
                crc = self.check_body(body)
            etag = hashlib.md5(body).hexdigest()
            parts[number] = (body, etag, crc)
            self.out_headers["ETag"] = f'"{etag}"'
            if crc:
                self.out_headers["x-amz-checksum-crc32c"] = crc
            if "x-amz-copy-source" in self.headers:
                self.answer_xml("CopyPartResult", f"<ETag>&quot;{etag}&quot;</ETag>")
        elif self.command == "POST":
            self.complete(objects, name, body)
        else:
            raise Refusal(405, "MethodNotAllowed")

    def complete(self, objects, name, body):
        _, _, parts, meta, kind = self.server.store.uploads[name]
        names = {"s": "http://s3.amazonaws.com/doc/2006-03-01/"}
        asked = []
        for part in xml.etree.ElementTree.fromstring(body).findall("s:Part", names):
            number = int(part.findtext("s:PartNumber", None, names))
            if number not in parts or parts[number][1] != part.findtext("s:ETag", None,
                                                                        names).strip('"'):
                raise Refusal(400, "InvalidPart")
            crc = part.findtext("s:ChecksumCRC32C", None, names)
            if crc and crc != parts[number][2]:
                raise Refusal(400, "InvalidPart", "another checksum")
            asked.append(number)
        if not asked or asked != sorted(set(asked)):
            raise Refusal(400, "InvalidPartOrder")
        if any(len(parts[n][0]) < LIMIT for n in asked[:-1]):
            raise Refusal(400, "EntityTooSmall", "Your proposed upload is smaller than the minimum "
                          "allowed object size.")
        self.check_write(objects)
        sums = b"".join(bytes.fromhex(parts[n][1]) for n in asked)
        etag = f"{hashlib.md5(sums).hexdigest()}-{len(asked)}"
        objects[self.key] = Object(b"".join(parts[n][0] for n in asked), etag, meta, None, kind)
        del self.server.store.uploads[name]
        self.answer_xml("CompleteMultipartUploadResult", f"<ETag>&quot;{etag}&quot;</ETag>")

    def delete_many(self, objects, body):
        if "Content-MD5" not in self.headers:
            raise Refusal(400, "InvalidRequest", "Missing required header: Content-MD5")
        self.check_body(body)
        names = {"s": "http://s3.amazonaws.com/doc/2006-03-01/"}
        found = xml.etree.ElementTree.fromstring(body).findall("s:Object/s:Key", names)
        if not 1 <= len(found) <= 1000:
            raise Refusal(400, "MalformedXML")
        errors = ""
        for key in found:
            if key.text.endswith("protected"):
                errors += f"<Error><Key>{escape(key.text)}</Key><Code>AccessDenied</Code></Error>"
            else:
                objects.pop(key.text, None)
        self.answer_xml("DeleteResult", errors)

    def list(self, objects):
        prefix, delimiter = self.query.get("prefix", ""), self.query.get("delimiter", "")
        most = min(int(self.query.get("max-keys", 1000)), self.server.store.arguments.page)
        after = b""
        if "continuation-token" in self.query:
            after = base64.b64decode(self.query["continuation-token"], validate=True)
        entries, seen, truncated, last = [], set(), False, b""
        for key in sorted(objects, key=lambda k: k.encode()):
            if not key.startswith(prefix):
                continue
            rest = key[len(prefix):]
            shared = prefix + rest.split(delimiter)[0] + delimiter \
                if delimiter and delimiter in rest else None
            name = shared or key
            if name in seen or name.encode() <= after:
                continue
            if len(entries) == most:
                truncated = True
                break
            seen.add(name)
            last = name.encode()
            entries.append((name, None if shared else objects[key]))
        url = self.query.get("encoding-type") == "url"
        # As Amazon does it: '+' for a space, '/' as it is.
        show = (lambda k: urllib.parse.quote_plus(k, safe="/*-._")) if url else escape
        text = f"<Name>{self.bucket}</Name><Prefix>{show(prefix)}</Prefix>"
        for name, there in entries:
            if there is None:
                text += f"<CommonPrefixes><Prefix>{show(name)}</Prefix></CommonPrefixes>"
            else:
                stamp = there.time.strftime("%Y-%m-%dT%H:%M:%S.000Z")
                text += (f"<Contents><Key>{show(name)}</Key><LastModified>{stamp}</LastModified>"
                         f"<ETag>&quot;{there.etag}&quot;</ETag><Size>{len(there.data)}</Size>"
                         f"</Contents>")
        if url:
            text += "<EncodingType>url</EncodingType>"
        if truncated:
            token = base64.b64encode(last).decode()
            text += f"<NextContinuationToken>{token}</NextContinuationToken>"
        text += f"<IsTruncated>{'true' if truncated else 'false'}</IsTruncated>"
        self.answer_xml("ListBucketResult", text)

    # Answering -----------------------------------------------------------------------------------

    def answer_xml(self, root, inner):
        self.out_headers["Content-Type"] = "application/xml"
        self.out_body = (f'<?xml version="1.0" encoding="UTF-8"?>\n<{root}>{inner}'
                         f"</{root}>").encode()

    def refuse(self, refusal):
        self.out_status = refusal.status
        for name in ("ETag", "Content-Range"):
            self.out_headers.pop(name, None)
        more = "".join(f"<{n}>{escape(v)}</{n}>" for n, v in refusal.more.items())
        self.answer_xml("Error", f"<Code>{refusal.code}</Code><Message>{escape(refusal.message)}"
                        f"</Message>{more}<RequestId>0</RequestId>")

    def send(self, action, argument):
        body = self.out_body
        if action == "header":
            name, _, value = argument.partition(":")
            self.out_headers[name] = value
        if action == "flip" and body:
            at = int(argument)
            body = body[:at] + bytes([body[at] ^ 1]) + body[at + 1:]
        self.send_response(self.out_status)
        for name, value in self.out_headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD" or self.out_status == 204:
            return
        if action == "cut":
            self.close_connection = True
            body = body[:int(argument)]
        self.wfile.write(body)

    def date_time_string(self, timestamp=None):
        return super().date_time_string((timestamp or time.time()) + self.server.store.skew)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], (OSError, ssl.SSLError)):
            super().handle_error(request, client_address)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--plan")
    parser.add_argument("--log")
    parser.add_argument("--region", default="us-east-1")
    parser.add_argument("--token")
    parser.add_argument("--tls", nargs=2)
    parser.add_argument("--page", type=int, default=1000)
    parser.add_argument("--copy-limit", type=int, default=5 << 30)
    parser.add_argument("--sums", action="store_true")
    arguments = parser.parse_args()
    server = Server(("127.0.0.1", 0), Handler)
    server.store = Store(arguments)
    if arguments.tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*arguments.tls)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"port {server.server_address[1]}", flush=True)
    while sys.stdin.buffer.read(4096):
        pass
    os._exit(0)


if __name__ == "__main__":
    main()
