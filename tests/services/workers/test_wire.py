"""Messages and records on the wire: what goes in comes out, in its time, and nothing else passes for it."""

from __future__ import annotations

import math
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.images.formats import ImageFormat
from app.images.records import FocalPoint, Qualities, RenderPlan, Rendition, Structure
from app.images.variants import VariantSpec, VariantTable
from app.services.decoder.plain_records import NotSuchRecord, from_plain, to_plain
from app.services.decoder.wire import Channel, ChannelClosed, ChannelGarbage, WorkerEnd

PLANS = (
    RenderPlan(),
    RenderPlan(100, Qualities(80, None, 60, 70.5), VariantTable().specs(), FocalPoint(0.25, 1), keeps_animation=False),
)


@pytest.fixture
def ends() -> Iterator[tuple[Channel, socket.socket]]:
    """A channel, and the bare socket at its other end."""
    ours, theirs = socket.socketpair()
    with closing(Channel(ours)) as channel, theirs:
        yield channel, theirs


def soon(seconds: float = 5) -> float:
    return time.monotonic() + seconds


def test_a_large_message(ends: tuple[Channel, socket.socket]) -> None:
    """Pictures far larger than what the system buffers cross in both directions."""
    channel, theirs = ends
    worker, body = WorkerEnd(theirs.fileno()), bytes(range(256)) * 40_000

    def echo() -> None:
        message = worker.receive()
        assert message is not None
        worker.send(*message)

    thread = threading.Thread(target=echo)
    thread.start()
    channel.send({"kind": "question", "number": 1}, body, deadline=soon())
    heard = channel.announced(deadline=soon())
    assert (heard.content, heard.size) == ({"kind": "question", "number": 1}, len(body))
    assert channel.receive(heard.size, deadline=soon()) == body
    thread.join(5)


def test_a_deadline_holds_for_all_of_it(ends: tuple[Channel, socket.socket]) -> None:
    """Who answers byte by byte gains no time by that."""
    channel, theirs = ends
    stopped = threading.Event()

    def drip() -> None:
        while not stopped.wait(0.02):
            theirs.sendall(b"\0")

    thread = threading.Thread(target=drip)
    thread.start()
    started_at = time.monotonic()
    try:
        with pytest.raises(TimeoutError):
            channel.receive(1000, deadline=soon(0.2))
    finally:
        stopped.set()
        thread.join(5)
    assert time.monotonic() - started_at < 1


def test_nobody_listens(ends: tuple[Channel, socket.socket]) -> None:
    """Who takes nothing is not waited for, either."""
    channel, _ = ends
    with pytest.raises(TimeoutError):
        channel.send({}, bytes(10_000_000), deadline=soon(0.1))


def test_the_other_end_has_gone(ends: tuple[Channel, socket.socket]) -> None:
    """Its end is noticed at once, in both directions, also in the middle of a message."""
    channel, theirs = ends
    theirs.sendall(b"\0\0")
    theirs.close()
    with pytest.raises(ChannelClosed):
        channel.announced(deadline=soon())
    with pytest.raises(ChannelClosed):
        channel.send({}, bytes(10_000_000), deadline=soon())


@settings(deadline=None)
@given(st.binary(max_size=100))
def test_noise(noise: bytes) -> None:
    """Random bytes are garbage, or no whole message; never anything else."""
    ours, theirs = socket.socketpair()
    with closing(Channel(ours)) as channel:
        with theirs:
            theirs.sendall(noise)
        with pytest.raises((ChannelGarbage, ChannelClosed)):
            hear_to_the_end(channel)


def hear_to_the_end(channel: Channel) -> None:
    while True:
        assert isinstance(channel.announced(deadline=soon()).content, dict)


@pytest.mark.parametrize("plan", PLANS)
def test_plans_cross(plan: RenderPlan) -> None:
    """A worker renders by exactly the plan that it was given."""
    assert from_plain(RenderPlan, to_plain(plan)) == plan


def test_bytes_travel_beside() -> None:
    """The one field of bytes is not written as text."""
    structure = Structure(ImageFormat.PNG, 3, 2, 1, True, b"\x89PNG")
    plain = to_plain(structure)
    assert "decodable" not in plain
    assert from_plain(Structure, plain, b"\x89PNG") == structure


SPEC = to_plain(VariantSpec("320", ImageFormat.JPEG, 320))
RENDITION = {"spec": SPEC, "width": 320, "height": 240, "frames": 1}


@pytest.mark.parametrize(
    "plain",
    [
        None,
        [],
        "record",
        {},
        RENDITION | {"more": 1},
        {name: value for name, value in RENDITION.items() if name != "width"},
        RENDITION | {"width": "320"},
        RENDITION | {"width": 320.0},
        RENDITION | {"width": True},
        RENDITION | {"width": None},
        RENDITION | {"spec": None},
        RENDITION | {"spec": SPEC | {"format": "exe"}},
        RENDITION | {"spec": SPEC | {"format": ["jpeg"]}},
        RENDITION | {"spec": SPEC | {"target": "75"}},
        RENDITION | {"spec": SPEC | {"quality": 80.5}},
        RENDITION | {"spec": SPEC | {"height": False}},
    ],
)
def test_no_such_record(plain: Any) -> None:
    """Fields that are missing, unknown or of another type make no record, also not by a conversion."""
    with pytest.raises(NotSuchRecord):
        from_plain(Rendition, plain, b"")


def test_numbers_are_what_they_are() -> None:
    """A whole number is good for a fraction; not-a-number compares with no plan."""
    assert from_plain(FocalPoint, {"x": 1, "y": 0.5}) == FocalPoint(1.0, 0.5)
    forged = from_plain(VariantSpec, SPEC | {"target": math.nan})
    assert forged != VariantSpec("320", ImageFormat.JPEG, 320)
