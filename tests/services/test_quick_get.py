"""Later reads of a client take a shorter way than its first one, and nobody can tell but by the clock."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import ipaddress
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from app.core.config import ChecksumMode
from app.core.exceptions import ImageNotFound, S3ConnectionFailed
from app.services.protocols import ByteRange, NewObject, ObjectStream
from app.services.s3_service import S3Service
from app.services.s3_sockets import StoreSocket, StoreSockets
from tests.conftest import BucketFactory
from tests.services.canned_store import DESCRIPTION, CannedStore, canned_store, found
from tests.services.recorded_answers import at

KEY = "users/1/a b.jpg"
BODY = bytes(range(256)) * 40
MISSING = b"<?xml version='1.0'?><Error><Code>NoSuchKey</Code><Message>No.</Message></Error>"


async def content_of(stream: ObjectStream) -> bytes:
    async with contextlib.aclosing(stream.chunks):
        return b"".join([chunk async for chunk in stream.chunks])


async def read(store: S3Service, byte_range: ByteRange | None = None) -> bytes:
    return await content_of(await store.get(KEY, byte_range))


@contextlib.asynccontextmanager
async def knowing(canned: CannedStore) -> AsyncIterator[S3Service]:
    """A store client whose first read is behind it."""
    connection = at(f"http://127.0.0.1:{canned.port}", session_token="TOKEN", max_attempts=2)
    store = S3Service(lambda: connection)
    answer, canned.answer = canned.answer, lambda _: found(BODY)
    assert await read(store) == BODY
    canned.answer = answer
    canned.heads.clear()
    yield store
    await asyncio.to_thread(store.close)


@pytest.mark.parametrize("mode", [ChecksumMode.WHEN_SUPPORTED, ChecksumMode.WHEN_REQUIRED])
async def test_described_and_read_alike(make_bucket: BucketFactory, mode: ChecksumMode) -> None:
    """What the short way says of an object, and its bytes, are what boto says."""
    connection = make_bucket(checksum_mode=mode)
    store = S3Service(lambda: connection)
    metadata = {"owner": "ren%C3%A9", "file-name": "a  b.jpg"}
    for key, body in [(KEY, BODY), ("users/1/large.jpg", BODY * 100), ("users/1/empty.jpg", b"")]:
        await store.create(NewObject(key, body, "image/jpeg", "private, no-cache", metadata))
    for key, body in [(KEY, BODY), ("users/1/large.jpg", BODY * 100), ("users/1/empty.jpg", b"")]:
        by_boto = S3Service(lambda: connection)
        first = await by_boto.get(key)
        later = await store.get(key)
        assert await content_of(first) == await content_of(later) == body
        assert first.object == later.object == await store.head(key)
        by_boto.close()
    store.close()


async def test_boto_is_not_asked_again() -> None:
    """Only the first read goes through boto; later ones, in vain or not, share one connection and sign alike."""

    def answer(head: bytes) -> bytes:
        if b"missing" in head:
            body = b"" if head.startswith(b"HEAD") else b"%x\r\n%s\r\n0\r\n\r\n" % (len(MISSING), MISSING)
            return b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n" + body
        if b"range: bytes=2-5" in head:
            lines = b"Content-Length: 4\r\nContent-Range: bytes 2-5/10240\r\n\r\n"
            return b"HTTP/1.1 206 Partial\r\n" + DESCRIPTION + lines + BODY[2:6]
        return found(b"" if head.startswith(b"HEAD") else BODY).replace(b"Length: 0", b"Length: 10240")

    async with canned_store(answer) as canned, knowing(canned) as store:
        before = canned.connections
        for _ in range(3):
            assert await read(store) == BODY
            assert await read(store, ByteRange(2, 5)) == BODY[2:6]
            stored = await store.head(KEY)
            assert stored is not None
            assert (stored.size, stored.metadata) == (10240, {"owner": "1"})
            assert await store.head("users/1/missing.jpg") is None
            with pytest.raises(ImageNotFound):
                await store.get("users/1/missing.jpg")
        assert canned.asked_by_boto() == 0
        assert all(b"x-amz-security-token: TOKEN" in head for head in canned.heads)
        assert canned.connections == before + 1


ODD_ANSWERS = {
    "in chunks": b"HTTP/1.1 200 OK\r\n" + DESCRIPTION + b"Transfer-Encoding: chunked\r\n\r\n2\r\nxx\r\n0\r\n\r\n",
    "two lengths": found(BODY, b"Content-Length: 3"),
    "more than announced": found(BODY) + b"more",
    "no etag": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nxx",
    "nonsense": b"220 mail.example ESMTP\r\n\r\n",
    "a date of nobody": found(BODY).replace(b"Sun, 01 Dec", b"Sun, 77 Dec"),
    "another checksum": found(BODY, b"x-amz-checksum-sha256: AAAA"),
    "a 404 that is none": b"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nhello",
    "busy": b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\n\r\n",
    "cut short": b"HTTP/1.1 200 OK\r\n" + DESCRIPTION + b"Content-Length: 9\r\nConnection: close\r\n\r\nx",
}


async def test_names_of_metadata_in_any_case() -> None:
    """A store that writes names of metadata with capitals gives the same facts, by the quick way and by boto's."""
    shouting = found(BODY).replace(b"x-amz-meta-owner", b"X-Amz-Meta-Owner")
    async with canned_store(lambda _: shouting) as canned, knowing(canned) as store:
        quick = await store.head("users/1/a.jpg")
        by_boto = S3Service(lambda: at(f"http://127.0.0.1:{canned.port}"))
        plain = await by_boto.head("users/1/a.jpg")
        by_boto.close()
        assert quick is not None
        assert plain is not None
        assert dict(quick.metadata) == dict(plain.metadata) == {"owner": "1"}


async def test_a_store_that_only_boto_reaches_is_left_to_boto() -> None:
    """After three connections in vain reads do not wait for a fourth: boto, which gets through, is asked at once."""
    async with canned_store(lambda _: found(BODY)) as canned, knowing(canned) as store:
        session = await store._get_session()
        reads = session.quick_reads
        assert reads is not None
        reads._sockets = Unreachable("127.0.0.1", canned.port, tls=None, most_idle=4)
        for _ in range(6):
            assert await read(store) == BODY
        assert Unreachable.tries == 3


class Unreachable(StoreSockets):
    """The connections to an address that nobody answers at."""

    tries = 0

    async def connect(self) -> StoreSocket:
        Unreachable.tries += 1
        raise ConnectionRefusedError


@pytest.mark.parametrize("odd", ODD_ANSWERS.values(), ids=ODD_ANSWERS)
async def test_odd_answers_are_boto_s(odd: bytes) -> None:
    """What is no plain success is asked of boto again, which is then believed."""

    def answer(head: bytes) -> bytes | None:
        return found(b"by boto") if b"boto" in head.lower() else odd

    async with canned_store(answer) as canned, knowing(canned) as store:
        assert await read(store) == b"by boto"
        assert canned.asked_by_boto() == 1


async def test_a_store_that_hangs_up(make_bucket: BucketFactory) -> None:
    """A connection that the store closed meanwhile is nothing that a reader notices."""
    async with canned_store(lambda _: found(BODY, b"Connection: close")) as canned, knowing(canned) as store:
        for _ in range(3):
            assert await read(store) == BODY
        canned.answer = lambda _: None
        with pytest.raises(S3ConnectionFailed):
            await read(store)


def test_any_event_loop(make_bucket: BucketFactory) -> None:
    """One client serves one loop after another, and leaves nothing open when they are gone."""
    connection = make_bucket()
    store = S3Service(lambda: connection)
    asyncio.run(store.create(NewObject(KEY, BODY, "image/jpeg", "no-cache")))
    for _ in range(3):
        assert asyncio.run(read(store)) == BODY
    store.close()


async def test_a_reader_that_leaves_with_the_last_chunk(make_bucket: BucketFactory) -> None:
    """Who does not wait for the end behind the last byte leaves no connection open."""
    connection = make_bucket()
    store = S3Service(lambda: connection)
    body = BODY * 100
    await store.create(NewObject(KEY, body, "image/jpeg", "no-cache"))
    for _ in range(3):
        stream = await store.get(KEY)
        received = 0
        async for chunk in stream.chunks:
            received += len(chunk)
            if received == len(body):
                break
        await stream.chunks.aclose()
    store.close()


@pytest.mark.parametrize("is_trusted", [True, False])
async def test_over_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_trusted: bool) -> None:
    """Encrypted, the short way trusts whom boto trusts."""
    certificate, context = self_signed(tmp_path)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))
    async with canned_store(lambda _: found(BODY * 100), tls=context) as canned:
        connection = at(f"https://127.0.0.1:{canned.port}")
        store = S3Service(lambda: connection)
        assert await read(store) == BODY * 100
        canned.heads.clear()
        if not is_trusted:
            (tmp_path / "other").mkdir()
            assert store._session is not None
            other, _ = self_signed(tmp_path / "other")
            monkeypatch.setattr(store._session._routes.http, "_verify", str(other))
            # boto's connection is from before.
            assert await read(store) == BODY * 100
            assert canned.asked_by_boto() == len(canned.heads) == 1
        else:
            for _ in range(3):
                assert await read(store) == BODY * 100
            assert canned.asked_by_boto() == 0
        await asyncio.to_thread(store.close)


def self_signed(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """The path of a certificate for 127.0.0.1, and the context of a server that has it."""
    private_key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    builder = x509.CertificateBuilder(name, name, private_key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - datetime.timedelta(1)).not_valid_after(now + datetime.timedelta(1))
    certificate = builder.add_extension(address, critical=False).sign(private_key, hashes.SHA256())
    path, key_path = folder / "certificate.pem", folder / "key.pem"
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    unencrypted = serialization.NoEncryption()
    pkcs8 = serialization.PrivateFormat.PKCS8
    key_path.write_bytes(private_key.private_bytes(serialization.Encoding.PEM, pkcs8, unencrypted))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path, key_path)
    return path, context
