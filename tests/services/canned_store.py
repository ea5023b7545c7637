"""A store on loopback that answers what it is told, over HTTP or TLS, and counts its connections."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

DESCRIPTION = b'ETag: "e"\r\nLast-Modified: Sun, 01 Dec 2024 14:30:22 GMT\r\nx-amz-meta-owner: 1\r\n'


def found(body: bytes, *more: bytes) -> bytes:
    """A plain answer with an object."""
    lines = b"".join(line + b"\r\n" for line in more)
    return b"HTTP/1.1 200 OK\r\n%s%sContent-Length: %d\r\n\r\n%s" % (DESCRIPTION, lines, len(body), body)


@dataclass
class CannedStore:
    """`answer` is given the head of each request; None hangs up."""

    answer: Callable[[bytes], bytes | None]
    port: int = 0
    connections: int = 0
    heads: list[bytes] = field(default_factory=list)

    def asked_by_boto(self) -> int:
        """How many requests were boto's, which names itself."""
        return sum(b"boto" in head.lower() for head in self.heads)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self.heads.append(head)
                content = self.answer(head)
                if content is None:
                    break
                writer.write(content)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def canned_store(
    answer: Callable[[bytes], bytes | None], *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[CannedStore]:
    """It answers for as long as the block lasts."""
    store = CannedStore(answer)
    server = await asyncio.start_server(store.serve, "127.0.0.1", 0, ssl=tls)
    store.port = server.sockets[0].getsockname()[1]
    try:
        yield store
    finally:
        server.close()
