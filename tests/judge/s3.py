"""The judge of S3: our own tests over the real server, and objects exchanged with boto3 and rclone.
Prints `score: PASSED/TOTAL`."""
import os
import random
import re
import shutil
import subprocess
import sys

import oracle

sys.path.append("/usr/lib/python3/dist-packages")  # Debian's python3-boto3
try:
    import boto3
    import botocore.client
except ImportError:
    boto3 = None

BUCKET = "judge"
TOOL = oracle.tool("tool_vfs_s3")
KEYS = ["plain", "a b", "a+b", "x=1/y=2/f.parquet", "\u00fc/\u65e5\u672c.bin", "100%25",
        "q'uote(1)!*~$&,;:@", "#h?q=1&b"]
SIZES = [0, 1, 100_000, 5 << 20, (5 << 20) + 1, (24 << 20) + 17]
passed = total = 0


def check(name, ok):
    global passed, total
    total += 1
    passed += bool(ok)
    if not ok:
        print(f"failed: {name}")


def ours(*words):
    done = subprocess.run([TOOL, *words], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        print(done.stderr, end="")
    return done.returncode == 0


def client():
    return boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"],
                        config=botocore.client.Config(s3={"addressing_style": "path"}))


def make_bucket():
    if boto3:
        client().create_bucket(Bucket=BUCKET)
    else:
        subprocess.run(["rclone", "mkdir", f":s3:{BUCKET}"], env=rclone_environment(), check=True)


def rclone_environment():
    e = os.environ
    return dict(e, RCLONE_S3_PROVIDER="Other", RCLONE_S3_ACCESS_KEY_ID=e["AWS_ACCESS_KEY_ID"],
                RCLONE_S3_SECRET_ACCESS_KEY=e["AWS_SECRET_ACCESS_KEY"],
                RCLONE_S3_REGION=e["AWS_REGION"], RCLONE_S3_ENDPOINT=e["AWS_ENDPOINT_URL"],
                RCLONE_S3_FORCE_PATH_STYLE="true", RCLONE_CONFIG="/nonexistent/rclone.conf")


def run_tests(program):
    """One of our test programs over the real server."""
    global passed, total
    environment = dict(os.environ, STOA_TEST_S3="real", STOA_TEST_S3_BUCKET=BUCKET)
    done = subprocess.run([oracle.TOOLS / program], env=environment, capture_output=True, text=True,
                          check=False, cwd=oracle.SOURCE)
    text = done.stdout + done.stderr
    good = len(re.findall(r"\[       OK \]", text))
    bad = len(set(re.findall(r"\[  (?:FAILED|ERROR ) *\] (?!---)(\w.*)", text)))
    if done.returncode != 0 and bad == 0:
        bad = 1
    passed += good
    total += good + bad
    if bad:
        print(text[-4000:])


def run_command_tests():
    """The command with a database on the real server."""
    global passed, total
    environment = dict(os.environ, STOA_TEST_S3="real", STOA_TEST_S3_BUCKET=BUCKET)
    done = subprocess.run([sys.executable, oracle.SOURCE / "tests/e2e/test_object_store.py"],
                          env=environment, capture_output=True, text=True, check=False)
    good, bad = map(int, re.search(r"(\d+) passed, (\d+) failed", done.stdout).groups())
    passed += good
    total += good + bad
    if bad:
        print(done.stdout[-4000:])


def exchange_with_boto3():
    s3 = client()
    for i, size in enumerate(SIZES):
        for key in KEYS if size == 100_000 else KEYS[:1]:
            data = random.Random(i).randbytes(size)
            there, back = oracle.TMP / "there", oracle.TMP / "back"
            there.write_bytes(data)
            check(f"put {key} {size}", ours("put", f"s3://{BUCKET}/ours/{size}/{key}", there))
            check(f"boto3 reads {key} {size}", s3.get_object(
                Bucket=BUCKET, Key=f"ours/{size}/{key}")["Body"].read() == data)
            s3.upload_file(str(there), BUCKET, f"boto/{size}/{key}")
            check(f"get {key} {size}", ours("get", f"s3://{BUCKET}/boto/{size}/{key}", back) and
                  back.read_bytes() == data)


def exchange_with_rclone():
    environment = rclone_environment()
    for i, size in enumerate(SIZES):
        data = random.Random(100 + i).randbytes(size)
        there, back = oracle.TMP / "there", oracle.TMP / "back"
        there.write_bytes(data)
        key = KEYS[i]
        remote = f":s3:{BUCKET}/rclone/{size}"
        done = subprocess.run(["rclone", "copyto", there, f"{remote}/{key}"], env=environment,
                              capture_output=True, text=True, check=False)
        check(f"rclone writes {key} {size}: {done.stderr}", done.returncode == 0)
        check(f"get {key} {size}", ours("get", f"s3://{BUCKET}/rclone/{size}/{key}", back) and
              back.read_bytes() == data)
        check(f"put {key} {size}", ours("put", f"s3://{BUCKET}/rclone/{size}/mine", there))
        back.unlink(missing_ok=True)
        done = subprocess.run(["rclone", "copyto", f"{remote}/mine", back], env=environment,
                              capture_output=True, text=True, check=False)
        check(f"rclone reads {key} {size}: {done.stderr}",
              done.returncode == 0 and back.read_bytes() == data)


def main():
    if not boto3 and not shutil.which("rclone"):
        oracle.leave_out("neither python3-boto3 nor rclone is installed")
    make_bucket()
    for program in ("test_vfs_s3", "test_vfs_s3_contract"):
        run_tests(program)
    run_command_tests()
    if boto3:
        exchange_with_boto3()
    else:
        print("left out: python3-boto3 is not installed")
    if shutil.which("rclone"):
        exchange_with_rclone()
    else:
        print("left out: rclone is not installed")
    print(f"score: {passed}/{total}")
    sys.exit(0 if passed == total else 1)


main()
