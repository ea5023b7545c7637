"""What a worker that was taken over might answer: each lie is the true answer with one thing wrong."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from app.images.formats import ImageFormat
from app.images.records import RenderedImage
from tests.services.workers.jobs import FACTS, HEIGHT, WIDTH, Job, picture

Lie = Callable[[Job], RenderedImage]
JPEG, PNG, AVIF = ImageFormat.JPEG, ImageFormat.PNG, ImageFormat.AVIF
# Python takes it for True.
_ONE: dict[str, Any] = {"has_alpha": 1}
SIZE = (WIDTH, HEIGHT)


def result(**changes: Any) -> Lie:
    """True variants, and a result with these changes."""

    def lie(job: Job) -> RenderedImage:
        for rendition in job.renditions():
            job.emit(rendition)
        return job.result(**changes)

    return lie


def source(**changes: Any) -> Lie:
    """A result that tells other things of the file sent."""
    return lambda job: result(source=replace(job.result().source, **changes))(job)


def variant(**changes: Any) -> Lie:
    """A first variant with these changes, the others true."""

    def lie(job: Job) -> RenderedImage:
        first, *others = job.renditions()
        for rendition in (replace(first, **changes), *others):
            job.emit(rendition)
        return job.result()

    return lie


def spec(**changes: Any) -> Lie:
    """A first variant by another spec, the others true."""
    return lambda job: variant(spec=replace(job.plan.variants[0], **changes))(job)


def without_first(job: Job) -> RenderedImage:
    for rendition in job.renditions()[1:]:
        job.emit(rendition)
    return job.result()


def first_twice(job: Job) -> RenderedImage:
    first = job.renditions()[0]
    job.emit(first)
    return result()(job)


def wider_than_the_source(job: Job) -> RenderedImage:
    job.emit(replace(job.renditions()[0], spec=job.plan.variants[2]))
    return result()(job)


def with_text(body: bytes) -> bytes:
    """A PNG with a comment behind its header."""
    chunk = b"tEXtComment\0smuggled"
    packed = (len(chunk) - 4).to_bytes(4, "big") + chunk + zlib.crc32(chunk).to_bytes(4, "big")
    return body[:33] + packed + body[33:]


LIES: dict[str, Lie] = {
    "unplanned width": spec(width=300),
    "name of a path": spec(name="../../users/1"),
    "quality of its own": spec(quality=1),
    "format of its own": spec(format=ImageFormat.GIF),
    "variant missing": without_first,
    "variant twice": first_twice,
    "wider than the source": wider_than_the_source,
    "another height": variant(body=picture(JPEG, (320, 200)), height=200),
    "another size than claimed": variant(body=picture(JPEG, (320, 241))),
    "another format than claimed": variant(body=picture(PNG, (320, 240))),
    "variant cut short": variant(body=picture(JPEG, (320, 240))[:-40]),
    "variant empty": variant(body=b""),
    "variant is a script": variant(body=b"<script>alert(1)</script>"),
    "variant with a comment": variant(body=picture(JPEG, (320, 240), comment=b"smuggled")),
    "variant with a trailer": variant(body=picture(JPEG, (320, 240)) + b"smuggled"),
    "variant in frames": variant(frames=2),
    "width is a text": variant(width="320"),
    "original with a text chunk": result(body=with_text(picture(PNG, SIZE))),
    "original cut short": result(body=picture(PNG, SIZE)[:-12]),
    "original of another size": result(width=200, height=150),
    "original larger than the source": result(body=picture(PNG, (500, 375)), width=500, height=375),
    "original is a GIF": result(body=b"GIF89a" + bytes(20), format=ImageFormat.GIF),
    "original in EXIF": result(body=picture(JPEG, SIZE, exif=b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0"), format=JPEG),
    "source of another format": source(format=PNG),
    "source of another size": source(width=4000),
    "source of another length": source(file_size=1),
    "source of more frames": source(frames=9),
    "markup for a colour": result(facts=replace(FACTS, dominant_color="<b>red")),
    "a line break in a hash": result(facts=replace(FACTS, dhash="3c3e0e1a3a1e1e1e\n")),
    "an endless placeholder": result(facts=replace(FACTS, thumbhash="A" * 5000)),
    "another alphabet": result(facts=replace(FACTS, blurhash='"><script>')),
    "alpha neither true nor false": result(facts=replace(FACTS, **_ONE)),
    "no facts": result(facts=None),
    "a format that there is not": result(format="bmp"),
}
