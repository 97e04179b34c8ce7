"""How fast does one object come from a server of S3 into memory, and go back? Against boto3 and
rclone, each with the best of several settings, on a real server on loopback (plain http, payloads
signed), which shares the processors with its clients. Runs alternate; printed are medians.

FULL=1: 1 GiB, else 256 MiB. boto3 reads into a buffer that is there and writes from one, with 2, 4,
8 or 16 threads and parts of 8 or 16 MiB. rclone reads to a file or into a pipe, and writes from a
file, with 4 or 8 streams and without checksums of its own; its start (the time for one byte) is
taken off. "cpu" is the processor time of the client alone, for one GiB."""
import io
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import time
import zlib

sys.path.append("/usr/lib/python3/dist-packages")  # Debian's python3-boto3
import boto3
import boto3.s3.transfer
import botocore.client

SHARED = pathlib.Path(os.environ["STOA_SHARED"])
DATA = pathlib.Path(os.environ["STOA_BENCH_DATA"])
PROGRAM = pathlib.Path(os.environ["STOA_BENCH_DIR"]) / "bench_s3_s3"
SIZE = (1 << 30) if os.environ.get("FULL") else (256 << 20)
RUNS = 5 if os.environ.get("FULL") else 3
MIB = 1 << 20


def serve(verb, folder):
    script = SHARED / "judges/tables/run_s3.sh"
    done = subprocess.run(["sh", script, verb, folder], capture_output=True, text=True, check=True)
    return dict(line.split("=", 1) for line in done.stdout.splitlines())


class Buffer:
    """Where boto3 writes parts, at their places, from several threads."""

    def __init__(self, size):
        self.bytes, self.at = bytearray(size), 0

    def seek(self, at, whence=0):
        self.at = at
        return at

    def tell(self):
        return self.at

    def write(self, data):
        self.bytes[self.at:self.at + len(data)] = data
        self.at += len(data)
        return len(data)


def used():
    """Processor seconds of this process and its children so far."""
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(use.ru_utime + use.ru_stime for use in both)


def clock(function):
    start = time.monotonic()
    function()
    return time.monotonic() - start


class Bench:
    def __init__(self, environment):
        clean = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        self.env = dict(clean, **environment, AWS_CONFIG_FILE="/nonexistent/config",
                        AWS_SHARED_CREDENTIALS_FILE="/nonexistent/credentials")
        self.rclone_env = dict(
            clean, RCLONE_S3_PROVIDER="Other", RCLONE_CONFIG="/nonexistent/rclone.conf",
            RCLONE_S3_ACCESS_KEY_ID=environment["AWS_ACCESS_KEY_ID"],
            RCLONE_S3_SECRET_ACCESS_KEY=environment["AWS_SECRET_ACCESS_KEY"],
            RCLONE_S3_REGION=environment["AWS_REGION"],
            RCLONE_S3_ENDPOINT=environment["AWS_ENDPOINT_URL"],
            RCLONE_S3_FORCE_PATH_STYLE="true")
        self.client = boto3.client(
            "s3", endpoint_url=environment["AWS_ENDPOINT_URL"],
            aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
            region_name=environment["AWS_REGION"],
            config=botocore.client.Config(s3={"addressing_style": "path"},
                                          max_pool_connections=32))
        self.client.create_bucket(Bucket="bench")
        self.file = DATA / "s3-object"

    def ours(self, verb, key):
        out = subprocess.run([PROGRAM, verb, f"s3://bench/{key}", str(SIZE)], env=self.env,
                             capture_output=True, text=True, check=True).stdout.split()
        return float(out[0]), int(out[1], 16)

    def boto(self, verb, threads, part):
        config = boto3.s3.transfer.TransferConfig(max_concurrency=threads,
                                                  multipart_chunksize=part * MIB,
                                                  multipart_threshold=part * MIB)
        if verb == "put":
            source = io.BytesIO(self.content)
            return clock(lambda: self.client.upload_fileobj(source, "bench", "boto", Config=config))
        buffer = Buffer(SIZE)
        seconds = clock(lambda: self.client.download_fileobj("bench", "object", buffer,
                                                             Config=config))
        assert zlib.crc32(buffer.bytes) == self.sum
        return seconds

    def rclone(self, *words, pipe=False):
        command = ["rclone", *map(str, words), "--ignore-checksum", "--ignore-times",
                   "--s3-disable-checksum", "--buffer-size", "32M", "--use-mmap", "-q"]
        start = time.monotonic()
        child = subprocess.Popen(command, env=self.rclone_env, bufsize=0,
                                 stdout=subprocess.PIPE if pipe else subprocess.DEVNULL)
        if pipe:
            room = bytearray(MIB)
            while child.stdout.readinto(room):
                pass
        assert child.wait() == 0, command
        return time.monotonic() - start

    def rclone_get(self, kind, streams, key="object"):
        source = f":s3:bench/{key}"
        if kind == "pipe":
            return self.rclone("cat", source, pipe=True)
        target = DATA / "s3-back"
        target.unlink(missing_ok=True)
        return self.rclone("copyto", source, target, "--multi-thread-streams", streams,
                           "--multi-thread-cutoff", "1M")

    def rclone_put(self, streams, part, source=None):
        return self.rclone("copyto", source or self.file, ":s3:bench/rclone",
                           "--s3-upload-concurrency", streams, "--s3-chunk-size", f"{part}M",
                           "--s3-upload-cutoff", "1M")

    def best(self, variants):
        """The fastest of several ways, tried once each."""
        return min(variants, key=lambda way: way[1]())

    def measure(self, verb, ways):
        times = {name: [] for name, _ in ways}
        busy = dict(times)
        for _ in range(RUNS):
            for name, run in ways:
                before = used()
                times[name].append(run())
                busy[name] = [*busy[name], used() - before]
        mine = SIZE / MIB / statistics.median(times["ours"])
        for name, _ in ways:
            rate = SIZE / MIB / statistics.median(times[name])
            spread = f"{SIZE / MIB / max(times[name]):.0f} to {SIZE / MIB / min(times[name]):.0f}"
            print(f"figure vfs.s3.{verb}.{name.split()[0]} {rate:.1f} MiB/s")
            cpu = statistics.median(busy[name]) * (1 << 30) / SIZE
            print(f"figure vfs.s3.{verb}.{name.split()[0]}.cpu {cpu:.2f} s/GiB")
            print(f"  {name}: {spread} MiB/s")
            if name != "ours":
                print(f"ratio vfs.s3.{verb} {mine:.1f} MiB/s vs {name.split()[0]} {rate:.1f} = "
                      f"{mine / rate:.2f}x")

    def run(self):
        self.client.put_object(Bucket="bench", Key="byte", Body=b"x")
        _, self.sum = self.ours("put", "object")
        buffer = Buffer(SIZE)
        self.client.download_fileobj("bench", "object", buffer)
        self.content = bytes(buffer.bytes)
        assert zlib.crc32(self.content) == self.sum
        self.file.write_bytes(self.content)
        byte = DATA / "s3-byte"
        byte.write_bytes(b"x")
        get_start = min(self.rclone_get("pipe", 1, "byte") for _ in range(5))
        put_start = min(self.rclone_put(4, 8, byte) for _ in range(5))

        boto = [(f"boto3 ({t} threads, {p} MiB)", lambda t=t, p=p: self.boto("get", t, p))
                for t in (2, 4, 8, 16) for p in (8, 16)]
        rclone = [(f"rclone ({kind}, {s} streams)",
                   lambda kind=kind, s=s: self.rclone_get(kind, s) - get_start)
                  for kind, s in (("pipe", 1), ("file", 4), ("file", 8), ("file", 2))]

        def get():
            seconds, found = self.ours("get", "object")
            assert found == self.sum
            return seconds
        self.measure("get", [("ours", get), self.best(boto), self.best(rclone)])

        boto = [(f"boto3 ({t} threads, {p} MiB)", lambda t=t, p=p: self.boto("put", t, p))
                for t in (2, 4, 8, 16) for p in (8, 16)]
        rclone = [(f"rclone ({s} streams, {p} MiB)",
                   lambda s=s, p=p: self.rclone_put(s, p) - put_start)
                  for s in (2, 4, 8) for p in (8, 16)]
        self.measure("put", [("ours", lambda: self.ours("put", "mine")[0]), self.best(boto),
                             self.best(rclone)])


def main():
    folder = DATA / "s3-server"
    DATA.mkdir(parents=True, exist_ok=True)
    environment = serve("start", folder)
    try:
        print(f"rival boto3 {boto3.__version__}")
        version = subprocess.run(["rclone", "version"], capture_output=True, text=True, check=True)
        print(f"rival rclone {version.stdout.splitlines()[0].split()[-1]}")
        Bench(environment).run()
    finally:
        serve("stop", folder)
        subprocess.run(["rm", "-rf", folder], check=False)
        for name in ("s3-object", "s3-back", "s3-byte"):
            (DATA / name).unlink(missing_ok=True)


main()
