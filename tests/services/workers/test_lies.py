"""A worker that was taken over lies: nothing of what it says gets through, and nobody else notices."""

from __future__ import annotations

import logging

import pytest

from app.core.exceptions import ImageCorrupt, ImageTooComplex
from app.images.formats import ImageFormat
from app.services.decoder.confined_processor import ConfinedProcessor
from tests.services.workers.conftest import ask
from tests.services.workers.jobs import FACTS, framed
from tests.services.workers.lies import LIES

GARBAGE = {
    "noise": b"\xff" * 64,
    "no JSON": framed(b"{'kind': 'result'}"),
    "no object": framed(b'["result"]'),
    "no text": framed(b"\xff\xfe"),
    "a bottomless list": framed(b"[" * 60_000),
    "a number too long": framed(b'{"kind":' + b"9" * 9_000 + b"}"),
    "a header too long": framed(b" " * 100_000),
    "an unknown kind": framed(b'{"kind":"error"}'),
    "no kind": framed(b"{}"),
    "a kind that is none": framed(b'{"kind":{"a":1}}'),
    "begun twice": framed(b'{"kind":"begun"}'),
    "a variant without a record": framed(b'{"kind":"variant"}'),
    "a result without fields": framed(b'{"kind":"result","record":{}}'),
    "a result that is a list": framed(b'{"kind":"result","record":[]}'),
}


async def test_the_truth_gets_through(patient: ConfinedProcessor) -> None:
    """What is answered as planned is the result: original, facts, and the variants that the source allows."""
    rendered = await ask(patient, b"honest")
    assert (rendered.format, rendered.width, rendered.height, rendered.facts) == (ImageFormat.PNG, 400, 300, FACTS)
    assert [(made.spec.name, made.spec.format, made.width) for made in rendered.variants] == [
        ("320", ImageFormat.JPEG, 320),
        ("320", ImageFormat.AVIF, 320),
    ]


@pytest.mark.parametrize("lie", LIES)
async def test_a_lie_is_a_damaged_picture(
    patient: ConfinedProcessor, caplog: pytest.LogCaptureFixture, lie: str
) -> None:
    """Whatever of an answer is not as planned, the upload is refused, the log tells, and the next one is served."""
    with caplog.at_level(logging.WARNING), pytest.raises(ImageCorrupt) as refused:
        await ask(patient, b"lie " + lie.encode())
    assert refused.value.detail == ImageCorrupt.title
    assert [record.message for record in caplog.records] == ["worker_not_believed"]
    assert "smuggled" not in caplog.text


@pytest.mark.parametrize("name", GARBAGE)
async def test_garbage_is_a_damaged_picture(patient: ConfinedProcessor, name: str) -> None:
    """Bytes that are no message end the conversation at once."""
    with pytest.raises(ImageCorrupt):
        await ask(patient, b"say " + GARBAGE[name])


async def test_a_code_of_its_own_is_not_passed_on(patient: ConfinedProcessor, caplog: pytest.LogCaptureFixture) -> None:
    """A worker may say that a picture is damaged, not that access is denied; and it writes nothing into the log."""
    said = b'{"kind":"failed","code":"ACCESS_FORBIDDEN","error":"\\n2026 root logged in","place":"/etc/passwd:1"}'
    with caplog.at_level(logging.WARNING), pytest.raises(ImageCorrupt):
        await ask(patient, b"say " + framed(said))
    (record,) = caplog.records
    assert (vars(record)["error"], vars(record)["place"]) == ("unnamed", "unknown")


@pytest.mark.parametrize("order", [b"announce", b"bloat"])
async def test_too_much_is_not_even_read(patient: ConfinedProcessor, order: bytes) -> None:
    """Four gigabytes that are announced, and an original longer than what was sent, are not waited for."""
    with pytest.raises(ImageTooComplex):
        await ask(patient, order)


async def test_liars_do_not_disturb_others(patient: ConfinedProcessor) -> None:
    """After all of them, pictures are rendered as before."""
    for lie in list(LIES)[:4]:
        with pytest.raises(ImageCorrupt):
            await ask(patient, b"lie " + lie.encode())
        assert (await ask(patient, b"honest")).width == 400
