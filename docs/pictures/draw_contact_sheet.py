"""Draws the contact sheet: one photo, and everything that the service makes of it at its default settings.

    .venv/bin/python docs/pictures/draw_contact_sheet.py [--photo PHOTO] [--target docs/pictures/contact_sheet.webp]

Every picture on it is one that the engine encoded, shown at a sixth of its width and height.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Sequence
from pathlib import Path

from draw_before_after import GREY, INK, PAPER, draw_house, photograph
from PIL import Image, ImageDraw, ImageFont
from placeholder_decoding import decode_blurhash, decode_thumbhash

from app.images.inspection import inspect_image
from app.images.limits import PixelLimits
from app.images.records import RenderedImage, RenderPlan, Rendition
from app.images.variants import VariantTable
from app.services.decoder.engine import render_picture
from app.services.protocols import ignore_variant

TARGET = Path(__file__).with_name("contact_sheet.webp")
SCALE = 6
WIDTH, MARGIN, GAP = 1600, 40, 24
CAPTION = 44
PLACEHOLDER = (240, 320)


def main() -> None:
    parser = argparse.ArgumentParser(description="Draws one photo in all its variants.")
    parser.add_argument("--photo", type=Path, help="a file of your own in place of the drawn one")
    parser.add_argument("--target", type=Path, default=TARGET)
    arguments = parser.parse_args()
    photo = arguments.photo.read_bytes() if arguments.photo else photograph(draw_house())
    structure = inspect_image(photo, PixelLimits())
    plan = RenderPlan(variants=VariantTable().specs())
    rendered = render_picture(structure, file_size=len(photo), plan=plan, emit=ignore_variant)
    draw_sheet(rendered).save(arguments.target, "WEBP", quality=82, method=6)
    print(f"{arguments.target}: {1 + len(rendered.variants)} pictures, {arguments.target.stat().st_size:,} bytes")  # noqa: T201


def draw_sheet(rendered: RenderedImage) -> Image.Image:
    """The original and the placeholders in the first row, then a row per format."""
    rows = [first_row(rendered)]
    for image_format in dict.fromkeys(variant.spec.format for variant in rendered.variants):
        variants = [variant for variant in rendered.variants if variant.spec.format is image_format]
        rows.append([tile_of(variant) for variant in variants])
    lines = [line for row in rows for line in _wrap(row)]
    height = MARGIN + sum(max(tile.height for tile in line) + GAP for line in lines) + MARGIN - GAP
    sheet = Image.new("RGB", (WIDTH, height), PAPER)
    top = MARGIN
    for line in lines:
        bottom = top + max(tile.height for tile in line)
        left = MARGIN
        for tile in line:
            sheet.paste(tile, (left, bottom - tile.height))
            left += tile.width + GAP
        top = bottom + GAP
    return sheet


def first_row(rendered: RenderedImage) -> list[Image.Image]:
    """The optimised original; then what a page shows before any picture has come."""
    facts, source = rendered.facts, rendered.source
    original = Image.open(io.BytesIO(rendered.body))
    blurred = decode_blurhash(facts.blurhash, width=32, height=round(32 * rendered.height / rendered.width))
    return [
        tile(
            original.resize((rendered.width // SCALE, rendered.height // SCALE)),
            f"original  {rendered.width} x {rendered.height}",
            f"{rendered.format.upper()}, {kilobytes(rendered.body)} of {source.file_size // 1000:,} kB sent",
        ),
        tile(decode_thumbhash(facts.thumbhash).resize(PLACEHOLDER), "ThumbHash", facts.thumbhash),
        tile(blurred.resize(PLACEHOLDER), "BlurHash", facts.blurhash),
        tile(Image.new("RGB", PLACEHOLDER, facts.dominant_color), "dominant colour", facts.dominant_color),
    ]


def tile_of(variant: Rendition) -> Image.Image:
    picture = Image.open(io.BytesIO(variant.body))
    scaled = picture.resize((max(1, variant.width // SCALE), max(1, variant.height // SCALE)))
    name = f"{variant.spec.name}  {variant.width} x {variant.height}"
    return tile(scaled, name, f"{variant.spec.format.upper()}, {kilobytes(variant.body)}")


def tile(picture: Image.Image, name: str, detail: str) -> Image.Image:
    """A picture with two lines of text below it."""
    bold, small = ImageFont.load_default(17), ImageFont.load_default(14)
    width = max(picture.width, int(bold.getlength(name)) + 2, int(small.getlength(detail)) + 2)
    card = Image.new("RGB", (width, picture.height + CAPTION), PAPER)
    card.paste(picture.convert("RGB"), (0, 0))
    pen = ImageDraw.Draw(card)
    pen.text((0, picture.height + 4), name, INK, bold)
    pen.text((0, picture.height + 25), detail, GREY, small)
    return card


def kilobytes(body: bytes) -> str:
    return f"{len(body) / 1000:,.1f} kB"


def _wrap(tiles: Sequence[Image.Image]) -> list[list[Image.Image]]:
    """The tiles in lines that fit on the sheet."""
    lines: list[list[Image.Image]] = [[]]
    for each in tiles:
        if lines[-1] and sum(other.width + GAP for other in lines[-1]) + each.width > WIDTH - 2 * MARGIN:
            lines.append([])
        lines[-1].append(each)
    return lines


if __name__ == "__main__":
    main()
