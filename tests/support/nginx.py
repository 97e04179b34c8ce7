#!/usr/bin/env python3
"""Runs nginx on loopback with a folder of its own, for tests of HTTP clients.

    nginx.py FOLDER

FOLDER/files is served by http, and by https with certificates made here: FOLDER/ca.pem is the
authority. Prints "port HTTP HTTPS WRONG EXPIRED" when it listens: the ports of http, of https, of https
with a certificate for another name, and of https with one that has expired. Ends, and nginx with it,
when standard input does.

/files/NAME     a file (folders are not found); /private/NAME: the same, for me:secret alone
/down/NAME      (https) a redirect to http
/up/NAME        (http) a redirect to https
"""
import ctypes
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time

CONF = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
    access_log off;
    default_type application/octet-stream;
    client_body_temp_path {folder}/tmp;
    proxy_temp_path {folder}/tmp;
    fastcgi_temp_path {folder}/tmp;
    uwsgi_temp_path {folder}/tmp;
    scgi_temp_path {folder}/tmp;
    sendfile on;
    server {{
        listen 127.0.0.1:{http};
        listen 127.0.0.1:{https} ssl;
        ssl_certificate {folder}/good.pem;
        ssl_certificate_key {folder}/key.pem;
        location /files/ {{ alias {folder}/files/; }}
        location /private/ {{
            alias {folder}/files/;
            auth_basic "private";
            auth_basic_user_file {folder}/users;
        }}
        location /down/ {{ return 302 http://127.0.0.1:{http}/files/; }}
        location ~ /$ {{ return 404; }}
        location /up/ {{ return 302 https://127.0.0.1:{https}/files/; }}
    }}
    server {{
        listen 127.0.0.1:{wrong} ssl;
        ssl_certificate {folder}/wrong.pem;
        ssl_certificate_key {folder}/key.pem;
        location /files/ {{ alias {folder}/files/; }}
    }}
    server {{
        listen 127.0.0.1:{expired} ssl;
        ssl_certificate {folder}/expired.pem;
        ssl_certificate_key {folder}/key.pem;
        location /files/ {{ alias {folder}/files/; }}
    }}
}}
"""


def openssl(folder, *arguments):
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)


def make_certificates(folder):
    """An authority, and three certificates of one key."""
    openssl(folder, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", "ca-key.pem", "-out", "ca.pem", "-days", "2", "-subj", "/CN=test authority")
    openssl(folder, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", "key.pem", "-out", "request.pem", "-subj", "/CN=test server")
    (folder / "index.txt").write_text("")
    (folder / "serial").write_text("01\n")
    (folder / "ca.conf").write_text(
        "[ca]\ndefault_ca=own\n[own]\ndatabase=index.txt\nserial=serial\nnew_certs_dir=.\n"
        "default_md=sha256\npolicy=any\nunique_subject=no\n[any]\ncommonName=supplied\n"
        "[good]\nsubjectAltName=IP:127.0.0.1,DNS:localhost\n[wrong]\nsubjectAltName=DNS:other.test\n")
    for name, extensions, start, end in (
            ("good", "good", "20200101000000Z", "20491231000000Z"),
            ("wrong", "wrong", "20200101000000Z", "20491231000000Z"),
            ("expired", "good", "20200101000000Z", "20210101000000Z")):
        openssl(folder, "ca", "-batch", "-config", "ca.conf", "-cert", "ca.pem", "-keyfile",
                "ca-key.pem", "-in", "request.pem", "-out", f"{name}.pem", "-extensions", extensions,
                "-startdate", start, "-enddate", end)


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def start(folder):
    """The ports, and nginx. Somebody may take a port before nginx does: then once more."""
    for _ in range(5):
        ports = free_ports(4)
        http, https, wrong, expired = ports
        (folder / "nginx.conf").write_text(CONF.format(
            folder=folder, http=http, https=https, wrong=wrong, expired=expired))
        process = subprocess.Popen(
            ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e",
             str(folder / "error.log")], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, preexec_fn=die_with_parent)
        while process.poll() is None:
            if all(listens(port) for port in ports):
                return ports, process
            time.sleep(0.02)
    sys.exit((folder / "error.log").read_text())


def main():
    folder = pathlib.Path(sys.argv[1]).resolve()
    os.environ["PATH"] += ":/usr/sbin:/usr/local/sbin"
    if shutil.which("nginx") is None or shutil.which("openssl") is None:
        os._exit(127)
    (folder / "files").mkdir(exist_ok=True)
    (folder / "tmp").mkdir(exist_ok=True)
    for each in (folder, folder / "files"):
        each.chmod(0o755)
    (folder / "users").write_text("me:{PLAIN}secret\n")
    make_certificates(folder)
    ports, process = start(folder)
    print("port", *ports, flush=True)
    sys.stdin.buffer.read()
    process.kill()
    process.wait()
    os._exit(0)


main()
