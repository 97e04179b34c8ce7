"""Amazon's own client (botocore) signs as we do, hundreds of random requests; and it reads what we
write and writes what we read, over the server of the tests."""
import os
import random
import subprocess
import sys

import oracle

sys.path.append("/usr/lib/python3/dist-packages")  # Debian's python3-boto3
try:
    import boto3
    import botocore.awsrequest
    import botocore.auth
    import botocore.client
    import botocore.credentials
except ImportError:
    oracle.leave_out("python3-boto3 is not installed")

TOOL = oracle.tool("tool_vfs_s3")
KEY, SECRET = "stoatestkey", "stoa-test-secret-0123456789"


def random_text(numbers, most):
    letters = "aZ09-_.~ /+%=&?#:@!$'()*,;<>\"\u00fc\u65e5\U0001f3db"
    return "".join(numbers.choice(letters) for _ in range(numbers.randint(1, most)))


def quote(text, safe):
    import urllib.parse
    return urllib.parse.quote(text, safe=safe)


def one_request(numbers):
    """A random request; returns what our tool is given and the signature of botocore."""
    path = "/" + quote(random_text(numbers, 30), "/~")
    pairs = [(quote(random_text(numbers, 6), "~"), quote(random_text(numbers, 8), "~"))
             for _ in range(numbers.randint(0, 5))]
    query = "&".join(f"{n}={v}" if numbers.random() < 0.8 else f"{n}=" for n, v in pairs)
    region = numbers.choice(["us-east-1", "eu-central-1", "cn-north-1"])
    secret = "".join(numbers.choice("abcXYZ019/+=") for _ in range(numbers.randint(1, 60)))
    token = random_text(numbers, 40).replace(" ", "") if numbers.random() < 0.3 else None
    token = quote(token, "") if token else None
    method = numbers.choice(["GET", "PUT", "POST", "HEAD", "DELETE"])
    headers = {"Host": "bucket.example:9000"}
    for name in ("Range", "If-Match", "x-amz-copy-source", "x-amz-meta-stoa-tag", "Content-MD5"):
        if numbers.random() < 0.3:
            headers[name] = quote(random_text(numbers, 20), "/=- \"")
    body = numbers.randbytes(numbers.randint(0, 50))
    request = botocore.awsrequest.AWSRequest(
        method, f"http://bucket.example:9000{path}{'?' + query if query else ''}", data=body,
        headers=headers)
    signer = botocore.auth.S3SigV4Auth(botocore.credentials.Credentials(KEY, secret, token), "s3",
                                       region)
    signer.add_auth(request)
    wanted = request.headers["Authorization"]
    names = wanted.split("SignedHeaders=")[1].split(",")[0].split(";")
    signed = [f"{name}: {request.headers[name]}" for name in names]
    numbers.shuffle(signed)
    fields = [KEY, secret, method, path, query, region, request.headers["X-Amz-Date"],
              request.headers["X-Amz-Content-SHA256"], *signed]
    assert all("\t" not in f and "\n" not in f for f in fields)
    return "\t".join(fields), "Authorization: " + wanted


def signatures_agree():
    seed = int(os.environ.get("STOA_TEST_SEED", random.randrange(1 << 32)))
    print(f"STOA_TEST_SEED={seed}")
    numbers = random.Random(seed)
    requests = [one_request(numbers) for _ in range(600)]
    out = oracle.run(TOOL, "sign", stdin="".join(line + "\n" for line, _ in requests))
    for (line, wanted), found in zip(requests, out.splitlines(), strict=True):
        assert found == wanted, f"{line!r}\nexpected {wanted}\nbut found {found}"


def objects_agree():
    server = subprocess.Popen([sys.executable, oracle.SOURCE / "tests/support/s3_server.py",
                               "--sums"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        port = int(server.stdout.readline().split()[1])
        endpoint = f"http://127.0.0.1:{port}"
        environment = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        environment.update(AWS_ACCESS_KEY_ID=KEY, AWS_SECRET_ACCESS_KEY=SECRET,
                           AWS_REGION="us-east-1", AWS_ENDPOINT_URL=endpoint)
        client = boto3.client("s3", endpoint_url=endpoint, aws_access_key_id=KEY,
                              aws_secret_access_key=SECRET, region_name="us-east-1",
                              config=botocore.client.Config(s3={"addressing_style": "path"}))
        keys = ["a", "a b/+%/\u00fc=1", "x=1/y=2/f.parquet", "q'uote(1)!*~$&,;:@", "a//b", "d/../e"]
        for i, key in enumerate(keys):
            data = random.Random(i).randbytes([0, 10, 100000][i % 3])
            there, back = oracle.TMP / "there", oracle.TMP / "back"
            there.write_bytes(data)
            oracle.run(TOOL, "put", f"s3://lake/ours/{key}", there, env=environment)
            assert client.get_object(Bucket="lake", Key=f"ours/{key}")["Body"].read() == data, key
            client.put_object(Bucket="lake", Key=f"theirs/{key}", Body=data)
            oracle.run(TOOL, "get", f"s3://lake/theirs/{key}", back, env=environment)
            assert back.read_bytes() == data, key
        listed = oracle.run(TOOL, "list", "s3://lake/theirs", env=environment).splitlines()
        assert sorted(line.split(" ", 1)[1] for line in listed) == sorted(keys), listed
    finally:
        server.stdin.close()
        server.wait()


signatures_agree()
objects_agree()
