"""CloudFront's invalidations on a loopback port, with what moto leaves out: limits, progress and caller references.

https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_CreateInvalidation.html
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from xml.etree import ElementTree

_NAMESPACE = "http://cloudfront.amazonaws.com/doc/2020-05-31/"


@dataclass
class Accepted:
    """An invalidation as CloudFront keeps it."""

    identity: str
    reference: str
    paths: list[str]
    status: str = "InProgress"


@dataclass
class StubCloudFront:
    """Accepts up to 3,000 files and 15 wildcards in progress; `refusals` are answered before anything else."""

    accepted: list[Accepted] = field(default_factory=list)
    refusals: list[tuple[int, str]] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    loses_answers: bool = False
    hold_answers: threading.Event | None = None
    refused_path: str = ""

    def __enter__(self) -> Self:
        handler = type("Handler", (_Handler,), {"cloudfront": self})
        self._server = _Server(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def paths(self) -> list[str]:
        """Every path that was accepted, as often as it was."""
        return [path for each in self.accepted for path in each.paths]

    def complete(self) -> None:
        """Nothing is in progress any more."""
        for each in self.accepted:
            each.status = "Completed"

    def create(self, reference: str, paths: list[str]) -> tuple[int, str]:
        """The answer to CreateInvalidation."""
        for known in self.accepted:
            if known.reference == reference:
                return (
                    (201, _describe(known)) if known.paths == paths else _error(400, "InvalidationBatchAlreadyExists")
                )
        if self.refused_path and self.refused_path in paths:
            return _error(400, "InvalidArgument")
        in_progress = [path for each in self.accepted if each.status == "InProgress" for path in each.paths] + paths
        wildcards = sum(path.endswith("*") for path in in_progress)
        if wildcards > 15 or len(in_progress) - wildcards > 3000:
            return _error(400, "TooManyInvalidationsInProgress")
        accepted = Accepted(f"I{len(self.accepted):013}", reference, paths)
        self.accepted.append(accepted)
        return 201, _describe(accepted)

    def list(self, marker: str) -> str:
        """A page of two, the newest first, so that reading on is tried too."""
        newest = [each for each in reversed(self.accepted) if not marker or each.identity < marker]
        page, rest = newest[:2], newest[2:]
        items = "".join(
            f"<InvalidationSummary><Id>{each.identity}</Id><CreateTime>2026-01-01T00:00:00Z</CreateTime>"
            f"<Status>{each.status}</Status></InvalidationSummary>"
            for each in page
        )
        following = f"<NextMarker>{page[-1].identity}</NextMarker>" if rest else ""
        return (
            f'<InvalidationList xmlns="{_NAMESPACE}"><Marker>{marker}</Marker>{following}<MaxItems>2</MaxItems>'
            f"<IsTruncated>{'true' if rest else 'false'}</IsTruncated><Quantity>{len(page)}</Quantity>"
            f"<Items>{items}</Items></InvalidationList>"
        )


def _describe(each: Accepted) -> str:
    items = "".join(f"<Path>{path}</Path>" for path in each.paths)
    return (
        f'<Invalidation xmlns="{_NAMESPACE}"><Id>{each.identity}</Id><Status>{each.status}</Status>'
        f"<CreateTime>2026-01-01T00:00:00Z</CreateTime><InvalidationBatch><Paths><Quantity>{len(each.paths)}</Quantity>"
        f"<Items>{items}</Items></Paths><CallerReference>{each.reference}</CallerReference></InvalidationBatch>"
        "</Invalidation>"
    )


def _error(status: int, code: str) -> tuple[int, str]:
    return status, (
        f'<ErrorResponse xmlns="{_NAMESPACE}"><Error><Type>Sender</Type><Code>{code}</Code>'
        f"<Message>{code}</Message></Error><RequestId>r</RequestId></ErrorResponse>"
    )


class _Server(ThreadingHTTPServer):
    block_on_close = False  # a connection that is kept alive would be waited for


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    cloudfront: StubCloudFront

    def do_GET(self) -> None:
        self.cloudfront.requests.append(f"GET {self.path}")
        if self.cloudfront.refusals:
            return self._answer(*_error(*self.cloudfront.refusals.pop(0)))
        path, _, query = self.path.partition("?")
        identity = path.rpartition("/")[2]
        if identity == "invalidation":
            marker = dict(part.split("=") for part in query.split("&")).get("Marker", "")
            return self._answer(200, self.cloudfront.list(marker))
        found = next(each for each in self.cloudfront.accepted if each.identity == identity)
        return self._answer(200, _describe(found))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.cloudfront.requests.append(f"POST {self.path}")
        if self.cloudfront.refusals:
            return self._answer(*_error(*self.cloudfront.refusals.pop(0)))
        root = ElementTree.fromstring(body)
        reference = root.findtext(f"{{{_NAMESPACE}}}CallerReference") or ""
        paths = [str(each.text) for each in root.iter(f"{{{_NAMESPACE}}}Path")]
        answer = self.cloudfront.create(reference, paths)
        if self.cloudfront.hold_answers is not None:
            self.cloudfront.hold_answers.wait(30)
        if self.cloudfront.loses_answers:
            self.close_connection = True
            return None
        return self._answer(*answer)

    def _answer(self, status: int, body: str) -> None:
        content = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/xml")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        pass
