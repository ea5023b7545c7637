"""Reads at a tenth of boto's CPU and without a thread: signed here, sent and read on the caller's own event loop.

The first request of a client goes through boto and shows where the bucket is, which region signs for it and what is
trusted. Of later reads only plain success is taken from here, and a GET's word that the key does not exist. Whatever
else comes of them, boto asks again, with its retries and its errors.
"""

from __future__ import annotations

import asyncio
import re
import sys
import threading
import time
import weakref
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from urllib.parse import urlsplit

from app.core.exceptions import ImageNotFound, S3ConnectionFailed
from app.services.protocols import ByteRange, ObjectStream, StoredObject
from app.services.s3_answers import AnswerHead, Digest, NotPlain
from app.services.s3_connection import S3Connection
from app.services.s3_presign import encode_key
from app.services.s3_reading import Answer, read_absence, read_chunk, read_head
from app.services.s3_route import Route, RouteFinder, Signer
from app.services.s3_signature import amz_date, authorization
from app.services.s3_sockets import StoreSocket, StoreSockets

# Read whole before the caller gets it: one piece, and the connection is free again.
SMALL_BYTES = 256 * 1024
# So often in a row connecting may fail before it is not tried for a while.
_MOST_FAILURES = 3
_PAUSE_SECONDS = 30.0
_EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,15})-([0-9]{1,15})/([0-9]{1,15})")


class AskBoto(Exception):
    """Nothing is known of the object by the quick way."""


class QuickReads:
    """Reads of the bucket of one client, for callers on any event loop.

    At most `pool_size` per loop wait for a head or a small object; larger ones that are being streamed are not counted.
    """

    def __init__(self, routes: RouteFinder, connection: S3Connection) -> None:
        self._routes = routes
        self._connection = connection
        self._most_seconds = min(connection.read_timeout_seconds, connection.total_timeout_seconds)
        self._lock = threading.Lock()
        self._sockets: StoreSockets | None = None
        self._failures = 0
        self._paused_until = 0.0
        # Windows' event loop ties a socket to itself.
        self._is_off = sys.platform == "win32"
        self._slots: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore]
        self._slots = weakref.WeakKeyDictionary()

    def close(self) -> None:
        """Closes what is idle; those in use are closed when they are done."""
        with self._lock:
            self._is_off = True
            if self._sockets:
                self._sockets.close()

    async def head(self, key: str) -> StoredObject | None:
        """The description, or None where the store says that there is none.

        Raises: AskBoto.
        """
        try:
            async with asyncio.timeout(self._most_seconds), self._slot():
                answer = await self._ask("HEAD", key, {})
                if answer.rest:
                    answer.socket.close()
                    raise AskBoto
                self._give_back(answer)
                if answer.head.status == 200:
                    return answer.head.describe(key, size=answer.head.content_length())
                if answer.head.status != 404:
                    raise AskBoto
        except (OSError, NotPlain) as error:
            raise AskBoto from error
        # A refused HEAD has no body and may as well mean the bucket: a GET says which.
        try:
            stream = await self.get(key, ByteRange(0, 0))
        except ImageNotFound:
            return None
        await stream.chunks.aclose()
        raise AskBoto

    async def get(self, key: str, byte_range: ByteRange | None = None) -> ObjectStream:
        """See `ObjectStore.get`.

        Raises:
            AskBoto.
            ImageNotFound.
        """
        started = time.monotonic()
        wanted = {"range": f"bytes={byte_range.first}-{byte_range.last}"} if byte_range else self._checksum_header()
        try:
            async with asyncio.timeout(self._most_seconds), self._slot():
                answer = await self._ask("GET", key, wanted)
                try:
                    if answer.head.status != 404:
                        return await self._open(key, answer, byte_range, started)
                    cause = await read_absence(answer)
                except BaseException:
                    answer.socket.close()
                    raise
                self._give_back(answer)
        except (OSError, NotPlain) as error:
            raise AskBoto from error
        raise ImageNotFound(cause={"operation": "GetObject", **cause})

    def _checksum_header(self) -> dict[str, str]:
        return {"x-amz-checksum-mode": "ENABLED"} if self._connection.sends_checksums else {}

    def _slot(self) -> asyncio.Semaphore:
        loop = asyncio.get_running_loop()
        slot = self._slots.get(loop)
        if slot is None:
            with self._lock:
                slot = self._slots.setdefault(loop, asyncio.Semaphore(self._connection.pool_size))
        return slot

    async def _ask(self, method: str, key: str, wanted: dict[str, str]) -> Answer:
        route = self._routes.route
        sockets = self._sockets or self._make_sockets(route)
        signer = self._routes.find_ready_signer() if sockets else None
        is_off = self._is_off or time.monotonic() < self._paused_until
        if route is None or sockets is None or signer is None or is_off:
            raise AskBoto
        request = _request(method, key, wanted, route, signer)
        socket = sockets.find_idle()
        if socket is None:
            socket = await self._connect(sockets)
        try:
            await socket.send(request)
            return await read_head(socket)
        except BaseException:
            socket.close()
            raise

    async def _connect(self, sockets: StoreSockets) -> StoreSocket:
        """A store that boto reaches and this way does not, as by another address, is left to boto for a while."""
        try:
            async with asyncio.timeout(self._connection.connect_timeout_seconds):
                socket = await sockets.connect()
        except OSError:
            self._failures += 1
            if self._failures >= _MOST_FAILURES:
                self._failures, self._paused_until = 0, time.monotonic() + _PAUSE_SECONDS
            raise
        self._failures = 0
        return socket

    def _make_sockets(self, route: Route | None) -> StoreSockets | None:
        with self._lock:
            if self._sockets is None and route is not None and not self._is_off:
                self._sockets = self._sockets_to(route)
                self._is_off = self._sockets is None
            return self._sockets

    def _sockets_to(self, route: Route) -> StoreSockets | None:
        address = urlsplit(route.base_url)
        is_encrypted = address.scheme == "https"
        context = self._routes.make_tls_context() if is_encrypted else None
        if not address.hostname or not self._routes.is_direct(route.base_url) or (is_encrypted and context is None):
            return None
        port = address.port or (443 if is_encrypted else 80)
        return StoreSockets(address.hostname, port, tls=context, most_idle=self._connection.pool_size)

    async def _open(self, key: str, answer: Answer, byte_range: ByteRange | None, started: float) -> ObjectStream:
        head = answer.head
        if head.status != (206 if byte_range else 200):
            raise NotPlain
        length = head.content_length()
        stored = head.describe(key, size=_whole_size(head, byte_range, length) if byte_range else length)
        if len(answer.rest) > length:
            raise NotPlain
        remaining_seconds = self._connection.total_timeout_seconds - (time.monotonic() - started)
        chunks = self._chunks(answer, length, remaining_seconds)
        if length > SMALL_BYTES:
            # A generator that was never begun would not free the connection when it is closed.
            await anext(chunks)
            return ObjectStream(stored, chunks)
        try:
            body = b"".join([chunk async for chunk in chunks])
        except S3ConnectionFailed as error:
            raise AskBoto from error
        return ObjectStream(stored, _ready(body))

    async def _chunks(self, answer: Answer, length: int, remaining_seconds: float) -> AsyncGenerator[bytes, None]:
        """First an empty chunk, then the body; only waiting for the store takes of the time that remains."""
        missing_bytes, rest, is_returned = length, answer.rest, False
        check = answer.head.checksum() if answer.head.status == 200 else None
        try:
            yield b""
            while missing_bytes:
                started = time.monotonic()
                limit = min(self._connection.read_timeout_seconds, max(0.0, remaining_seconds))
                chunk = await read_chunk(answer.socket, rest, min(missing_bytes, SMALL_BYTES), limit)
                remaining_seconds -= time.monotonic() - started
                missing_bytes, rest = missing_bytes - len(chunk), b""
                if check:
                    check[1].update(chunk)
                if not missing_bytes:
                    # Before the last chunk: it is handed out only when all is known to be right.
                    _compare(check)
                    self._give_back(answer)
                    is_returned = True
                yield chunk
        finally:
            if not is_returned:
                answer.socket.close()

    def _give_back(self, answer: Answer) -> None:
        if answer.head.keeps_alive and self._sockets:
            self._sockets.keep(answer.socket)
        else:
            answer.socket.close()


def _request(method: str, key: str, wanted: dict[str, str], route: Route, signer: Signer) -> bytes:
    moment = datetime.now(UTC)
    headers = {"host": route.host, "x-amz-content-sha256": _EMPTY_SHA256, "x-amz-date": amz_date(moment), **wanted}
    if signer.session_token:
        headers["x-amz-security-token"] = signer.session_token
    path = f"{route.base_path}{encode_key(key)}"
    headers["authorization"] = authorization(
        method=method,
        path=path,
        headers=headers,
        payload_sha256=_EMPTY_SHA256,
        access_key_id=signer.access_key_id,
        secret_access_key=signer.secret_access_key,
        region=route.region,
        moment=moment,
    )
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode("ascii")


def _compare(check: tuple[bytes, Digest] | None) -> None:
    if check and check[1].digest() != check[0]:
        raise S3ConnectionFailed(cause={"operation": "GetObject", "exception": "checksum"})


def _whole_size(head: AnswerHead, byte_range: ByteRange, length: int) -> int:
    told = _CONTENT_RANGE.fullmatch(head.headers.get("content-range", ""))
    if told is None:
        raise NotPlain
    first, last, size = (int(number) for number in told.groups())
    if first != byte_range.first or last != min(byte_range.last, size - 1) or length != last - first + 1:
        raise NotPlain
    return size


async def _ready(body: bytes) -> AsyncGenerator[bytes, None]:
    yield body
