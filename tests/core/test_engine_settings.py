"""Settings of the image engine: what may be assigned, and how each mistake is told."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from app.core.config import Settings
from app.core.engine_settings import Animation, Sandbox, VariantFormat
from app.core.exceptions import ConfigurationError
from app.core.image_types import ImageType
from app.images.formats import ImageFormat
from app.images.records import Qualities
from app.images.variants import Crop
from app.services.engine_plans import pixel_limits_of, plans_of


def load(monkeypatch: pytest.MonkeyPatch, **values: str) -> Settings:
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    return Settings.load(_env_file=None)


def faults(monkeypatch: pytest.MonkeyPatch, **values: str) -> dict[str, str]:
    with pytest.raises(ConfigurationError) as caught:
        load(monkeypatch, **values)
    return caught.value.faults


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("MAX_IMAGE_PIXELS", "0"),
        ("MAX_COSTLY_PIXELS", "-1"),
        ("MAX_AVIF_PIXELS", "many"),
        ("MAX_IMAGE_SIDE_PIXELS", "65536"),
        ("MAX_FRAMES", "0"),
        ("MAX_ANIMATION_PIXELS", "1.5"),
        ("ANIMATION", "play"),
        ("KEEP_COPYRIGHT", "perhaps"),
        ("MAX_STORED_SIDE_PIXELS", "15"),
        ("JPEG_QUALITY", "0"),
        ("JPEG_QUALITY", "best"),
        ("WEBP_QUALITY", "101"),
        ("AVIF_QUALITY", "50.5"),
        ("AVIF_QUALITY", "５０"),
        ("QUALITY_TARGET", "29"),
        ("QUALITY_TARGET", "nan"),
        ("VARIANT_WIDTHS", "320,320"),
        ("VARIANT_WIDTHS", "0"),
        ("VARIANT_WIDTHS", "8193"),
        ("VARIANT_WIDTHS", "320px"),
        ("VARIANT_WIDTHS", ",".join(map(str, range(1, 14)))),
        ("VARIANT_FORMATS", "gif"),
        ("VARIANT_FORMATS", "none"),
        ("VARIANT_FORMATS", "jpeg,jpeg"),
        ("VARIANT_PRESETS", "{"),
        ("VARIANT_PRESETS", "[]"),
        ("VARIANT_PRESETS", '{"Thumb": {"width": 1, "height": 1}}'),
        ("VARIANT_PRESETS", '{"320": {"width": 1, "height": 1}}'),
        ("VARIANT_PRESETS", '{"thumb": {"width": 0, "height": 1}}'),
        ("VARIANT_PRESETS", '{"thumb": {"width": 10}}'),
        ("VARIANT_PRESETS", '{"thumb": {"width": 10, "height": 10, "crop": "left"}}'),
        ("VARIANT_PRESETS", '{"thumb": {"width": 10, "height": 10, "colour": "red"}}'),
        ("VARIANT_EFFORT", "10"),
        ("PROCESSING_WORKERS", "0"),
        ("PROCESSING_TIMEOUT_SECONDS", "0"),
        ("PROCESSING_MAX_WAIT_SECONDS", "inf"),
        ("PROCESSING_MEMORY_BYTES", "1000"),
        ("WORKER_MAX_PICTURES", "0"),
        ("SANDBOX", "none"),
    ],
)
def test_a_wrong_value_is_told_by_its_variable(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    """Each mistake in the engine's settings stops the start under its own name, and under no other."""
    assert set(faults(monkeypatch, **{variable: value})) == {variable}


def test_the_message_says_what_would_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever mistypes a quality or a preset reads what is expected, and where."""
    found = faults(
        monkeypatch,
        JPEG_QUALITY="high",
        VARIANT_PRESETS='{"thumb": {"width": 10, "height": 10, "crop": "left"}}',
    )
    assert found["JPEG_QUALITY"] == "must be auto or a whole number from 1 to 100"
    assert found["VARIANT_PRESETS"].startswith("preset 'thumb': crop: ")


def test_waiting_fits_into_the_time_of_a_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wait longer than a picture's whole time is a mistake."""
    found = faults(monkeypatch, PROCESSING_TIMEOUT_SECONDS="2", PROCESSING_MAX_WAIT_SECONDS="3")
    assert found == {"PROCESSING_MAX_WAIT_SECONDS": "must not be longer than PROCESSING_TIMEOUT_SECONDS"}


def test_lists_and_objects_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Widths and formats are lists, presets a JSON object, qualities numbers or auto."""
    settings = load(
        monkeypatch,
        VARIANT_WIDTHS=" 400, 800 ",
        VARIANT_FORMATS="webp,jpeg",
        VARIANT_PRESETS='{"square": {"width": 200, "height": 200, "crop": "centre"}}',
        JPEG_QUALITY="80",
        WEBP_QUALITY="AUTO",
        ANIMATION="still",
        SANDBOX="strict",
    )
    assert settings.variant_widths == (400, 800)
    assert settings.variant_formats == (VariantFormat.WEBP, VariantFormat.JPEG)
    assert settings.variant_presets["square"].crop == "centre"
    assert (settings.jpeg_quality, settings.webp_quality, settings.avif_quality) == (80, "auto", "auto")
    assert (settings.animation, settings.sandbox) == (Animation.STILL, Sandbox.STRICT)


def test_variants_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """`none` and an empty object mean that an image is its optimised original alone."""
    settings = load(monkeypatch, VARIANT_WIDTHS="none", VARIANT_PRESETS="{}")
    assert all(plan.variants == () for plan in plans_of(settings).values())


def test_more_variants_than_the_facts_can_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """An image's facts have room for 36 variants; settings that make more are refused at the start."""
    many = ",".join(map(str, range(100, 1100, 100)))
    found = faults(monkeypatch, VARIANT_WIDTHS=many, VARIANT_FORMATS="avif,webp,jpeg")
    assert set(found) == {"VARIANT_WIDTHS"}
    assert "39" in found["VARIANT_WIDTHS"]
    assert load(monkeypatch, VARIANT_PRESETS="{}").variant_widths


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({"variant_widths": [320, 320]}, "variant_widths: must be up to 12 different widths"),
        ({"variant_widths": [0]}, "variant_widths: must be widths from 1 to 8192 pixels"),
        ({"variant_widths": "320"}, "variant_widths"),
        ({"variant_formats": []}, "variant_formats: must be one or more different formats"),
        ({"variant_formats": ["gif"]}, "variant_formats"),
        ({"variant_presets": {"A": {"width": 1, "height": 1}}}, "preset name 'A'"),
        ({"variant_presets": {"a": {"width": 1}}}, "preset 'a': height"),
        ({"variant_presets": [1]}, "variant_presets"),
        ({"variant_widths": list(range(1, 12)), "variant_formats": ["avif", "webp", "jpeg"]}, "makes 42 variants"),
        ({"max_stored_side_pixels": 15}, "max_stored_side_pixels"),
    ],
)
def test_an_image_type_is_checked_like_the_settings(
    monkeypatch: pytest.MonkeyPatch, entry: dict[str, Any], told: str
) -> None:
    """A type's own variants are checked as those of the service are, and the message names the type."""
    found = faults(monkeypatch, IMAGE_TYPES=json.dumps({"poster": {"prefix": "posters", **entry}}))
    assert set(found) == {"IMAGE_TYPES"}
    assert "type 'poster'" in found["IMAGE_TYPES"]
    assert told in found["IMAGE_TYPES"]


def test_a_type_has_variants_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a type names replaces the service's, what it leaves out is the service's, and empty means none."""
    own = {
        "poster": {
            "prefix": "posters",
            "max_stored_side_pixels": 4000,
            "variant_widths": [500],
            "variant_formats": ["webp"],
            "variant_presets": {"wide": {"width": 800, "height": 200, "crop": "none"}},
        },
        "scan": {"prefix": "scans", "variant_widths": [], "variant_presets": {}},
        "user": {"variant_widths": [64]},
    }
    plans = plans_of(load(monkeypatch, IMAGE_TYPES=json.dumps(own)))

    poster = plans["poster"]
    assert [(each.name, each.format, each.width, each.height, each.crop) for each in poster.variants] == [
        ("500", ImageFormat.WEBP, 500, None, Crop.NONE),
        ("wide", ImageFormat.WEBP, 800, 200, Crop.NONE),
    ]
    assert poster.max_side_pixels == 4000
    assert plans["scan"].variants == ()
    assert {each.name for each in plans["user"].variants} == {"64", "thumb", "card", "cover"}
    assert {each.name for each in plans["room"].variants} == {"320", "640", "1280", "1920", "thumb", "card", "cover"}


def test_settings_reach_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits, qualities and efforts are what the plans and limits of the engine say."""
    settings = load(
        monkeypatch,
        MAX_IMAGE_PIXELS="1000",
        MAX_COSTLY_PIXELS="500",
        MAX_AVIF_PIXELS="400",
        MAX_IMAGE_SIDE_PIXELS="300",
        MAX_FRAMES="20",
        MAX_ANIMATION_PIXELS="10",
        JPEG_QUALITY="71",
        AVIF_QUALITY="51",
        QUALITY_TARGET="66",
        VARIANT_EFFORT="3",
        ANIMATION="still",
    )
    limits, plan = pixel_limits_of(settings), plans_of(settings)["user"]
    assert (limits.max_pixels, limits.max_costly_pixels, limits.max_avif_pixels) == (1000, 500, 400)
    assert (limits.max_side_pixels, limits.max_frames, limits.max_animation_pixels) == (300, 20, 10)
    assert plan.qualities == Qualities(jpeg=71, webp=None, avif=51, target=66)
    assert plan.keeps_animation is False
    assert {(each.format, each.quality) for each in plan.variants} == {(ImageFormat.AVIF, 51), (ImageFormat.JPEG, 71)}
    assert {(each.target, each.effort) for each in plan.variants} == {(66, 3)}
    assert math.isclose(settings.quality_target, 66)


def test_an_image_type_in_python_is_checked_too() -> None:
    """A table written in Python has the same rules as one in JSON."""
    with pytest.raises(ValueError, match="different widths"):
        ImageType(prefix="posters", variant_widths=(1, 1))
