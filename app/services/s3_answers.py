"""Answers of the store to reads, in HTTP/1.1 (RFC 9112): only the plain ones are understood, and those strictly."""

from __future__ import annotations

import base64
import hashlib
import re
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Protocol

from app.services.protocols import StoredObject

MAX_HEAD_BYTES = 32 * 1024
MAX_REFUSAL_BYTES = 16 * 1024

_STATUS = re.compile(rb"HTTP/1\.1 ([2-5][0-9]{2})(?: |\Z)")
_ONCE = frozenset({"content-length", "content-range", "etag", "last-modified", "transfer-encoding"})
_METADATA_PREFIX = "x-amz-meta-"
_CODE = re.compile(rb"<Code>([A-Za-z]+)</Code>")
_MESSAGE = re.compile(rb"<Message>([^<&]*)</Message>")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,6})(?:;[^\r\n]*)?\r\n")


class NotPlain(Exception):
    """The answer is not what a store says to a simple read."""


class Digest(Protocol):
    """A running checksum."""

    def update(self, content: bytes, /) -> None: ...

    def digest(self) -> bytes: ...


class _Crc32:
    def __init__(self) -> None:
        self._value = 0

    def update(self, content: bytes, /) -> None:
        self._value = zlib.crc32(content, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")


_DIGESTS: dict[str, Callable[[], Digest]] = {
    "x-amz-checksum-sha256": hashlib.sha256,
    "x-amz-checksum-sha1": lambda: hashlib.sha1(usedforsecurity=False),
    "x-amz-checksum-crc32": _Crc32,
}


@dataclass(frozen=True, slots=True)
class AnswerHead:
    """Status and headers, their names in lower case; user metadata apart, also in lower case."""

    status: int
    headers: Mapping[str, str]
    metadata: Mapping[str, str]

    @property
    def is_chunked(self) -> bool:
        return self.headers.get("transfer-encoding", "").lower() == "chunked"

    @property
    def keeps_alive(self) -> bool:
        return "close" not in self.headers.get("connection", "").lower()

    def content_length(self) -> int:
        """Raises: NotPlain: the answer does not say, or says more than one thing."""
        length = self.headers.get("content-length", "")
        if "transfer-encoding" in self.headers or not (length.isascii() and length.isdigit() and len(length) < 16):
            raise NotPlain
        return int(length)

    def checksum(self) -> tuple[bytes, Digest] | None:
        """The digest of the whole object as the store knows it, and one to compare it with.

        Raises: NotPlain: it is none.
        """
        for name, make in _DIGESTS.items():
            # What an upload in parts has ends in "-" and their number, and is no digest of the bytes.
            if (told := self.headers.get(name)) and "-" not in told:
                try:
                    return base64.b64decode(told, validate=True), make()
                except ValueError as error:
                    raise NotPlain from error
        return None

    def describe(self, key: str, *, size: int) -> StoredObject:
        """Raises: NotPlain: what every store sends is missing."""
        etag, last_modified = self.headers.get("etag"), self.headers.get("last-modified")
        if not etag or not last_modified:
            raise NotPlain
        try:
            moment = parsedate_to_datetime(last_modified)
        except ValueError as error:
            raise NotPlain from error
        if moment.tzinfo is None:
            raise NotPlain
        content_type = self.headers.get("content-type", "application/octet-stream")
        return StoredObject(key, size, etag, content_type, self.headers.get("cache-control"), moment, self.metadata)


def parse_head(lines: bytes) -> AnswerHead:
    """The head of an answer, without the empty line that ends it.

    Raises: NotPlain: folded lines, what may be said once said twice, encoded content, other versions of HTTP.
    """
    status_line, *fields = lines.split(b"\r\n")
    status = _STATUS.match(status_line)
    if status is None:
        raise NotPlain
    headers: dict[str, str] = {}
    metadata: dict[str, str] = {}
    for line in fields:
        name, colon, value = line.decode("latin-1").partition(":")
        lower, value = name.lower(), value.strip()
        if not colon or not name or name != name.strip() or (lower in headers and lower in _ONCE):
            raise NotPlain
        headers[lower] = f"{headers[lower]}, {value}" if lower in headers else value
        if lower.startswith(_METADATA_PREFIX):
            # Some stores answer with other capitals than were sent.
            metadata[lower.removeprefix(_METADATA_PREFIX)] = headers[lower]
    if "content-encoding" in headers:
        raise NotPlain
    return AnswerHead(int(status[1]), headers, metadata)


def join_chunks(body: bytes) -> bytes | None:
    """The content of a whole body in chunks; None: it is not whole yet.

    Raises: NotPlain: it is no such body, or goes on behind its end.
    """
    at = 0
    parts: list[bytes] = []
    while size_line := _CHUNK_SIZE.match(body, at):
        size, start = int(size_line[1], 16), size_line.end()
        at = start + size + 2
        if len(body) < at:
            return None
        if body[at - 2 : at] != b"\r\n" or (size == 0 and len(body) > at):
            raise NotPlain
        if size == 0:
            return b"".join(parts)
        parts.append(body[start : start + size])
    if b"\r\n" in body[at:]:
        raise NotPlain
    return None


def refusal_cause(head: AnswerHead, body: bytes) -> dict[str, str]:
    """S3's code, request id and words, as the causes of our errors have them."""
    code, message = _CODE.search(body), _MESSAGE.search(body)
    cause = {
        "s3_code": code[1].decode() if code else "",
        "s3_request_id": head.headers.get("x-amz-request-id", ""),
    }
    return cause | ({"s3_message": message[1].decode("utf-8", "replace")} if message else {})
