"""A local server that answers as the Hugging Face Hub does for one dataset repository."""

from __future__ import annotations

import hashlib
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from http.server import ThreadingHTTPServer
from urllib.parse import unquote


@contextmanager
def hub(repository, commit, files):
    """Serve a repository; yield the address and the list of files that were asked for."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_HEAD(self):
            self.do_GET(body=False)

        def do_GET(self, *, body=True):
            path = unquote(self.path.partition("?")[0])
            if path.startswith(f"/api/datasets/{repository}/tree/{commit}"):
                tree = [
                    {"type": "file", "path": name, "size": len(data), "oid": "0" * 40}
                    for name, data in files.items()
                ]
                self.answer(json.dumps(tree).encode(), "application/json", body=body)
                return
            if path.startswith(f"/api/datasets/{repository}/revision/{commit}"):
                siblings = [{"rfilename": name} for name in files]
                content = json.dumps(
                    {"id": repository, "sha": commit, "siblings": siblings, "tags": []}
                ).encode()
                self.answer(content, "application/json", body=body)
                return
            prefix = f"/datasets/{repository}/resolve/{commit}/"
            name = path.removeprefix(prefix)
            if not path.startswith(prefix) or name not in files:
                self.answer(b"", "text/plain", body=body, status=404)
                return
            if body:
                asked.append(name)
            self.answer(files[name], "application/octet-stream", body=body)

        def answer(self, content, kind, *, body, status=200):
            self.send_response(status)
            if status == 404:
                self.send_header("X-Error-Code", "RepoNotFound")
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("ETag", f'"{hashlib.sha1(content).hexdigest()}"')
            self.send_header("X-Repo-Commit", commit)
            self.end_headers()
            if body:
                self.wfile.write(content)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
