"""Real S3 servers on this machine, and a proxy that makes them fail."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from http.server import ThreadingHTTPServer

import pytest
from obstore.store import S3Store

BUCKET = "bucket"
KEY, SECRET = "tester", "tester-secret"


def environment(endpoint, **more):
    """Return the variables by which a process finds a server."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": "us-east-1",
        **more,
    }


@contextmanager
def moto():
    """Run moto, which keeps objects in memory; yield its address."""
    if shutil.which("moto_server", path=os.path.dirname(sys.executable)) is None:
        pytest.skip("moto is not installed")
    port = free_port()
    command = [sys.executable, "-W", "ignore", "-m", "moto.server", "-p", str(port)]
    with _running(command, f"http://127.0.0.1:{port}/moto-api/"):
        address = f"http://127.0.0.1:{port}"
        urllib.request.urlopen(urllib.request.Request(f"{address}/{BUCKET}", method="PUT"))
        yield address


@contextmanager
def seaweedfs(folder):
    """Run SeaweedFS, a distributed object store, as one process; yield its address."""
    binary = shutil.which("weed", path=os.path.dirname(sys.executable))
    if binary is None:
        pytest.skip("SeaweedFS is not installed")
    keys = [{"accessKey": KEY, "secretKey": SECRET}]
    identity = {"name": "t", "credentials": keys, "actions": ["Admin", "Read", "Write", "List"]}
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
    (folder / "data").mkdir()
    if not (_is_free(8181) and _is_free(9101)):
        pytest.skip("another SeaweedFS uses the ports 8181 and 9101, which cannot be chosen")
    port = free_port(4)
    options = {
        "dir": folder / "data",
        "ip": "127.0.0.1",
        "ip.bind": "127.0.0.1",
        "master.port": port + 1,
        "volume.port": port + 2,
        "filer.port": port + 3,
        "s3.port": port,
        "s3.config": folder / "s3.json",
        "volume.max": 20,
        "master.volumeSizeLimitMB": 256,
    }
    words = [binary, f"-logdir={folder}", "server", "-filer", "-s3"]
    words += [f"-{name}={value}" for name, value in options.items()]
    address = f"http://127.0.0.1:{port}"
    with _running(words, f"{address}/healthz"):
        store = S3Store(
            BUCKET,
            endpoint=address,
            access_key_id=KEY,
            secret_access_key=SECRET,
            region="us-east-1",
            client_options={"allow_http": True},
        )
        store.put("first", b"")  # it makes the bucket
        yield address


class FaultProxy:
    """Passes requests on to a server, except where `fault` says otherwise.

    Args:
        upstream: address of the server.

    `fault` is called with the method and the path of a request. It returns None (pass it on), a
    number of seconds (wait, then pass it on), an HTTP status (answer with it), ``cut`` (close the
    connection in the middle of the answer) or ``lost`` (pass it on, and close without an answer).
    """

    def __init__(self, upstream):
        self.upstream = upstream.removeprefix("http://")
        self.fault = lambda *_: None
        self.requests = []
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _pass(self):
                proxy._handle(self)

            def log_message(self, *_):
                pass

        for method in ("GET", "PUT", "POST", "HEAD", "DELETE"):
            setattr(Handler, f"do_{method}", Handler._pass)

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, *_):  # the client went away
                pass

        self._server = Server(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handle(self, request):
        length = int(request.headers.get("Content-Length") or 0)
        body = request.rfile.read(length)
        fault = self.fault(request.command, request.path)
        self.requests.append((request.command, request.path, fault))
        if isinstance(fault, float):
            time.sleep(fault)
        elif isinstance(fault, int):
            self._answer(request, fault, [], b"<Error><Message>made to fail</Message></Error>")
            return
        connection = http.client.HTTPConnection(self.upstream, timeout=60)
        try:
            headers = dict(request.headers.items())
            connection.request(request.command, request.path, body, headers)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        if fault == "lost":
            request.close_connection = True
            return
        skipped = ("transfer-encoding", "connection", "content-length")
        kept = [pair for pair in answer.getheaders() if pair[0].lower() not in skipped]
        size = answer.getheader("Content-Length") if request.command == "HEAD" else len(content)
        if fault == "cut":
            content = content[: len(content) // 2]
            request.close_connection = True
        self._answer(request, answer.status, [*kept, ("Content-Length", size)], content)

    def _answer(self, request, status, headers, content):
        request.send_response_only(status)
        for name, value in headers:
            request.send_header(name, str(value))
        if not any(name == "Content-Length" for name, _ in headers):
            request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(content)


def free_port(count=1):
    """Return the first of some adjacent ports that are free, and stay free with 10000 added."""
    for start in range(20000 + os.getpid() % 5000, 45000, count):
        if all(_is_free(start + n) and _is_free(start + n + 10000) for n in range(count)):
            return start
    pytest.skip("no port is free")


def _is_free(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


@contextmanager
def _running(command, url):
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            end = time.monotonic() + 60
            while not _answers(url):
                assert process.poll() is None, f"{command[0]} ended with {process.returncode}"
                assert time.monotonic() < end, f"{command[0]} did not start"
                time.sleep(0.05)
            yield
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def _answers(url):
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except (OSError, http.client.HTTPException):
        return False
