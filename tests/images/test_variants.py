"""Variant specs, their keys, and the list of them in an image's facts."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.exceptions import InvalidRequest
from app.images.focal_points import parse_focal_point
from app.images.formats import ImageFormat
from app.images.keys import ImageKey
from app.images.records import FocalPoint, Rendition
from app.images.variant_lists import ListedVariant, format_variants, list_variants, parse_variants
from app.images.variants import Crop, Preset, VariantSpec, VariantTable, current_file_names, variant_key

KEY = ImageKey("users", "123", datetime(2024, 12, 1, 14, 30, 22, tzinfo=UTC), "a1b2c3d4", "png")
SPEC = VariantSpec("1920", ImageFormat.AVIF, 1920)
OTHERS: dict[str, Any] = {
    "width": 1280,
    "height": 900,
    "crop": Crop.CENTRE,
    "format": ImageFormat.JPEG,
    "quality": 80,
    "target": 70.0,
    "effort": 4,
}


def test_key_of_a_variant() -> None:
    """`variants/<key stem>/<width or preset>-<hash of the spec>.<ext>`, whatever the original's extension is."""
    pattern = r"variants/users/123/20241201_143022_a1b2c3d4/1920-[0-9a-f]{8}\.avif"
    assert re.fullmatch(pattern, variant_key(KEY, SPEC))
    assert variant_key(replace(KEY, extension="webp"), SPEC) == variant_key(KEY, SPEC)
    assert variant_key(KEY, replace(SPEC, name="cover", format=ImageFormat.JPEG)).endswith(".jpg")


@pytest.mark.parametrize("part", [each.name for each in fields(VariantSpec) if each.name != "name"])
def test_every_part_of_a_spec_is_in_its_key(part: str) -> None:
    """A spec that would give another picture has another key, so that no cache ever shows the old one."""
    changed = replace(SPEC, **{part: OTHERS[part]})
    assert changed.digest != SPEC.digest
    assert variant_key(KEY, changed) != variant_key(KEY, SPEC)


def test_hash_of_a_spec_stays_what_it_is() -> None:
    """Keys of today are those of tomorrow: a change of the text that is hashed would orphan every stored variant."""
    assert SPEC.canonical_text == "v1,w=1920,h=-,crop=none,f=avif,q=auto75,e=0"
    assert SPEC.file_name == "1920-2b9db108.avif"


def test_table_makes_every_size_in_every_format() -> None:
    """Widths come widest first, then the presets in their order, each in the order of the formats."""
    table = VariantTable(
        widths=(320, 1280),
        formats=(ImageFormat.WEBP, ImageFormat.JPEG),
        presets=(Preset("cover", 1600, 900), Preset("thumb", 320, 320, Crop.CENTRE)),
        qualities=((ImageFormat.JPEG, 71),),
    )
    specs = table.specs()
    assert [(spec.name, spec.format.value) for spec in specs] == [
        (name, image_format) for name in ("1280", "320", "cover", "thumb") for image_format in ("webp", "jpeg")
    ]
    assert {spec.quality for spec in specs if spec.format is ImageFormat.JPEG} == {71}
    assert {spec.quality for spec in specs if spec.format is ImageFormat.WEBP} == {None}
    assert len({spec.file_name for spec in specs}) == len(specs)


def test_current_file_names_include_the_stand_ins() -> None:
    """What stands in for a format that cannot do a picture right is no variant of the past."""
    names = current_file_names([SPEC, replace(SPEC, format=ImageFormat.JPEG)])
    assert replace(SPEC, format=ImageFormat.WEBP).file_name in names
    assert replace(SPEC, format=ImageFormat.PNG).file_name in names
    assert replace(SPEC, effort=5).file_name not in names


def test_list_of_variants_names_each_file_once() -> None:
    """Two specs may end as the same file, such as WebP and the WebP that stands in for an animated AVIF."""
    rendition = Rendition(SPEC, b"12345", 1920, 1440)
    assert list_variants([rendition, rendition]) == (ListedVariant(SPEC.file_name, 1920, 1440, 5),)


def test_listed_variant_tells_its_name_and_format() -> None:
    """Name and format of a variant are read from its file name."""
    listed = ListedVariant("wide_cover-0123abcd.jpg", 10, 20, 30)
    assert (listed.name, listed.format) == ("wide_cover", ImageFormat.JPEG)


@given(st.text(max_size=200))
def test_foreign_lists_give_no_paths(text: str) -> None:
    """Whatever stands in an object's metadata, what is read of it are plain file names."""
    for listed in parse_variants(text):
        assert "/" not in listed.file_name
        assert ".." not in listed.file_name


@pytest.mark.parametrize(
    "entry",
    [
        "",
        "-",
        "../../users/1/x-0123abcd.jpg:1x1:1",
        "a/b-0123abcd.jpg:1x1:1",
        "320-0123abcd.svg:1x1:1",
        "320-0123abcg.jpg:1x1:1",
        "320-0123abcd.jpg:0x1:1",
        "320-0123abcd.jpg:1x1",
        "320-0123abcd.jpg:1x1:1:1",
        "320-0123abcd.jpg:１x1:1",
        "Ü-0123abcd.jpg:1x1:1",
    ],
)
def test_entries_that_make_no_sense_are_passed_over(entry: str) -> None:
    """An entry that nobody of ours wrote is no variant, and hides none of the others."""
    good = ListedVariant("320-0123abcd.jpg", 1, 1, 1)
    assert parse_variants(f"{entry} {format_variants([good])}") == (good,)


@pytest.mark.parametrize(
    ("given_point", "expected"),
    [
        ((0, 1), FocalPoint(0.0, 1.0)),
        ((0.5, 0.3), FocalPoint(0.5, 0.3)),
        ([0.123456, 0.99999], FocalPoint(0.1235, 1.0)),
        ((-0.0, 0.00001), FocalPoint(0.0, 0.0)),
    ],
)
def test_focal_points(given_point: Any, expected: FocalPoint) -> None:
    """A point within the picture is kept to four decimals."""
    assert repr(parse_focal_point(given_point)) == repr(expected)


@pytest.mark.parametrize(
    "wrong", [(), (0.5,), (0.5, 0.5, 0.5), (1.1, 0), (-0.1, 0), (float("nan"), 0), (float("inf"), 0), ("0.5", "0.5"),
              (True, False), "01", 0.5, {"x": 1, "y": 1}],
    ids=repr,
)  # fmt: skip
def test_what_is_no_point_of_the_picture(wrong: Any) -> None:
    """Whatever is not two fractions is refused before anything is done."""
    with pytest.raises(InvalidRequest):
        parse_focal_point(wrong)
