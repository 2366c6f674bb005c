"""A server on this machine that answers as the hub does, for one repository's files."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@contextmanager
def serve(root: Path, prefix: str) -> Iterator[tuple[str, list[str]]]:
    """Serve the files of a folder under `prefix`; gives the address, and what was asked for.

    Args:
        root: The repository's files.
        prefix: What stands before a file's path, such as "/owner/name/resolve/main/".
    """
    asked: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(root, prefix, asked))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(root: Path, prefix: str, asked: list[str]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            inside = self.path.startswith(prefix)
            file = root / self.path.removeprefix(prefix)
            if not inside or not file.is_file():
                self.send_response(404)
                self.send_header("X-Error-Code", "EntryNotFound" if inside else "RepoNotFound")
                self.send_header("X-Repo-Commit", "c" * 40)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            body = file.read_bytes()
            self.send_response(200)
            self.send_header("ETag", f'"{sha256(body).hexdigest()}"')
            self.send_header("X-Repo-Commit", "c" * 40)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET

        def log_message(self, *values: object) -> None:
            pass

    return Handler
