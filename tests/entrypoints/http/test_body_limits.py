"""Bodies over a real socket: too large, lying about their length, silent, slow, broken off. Nothing of them is kept."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.entrypoints.http.app import create_app
from app.images.records import RenderedImage, RenderPlan, Rendition, Structure
from app.services.decoder.thread_processor import ThreadProcessor
from app.services.memory_store import MemoryStore
from app.services.protocols import ignore_variant
from tests.conftest import make_image_service
from tests.entrypoints.http.conftest import (
    CONNECTION,
    PHOTO,
    ServicesOf,
    bearer,
    jwt_settings,
    make_settings,
)
from tests.entrypoints.http.raw_uploads import (
    IDLE_SECONDS,
    MAX_BODY_BYTES,
    MAX_UPLOAD_BYTES,
    PATH,
    TOTAL_SECONDS,
    Target,
    chunk,
    form,
    head,
    read_answer,
    running,
    temporary_files,
)
from tests.pictures import make_png
from tests.running_service import run_service


@pytest.fixture(scope="module")
def target(clean_environment: None) -> Iterator[Target]:
    with running() as started:
        yield started


@pytest.fixture(autouse=True)
def no_temporary_files_left() -> Iterator[None]:
    """After every test no temporary file is open."""
    before = temporary_files()
    yield
    gc.collect()
    give_up_at = time.monotonic() + 5
    while temporary_files() - before:
        assert time.monotonic() < give_up_at, temporary_files() - before
        time.sleep(0.02)


needs_proc = pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs /proc")


def test_good_upload_and_its_limits(target: Target) -> None:
    """A file at the limit passes, with a length and in chunks; one byte more does not."""
    picture = make_png(40, 30)
    at_limit = picture + bytes(MAX_UPLOAD_BYTES - len(picture))

    assert target.send(head(len(form(at_limit))), form(at_limit)).status == 201
    assert target.send(head(None), chunk(form(at_limit)), chunk(b"")).status == 201
    over = target.send(head(len(form(at_limit + b"x"))), form(at_limit + b"x"))
    assert (over.status, over.problem["code"]) == (413, "IMAGE_TOO_LARGE")
    target.store._entries.clear()


def test_announced_length_is_refused_before_reading(target: Target) -> None:
    """A client that asks first is told that its body is too large, and need not send any of it."""
    answer = target.send(head(MAX_BODY_BYTES + 1, "Expect: 100-continue"))

    assert (answer.interim, answer.status, answer.problem["code"]) == (False, 413, "IMAGE_TOO_LARGE")


@pytest.mark.parametrize("length", [10**18, 10**40])
def test_absurd_length(target: Target, length: int) -> None:
    """A length that no number holds is refused as well."""
    with target.connect() as connection:
        connection.sendall(head(length, "Expect: 100-continue"))
        assert connection.recv(65536).split()[1] in {b"413", b"400"}


def test_client_that_sends_all_before_reading_gets_the_answer(target: Target) -> None:
    """A client that pushes a body far too large through sees why it was refused, not a broken connection."""
    body = form(bytes(20_000_000))
    answer = target.send(head(len(body)), body)

    assert (answer.status, answer.problem["code"]) == (413, "IMAGE_TOO_LARGE")
    assert target.is_empty()


def test_chunks_without_end(target: Target) -> None:
    """A body in chunks that never ends is cut off at the limit."""
    with target.connect() as connection:
        connection.sendall(head(None))
        connection.sendall(chunk(form(b"")[:-8]))
        stopped = threading.Event()

        def pour() -> None:
            while not stopped.is_set():
                try:
                    connection.sendall(chunk(bytes(65536)))
                except OSError:
                    return

        pouring = threading.Thread(target=pour)
        pouring.start()
        try:
            answer = read_answer(connection)
        finally:
            stopped.set()
            pouring.join(10)

    assert (answer.status, answer.problem["code"]) == (413, "IMAGE_TOO_LARGE")
    assert target.is_empty()


def test_length_smaller_than_the_body(target: Target) -> None:
    """What follows an announced length is no part of the upload: the form is cut short and refused."""
    body = form(PHOTO)
    answer = target.send(head(len(body) - 40), body)

    assert (answer.status, answer.problem["code"]) == (400, "REQUEST_INVALID")
    assert target.is_empty()


def test_length_larger_than_the_body(target: Target) -> None:
    """A client that promises more than it sends is waited for, and not for ever."""
    body = form(PHOTO)
    started_at = time.monotonic()
    answer = target.send(head(len(body) + 1), body)

    assert (answer.status, answer.problem["code"]) == (408, "UPLOAD_TIMED_OUT")
    assert answer.problem["retryable"]
    assert IDLE_SECONDS * 0.9 < time.monotonic() - started_at < IDLE_SECONDS + 6
    assert target.is_empty()


def test_silent_client(target: Target) -> None:
    """A client that sends nothing at all is sent away."""
    answer = target.send(head(1000))

    assert (answer.status, answer.problem["code"]) == (408, "UPLOAD_TIMED_OUT")


def test_slow_client(target: Target) -> None:
    """A client that drips is sent away when its time is over, however busy it seems."""
    body = form(PHOTO)
    started_at = time.monotonic()
    with target.connect() as connection:
        connection.sendall(head(len(body)))
        stopped = threading.Event()

        def drip() -> None:
            for at in range(len(body)):
                if stopped.wait(IDLE_SECONDS / 5):
                    return
                try:
                    connection.sendall(body[at : at + 1])
                except OSError:
                    return

        dripping = threading.Thread(target=drip)
        dripping.start()
        try:
            answer = read_answer(connection)
        finally:
            stopped.set()
            dripping.join(10)

    assert (answer.status, answer.problem["code"]) == (408, "UPLOAD_TIMED_OUT")
    assert TOTAL_SECONDS * 0.9 < time.monotonic() - started_at < TOTAL_SECONDS + 6
    assert target.is_empty()


@needs_proc
def test_client_that_leaves_mid_upload(target: Target) -> None:
    """A client that hangs up before the end of its upload leaves no image and no temporary file behind."""
    body = form(PHOTO + bytes(200_000))
    for share in (0.1, 0.5, 0.99):
        with target.connect() as connection:
            connection.sendall(head(len(body)) + body[: int(len(body) * share)])

    assert target.send(head(1000)).status == 408, "the service still answers"
    assert target.is_empty()


@needs_proc
def test_large_spooled_upload_that_breaks_off() -> None:
    """Also what had already gone to a temporary file is gone with the client."""
    before = temporary_files()
    with running() as target, target.connect() as connection:
        body = form(bytes(MAX_UPLOAD_BYTES * 10), field="files")
        connection.sendall(head(len(body), path=f"{PATH}/batch") + body[:-100])
        give_up_at = time.monotonic() + 5
        while not temporary_files() - before:
            assert time.monotonic() < give_up_at, "the upload went to a temporary file"
            time.sleep(0.01)
        connection.close()
        while temporary_files() - before:
            assert time.monotonic() < give_up_at
            time.sleep(0.01)
        assert target.is_empty()


def test_client_without_token_is_not_asked_for_its_body() -> None:
    """Who may not upload is told so before sending anything."""
    with running(make=jwt_settings) as target:
        refused = target.send(head(1000, "Expect: 100-continue"))
        assert (refused.interim, refused.status) == (False, 401)
        token = bearer("1")["Authorization"]
        body = form(PHOTO)
        with target.connect() as connection:
            connection.sendall(head(len(body), "Expect: 100-continue", f"Authorization: {token}"))
            assert connection.recv(65536).startswith(b"HTTP/1.1 100")
            connection.sendall(body)
            assert read_answer(connection).status == 201


class WaitingProcessor(ThreadProcessor):
    """A processor that takes until it is told to go on."""

    def __init__(self) -> None:
        super().__init__(threads=1)
        self.began = threading.Event()
        self.cancelled = threading.Event()

    async def render(
        self,
        structure: Structure,
        *,
        file_size: int,
        plan: RenderPlan,
        on_variant: Callable[[Rendition], None] = ignore_variant,
        waited_seconds: float = 0.0,
    ) -> RenderedImage:
        self.began.set()
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return await super().render(structure, file_size=file_size, plan=plan, on_variant=on_variant)


def test_client_that_leaves_while_its_picture_is_processed() -> None:
    """A client that does not wait for its answer gets no image that it would never know of."""
    store, processor = MemoryStore(), WaitingProcessor()
    service = make_image_service(store, CONNECTION, processor=processor)
    with run_service(create_app(ServicesOf(service, make_settings()))) as served:
        target = Target(served.port, store)
        with target.connect() as connection:
            connection.sendall(head(len(form(PHOTO))) + form(PHOTO))
            assert processor.began.wait(10)
        assert processor.cancelled.wait(10)
    assert target.is_empty()
