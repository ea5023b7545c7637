"""AWS as moto knows it, on a loopback port: regions, Block Public Access and CloudFront, which SeaweedFS has not.

moto checks no signatures and keeps nobody out, so it is no store to test permissions on.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Collection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from botocore.awsrequest import AWSPreparedRequest
from botocore.compat import HTTPHeaders
from moto.core.botocore_stubber import BotocoreStubber

from app.services.s3_connection import S3Connection

_SIGNED_SCOPE = re.compile(r"Credential=[^/]+/\d+/([^/]+)/([^/]+)/")
_OWN_HEADERS = {"content-length", "date", "server", "connection"}


class MotoStore:
    """Serves between `with` and its end. It never sees the request headers named in `ignoring`."""

    def __init__(self, ignoring: Collection[str] = ()) -> None:
        handler = type("Handler", (_Handler,), {"ignoring": {"host", *ignoring}})
        self._server = _Server(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def connection(self, bucket: str, *, region: str = "us-east-1") -> S3Connection:
        """A connection to one of its buckets, whether it exists or not."""
        return S3Connection(
            bucket=bucket,
            region=region,
            endpoint_url=f"http://127.0.0.1:{self._server.server_port}",
            access_key_id="moto",
            secret_access_key="moto-secret",
        )


class _Server(ThreadingHTTPServer):
    block_on_close = False  # a connection that is kept alive would be waited for


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    ignoring: Collection[str] = ()

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status, headers, content = BotocoreStubber().process_request(self._prepare(body)) or (501, {}, b"")
        content = content.encode() if isinstance(content, str) else content
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in _OWN_HEADERS:
                self.send_header(name, str(value))
        length = headers.get("content-length", len(content)) if self.command == "HEAD" else len(content)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _prepare(self, body: bytes) -> AWSPreparedRequest:
        """The request as if it had gone to the regional endpoint of AWS that it was signed for."""
        signed = _SIGNED_SCOPE.search(self.headers.get("Authorization", ""))
        region, service = (signed[1], signed[2]) if signed else ("us-east-1", "s3")
        headers = HTTPHeaders()
        for name, value in self.headers.items():
            if name.lower() not in self.ignoring:
                headers[name] = value
        headers["Host"] = host = f"s3.{region}.amazonaws.com" if service == "s3" else f"{service}.amazonaws.com"
        return AWSPreparedRequest(self.command, f"https://{host}{self.path}", headers, body, False)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = do_OPTIONS = _answer  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        pass
