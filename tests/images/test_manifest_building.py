"""Manifests built of facts: which sources a page offers, in which order, and what stands in where facts are missing."""

from __future__ import annotations

from dataclasses import replace
from html import unescape

import pytest

from app.core.exceptions import InvalidRequest
from app.images.facts import Facts
from app.images.manifests import check_sizes
from tests.images.manifest_cases import Markup, facts_of, manifest_of, short

PHOTO = facts_of(
    "1920.avif:1920x1440",
    "1920.jpg:1920x1440",
    "640.avif:640x480",
    "640.jpg:640x480",
    "1280.avif:1280x960",
    "1280.jpg:1280x960",
    "thumb.avif:320x320",
    "thumb.jpg:320x320",
    "card.jpg:640x480",
)
DEFAULT_SIZES = "(max-width: 2560px) 100vw, 2560px"


def test_sources_of_a_photo() -> None:
    """AVIF comes before JPEG, widths ascend, crops are left out, and the original is the widest JPEG."""
    manifest = manifest_of(PHOTO)
    assert [source["type"] for source in manifest["sources"]] == ["image/avif", "image/jpeg"]
    avif, jpeg = (short(source["srcset"]) for source in manifest["sources"])
    assert avif == ["640.avif 640", "1280.avif 1280", "1920.avif 1920"]
    assert jpeg == ["640.jpg 640", "1280.jpg 1280", "1920.jpg 1920", "20241201_143022_a1b2c3d4.jpg 2560"]
    assert short(manifest["srcset"]) == jpeg
    assert manifest["src"] == "cdn/1280-2b9db108.jpg"
    assert {source["sizes"] for source in manifest["sources"]} == {manifest["sizes"]} == {DEFAULT_SIZES}
    assert (manifest["width"], manifest["height"], manifest["alt"]) == (2560, 1920, "")
    assert (manifest["visibility"], manifest["expires_at"]) == ("public", None)


def test_no_format_ends_far_below_the_original() -> None:
    """Where the original is much wider than the widest AVIF, that source ends with the original, as the others do."""
    facts = replace(facts_of("320.avif:320x240", "640.avif:640x480", "640.jpg:640x480"), width=1170, height=878)
    sources = manifest_of(facts)["sources"]
    assert short(sources[0]["srcset"]) == ["320.avif 320", "640.avif 640", "20241201_143022_a1b2c3d4.jpg 1170"]
    nearly = replace(facts, width=853, height=640)
    assert short(manifest_of(nearly)["sources"][0]["srcset"]) == ["320.avif 320", "640.avif 640"]


def test_formats_best_first() -> None:
    """AVIF before WebP before JPEG, in whatever order they were made; only the last is for `<img>`."""
    manifest = manifest_of(facts_of("640.jpg:640x480", "640.webp:640x480", "640.avif:640x480"))
    assert [source["type"] for source in manifest["sources"]] == ["image/avif", "image/webp", "image/jpeg"]
    markup = Markup(manifest["picture"])
    assert [attributes.get("type") for _, attributes in markup.elements] == [None, "image/avif", "image/webp", None]


def test_presets() -> None:
    """A preset has its own size, its formats best first, and one picture that everybody shows."""
    presets = manifest_of(PHOTO)["presets"]
    assert list(presets) == ["thumb", "card"]
    thumb = presets["thumb"]
    assert (thumb["width"], thumb["height"], thumb["src"]) == (320, 320, "cdn/thumb-2b9db108.jpg")
    assert [short(source["srcset"]) for source in thumb["sources"]] == [["thumb.avif 320"], ["thumb.jpg 320"]]
    assert thumb["sources"][0]["sizes"] == "(max-width: 320px) 100vw, 320px"


def test_original_that_is_no_wider_than_its_variants() -> None:
    """No width is offered twice: a variant as wide as the original stands for it."""
    manifest = manifest_of(facts_of("1280.jpg:1280x960", "640.jpg:640x480", width=1280, height=960))
    assert short(manifest["srcset"]) == ["640.jpg 640", "1280.jpg 1280"]


def test_widths_are_those_of_the_pictures() -> None:
    """A portrait that a box made narrower than its variant's name says so: browsers choose by true widths."""
    manifest = manifest_of(facts_of("1280.jpg:960x1280", "640.jpg:640x853", width=1440, height=1920))
    assert short(manifest["srcset"])[:2] == ["640.jpg 640", "1280.jpg 960"]


@pytest.mark.parametrize(
    ("facts", "extension", "kinds"),
    [
        (facts_of(), "jpg", ["image/jpeg"]),
        (facts_of(variants=None), "png", ["image/png"]),
        (facts_of(width=64, height=48), "webp", ["image/webp"]),
        (facts_of("thumb.jpg:320x320"), "avif", ["image/avif"]),
    ],
    ids=["no-variants", "older", "small", "presets-only"],
)
def test_images_without_widths(facts: Facts, extension: str, kinds: list[str]) -> None:
    """An image that has no variants is its own and only source, whatever its format."""
    manifest = manifest_of(facts, extension=extension)
    assert [source["type"] for source in manifest["sources"]] == kinds
    assert short(manifest["srcset"]) == [f"20241201_143022_a1b2c3d4.{extension} {facts.width}"]
    assert manifest["src"].endswith(extension)
    assert Markup(manifest["picture"]).tags == ["picture", "img"]


def test_object_that_tells_nothing() -> None:
    """A picture that something else put there is shown all the same: its URL, and no size that nobody knows."""
    manifest = manifest_of(Facts())
    assert (manifest["width"], manifest["height"], manifest["sources"], manifest["srcset"]) == (None, None, [], "")
    assert manifest["placeholder"] == {"thumbhash": None, "data_uri": None, "dominant_color": None}
    image = Markup(manifest["picture"]).image
    assert image["src"] == manifest["src"] == "cdn/20241201_143022_a1b2c3d4.jpg"
    assert not {"width", "height", "srcset", "sizes"} & image.keys()


def test_png_stand_ins() -> None:
    """Of a drawing PNGs stand in for JPEGs; both may be in one `<img>`, where of one width the JPEG counts."""
    facts = facts_of("640.png:640x480", "320.jpg:320x240", "320.png:320x240", "640.avif:640x480")
    manifest = manifest_of(facts, extension="png")
    assert short(manifest["srcset"]) == ["320.jpg 320", "640.png 640", "20241201_143022_a1b2c3d4.png 2560"]
    assert [source["type"] for source in manifest["sources"]] == ["image/avif", "image/jpeg", "image/png"]
    types = [attributes.get("type") for tag, attributes in Markup(manifest["picture"]).elements if tag == "source"]
    assert types == ["image/avif"]


def test_animation_comes_before_stills() -> None:
    """What moves is offered first and alone in the snippet, though an AVIF or a JPEG is there that stands still."""
    facts = facts_of("640.avif:640x480", "640.webp:640x480", "320.jpg:320x240", is_animated=True)
    manifest = manifest_of(facts, extension="webp")
    assert [source["type"] for source in manifest["sources"]] == ["image/webp", "image/avif", "image/jpeg"]
    assert short(manifest["srcset"]) == ["640.webp 640", "20241201_143022_a1b2c3d4.webp 2560"]
    assert manifest["src"] == "cdn/640-2b9db108.webp"
    assert Markup(manifest["picture"]).tags == ["picture", "img"]


def test_snippet_keeps_room_for_the_picture() -> None:
    """The page does not jump when the picture comes, and shows its colour until then."""
    image = Markup(manifest_of(PHOTO)["picture"]).image
    assert (image["width"], image["height"], image["alt"]) == ("2560", "1920", "")
    assert (image["loading"], image["decoding"]) == ("lazy", "async")
    assert image["style"] == "max-width:100%;height:auto;background-color:#7a8c99"


def test_nothing_shines_through_transparent_pictures() -> None:
    """Behind a picture with alpha the dominant colour would stay visible: it is left out."""
    image = Markup(manifest_of(facts_of(has_alpha=True))["picture"]).image
    assert "background" not in str(image["style"])


def test_private_urls_and_their_end() -> None:
    """Every URL is the signed one, and the manifest says until when."""
    manifest = manifest_of(PHOTO, query="?X-Amz-Expires=7200&X-Amz-Signature=0a%2F1b")
    assert (manifest["visibility"], manifest["expires_at"]) == ("private", "2024-12-01T16:00:00.000000")
    text = unescape(str(manifest))
    assert text.count("cdn/") == text.count("&X-Amz-Signature=0a%2F1b")
    assert 'src="cdn/1280-2b9db108.jpg?X-Amz-Expires=7200&amp;X-Amz-Signature=0a%2F1b"' in manifest["picture"]


EVIL = "\"><script>alert(1)</script><img src=x onerror='alert(2)'>&lt;"


def test_nothing_becomes_markup() -> None:
    """Whatever stands in `sizes` or in a URL stays the text of an attribute."""
    manifest = manifest_of(PHOTO, sizes=EVIL, folder="a\"b'<i>&/")
    markup = Markup(manifest["picture"])
    assert markup.tags == ["picture", "source", "img"]
    assert not any(markup.texts)
    assert markup.image["sizes"] == EVIL
    assert markup.image["src"] == manifest["src"] == "cdn/a\"b'<i>&/1280-2b9db108.jpg"
    assert set(markup.image) == {
        "src", "srcset", "sizes", "width", "height", "alt", "loading", "decoding", "style",
    }  # fmt: skip


def test_own_sizes() -> None:
    """Who knows how wide the picture is shown says so for all sources; a blank text says nothing."""
    own = check_sizes(" (max-width: 600px) 100vw, 50vw ")
    manifest = manifest_of(PHOTO, sizes=own)
    assert {source["sizes"] for source in manifest["sources"]} == {"(max-width: 600px) 100vw, 50vw"}
    assert manifest["presets"]["thumb"]["sources"][0]["sizes"] == "(max-width: 320px) 100vw, 320px"
    assert [check_sizes(text) for text in (None, "", "  ")] == [None, None, None]


@pytest.mark.parametrize("sizes", ["1" * 501, "50vw\n", "50vw\0", "50\u202evw"])
def test_sizes_that_are_none(sizes: str) -> None:
    """A text too long, or with what nobody can read, is refused."""
    with pytest.raises(InvalidRequest):
        check_sizes(sizes)
