"""The text of a transform: one for every picture, and whatever is wrong with one is named."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.exceptions import InvalidTransform
from app.images.formats import ImageFormat
from app.images.transform_text import MAX_TRANSFORM_CHARACTERS, canonical_text, make_transform, parse_transform
from app.images.transforms import CropBox, Fit, Gravity, Position, Transform, Watermark

LOGO = "logos/20241201_143022_a1b2c3d4.png"
LOGO_TEXT = base64.urlsafe_b64encode(LOGO.encode()).rstrip(b"=").decode()

VALUES: Mapping[str, Transform] = {
    "w:640": Transform(width=640),
    "w:640,h:480,fit:cover,f:webp": Transform(width=640, height=480, fit=Fit.COVER, format=ImageFormat.WEBP),
    "w:8,h:8,fit:cover,crop:attention": Transform(width=8, height=8, fit=Fit.COVER, gravity=Gravity.ATTENTION),
    "w:8,h:8,fit:cover,crop:centre": Transform(width=8, height=8, fit=Fit.COVER, gravity=Gravity.CENTRE),
    "w:8,h:8,fit:contain,bg:00ff7f": Transform(width=8, height=8, fit=Fit.CONTAIN, background="00ff7f"),
    "h:8192,crop:box~0.1~0.0001~0.5~0.25": Transform(height=8192, box=CropBox(1000, 1, 5000, 2500)),
    "w:8,h:8,fit:cover,crop:box~0~0~1~0.5": Transform(
        width=8, height=8, fit=Fit.COVER, box=CropBox(0, 0, 10_000, 5000)
    ),
    "rotate:270,blur:0.3,sharpen:10": Transform(rotate=270, blur=3, sharpen=100),
    "blur:50": Transform(blur=500),
    f"watermark:{LOGO_TEXT}": Transform(watermark=Watermark(LOGO)),
    f"watermark:{LOGO_TEXT}~nw": Transform(watermark=Watermark(LOGO, Position.NORTH_WEST)),
    f"watermark:{LOGO_TEXT}~se~25~50": Transform(watermark=Watermark(LOGO, opacity=50)),
    "p:card,rotate:90,q:1,f:avif": Transform(preset="card", rotate=90, quality=1, format=ImageFormat.AVIF),
    "q:100,f:jpeg": Transform(quality=100, format=ImageFormat.JPEG),
    "f:auto": Transform(),
}

SAME = [
    ("h:480,f:webp,fit:cover,w:640", "w:640,h:480,fit:cover,f:webp"),
    ("w:320,dpr:2", "w:640"),
    ("w:321,h:3,dpr:1.5", "w:482,h:5"),
    ("w:100,dpr:1.00", "w:100"),
    ("w:1,dpr:1.49", "w:1"),
    ("w:9,fit:inside,q:auto,f:auto", "w:9"),
    ("w:8,h:8,fit:cover,crop:focal", "w:8,h:8,fit:cover"),
    ("rotate:0", "f:auto"),
    ("q:auto", "f:auto"),
    ("crop:box~0~0~1~1", "f:auto"),
    ("crop:box~0.0~0.50~1.0000~0.5", "crop:box~0~0.5~1~0.5"),
    ("blur:2.0", "blur:2"),
    (f"watermark:{LOGO_TEXT}~se~25~100", f"watermark:{LOGO_TEXT}"),
    ("f:jpeg,bg:ffffff", "f:jpeg"),
    ("f:png,q:80", "f:png"),
]

WRONG = {
    "": ["1 to 500"],
    ",": ["an empty option"],
    "w:640,": ["an empty option"],
    "x": ["x is unknown"],
    "x:1,Y:2,w:0": ["x is unknown", "Y is unknown", "w takes 1 to 8192"],
    "W:640": ["W is unknown"],
    "w:640,w:640": ["w is given twice"],
    "w": ["w takes"],
    "w:": ["w takes"],
    "w:8193": ["w takes"],
    "w:99999999999999999999": ["w takes"],
    "w:064": ["w takes"],
    "w:+64": ["w takes"],
    "w:6.4": ["w takes"],
    "w: 64": ["w takes"],
    "w:64\n": ["w takes"],
    "w:٦٤": ["w takes"],
    "w:4097,dpr:2": ["w times dpr"],
    "dpr:2": ["dpr needs w or h"],
    "w:1,dpr:4.01": ["dpr takes"],
    "w:1,dpr:0.99": ["dpr takes"],
    "w:1,dpr:1.001": ["dpr takes"],
    "w:1,dpr:2.": ["dpr takes"],
    "w:1,fit:fill": ["fit takes"],
    "w:1,fit:cover": ["fit:cover needs w and h"],
    "h:1,fit:contain": ["fit:contain needs w and h"],
    "w:4000,h:2501,fit:contain": ["fit:contain pads up to 10000000 pixels"],
    "w:2000,h:1251,dpr:2,fit:contain": ["fit:contain pads up to 10000000 pixels"],
    "w:1,h:1,crop:centre": ["crop:centre needs fit:cover"],
    "w:1,h:1,fit:contain,crop:focal": ["crop:focal needs fit:cover"],
    "crop:box~0~0~1": ["crop takes"],
    "crop:box~0~0~1~1~1": ["crop takes"],
    "crop:box~0.5~0~0.6~1": ["crop takes"],
    "crop:box~0~0.5~1~0.5001": ["crop takes"],
    "crop:box~0~0~0~1": ["crop takes"],
    "crop:box~0~0~1~0": ["crop takes"],
    "crop:box~0~0~1~0.00001": ["crop takes"],
    "crop:box~-0.1~0~1~1": ["crop takes"],
    "rotate:45": ["rotate takes"],
    "rotate:-90": ["rotate takes"],
    "blur:0.2": ["blur takes"],
    "blur:50.1": ["blur takes"],
    "blur:1.25": ["blur takes"],
    "sharpen:10.1": ["sharpen takes"],
    "bg:FFFFFF": ["bg takes"],
    "bg:fff": ["bg takes"],
    "q:0": ["q takes"],
    "q:101": ["q takes"],
    "f:gif": ["f takes"],
    "p:Card": ["p takes"],
    "p:card,w:1,h:2,fit:inside,crop:box~0~0~1~1,dpr:1": [f"{name} does not" for name in ("w", "h", "fit", "crop")],
    f"watermark:{LOGO_TEXT}~xx": ["watermark takes"],
    f"watermark:{LOGO_TEXT}~se~0": ["watermark takes"],
    f"watermark:{LOGO_TEXT}~se~25~101": ["watermark takes"],
    f"watermark:{LOGO_TEXT}~se~25~50~1": ["watermark takes"],
    f"watermark:{LOGO_TEXT}==": ["watermark takes"],
    "watermark:": ["watermark takes"],
    "watermark:a": ["watermark takes"],
    # The last bits of a character that says nothing: the same key a second time.
    "watermark:YR": ["watermark takes"],
    "watermark:_w": ["watermark takes"],
    "watermark:AA": ["watermark takes"],
}


@pytest.mark.parametrize("text", VALUES)
def test_an_option(text: str) -> None:
    """A canonical text has its value, and the value this text."""
    assert parse_transform(text) == VALUES[text]
    assert canonical_text(VALUES[text]) == text


@pytest.mark.parametrize(("text", "canonical"), SAME)
def test_the_same_picture(text: str, canonical: str) -> None:
    """Whoever asks for the same picture in other words gets the same text, and so the same address."""
    assert canonical_text(parse_transform(text)) == canonical


@pytest.mark.parametrize("text", WRONG)
def test_what_is_wrong_is_named(text: str) -> None:
    """Every option that is unknown, wrong, given twice or in conflict is named in the answer, in one go."""
    with pytest.raises(InvalidTransform) as refused:
        parse_transform(text)
    for named in WRONG[text]:
        assert named in refused.value.detail


def test_only_what_is_wrong_is_named() -> None:
    """Where one option cannot be read, nothing is said of those that depend on it."""
    with pytest.raises(InvalidTransform) as refused:
        parse_transform("w:1,h:1,fit:fill,crop:centre")
    assert "crop" not in refused.value.detail


def test_a_private_watermark_is_refused() -> None:
    """A private picture cannot be looked at as a watermark on a public one."""
    with pytest.raises(InvalidTransform):
        make_transform(watermark="private/users/1/20241201_143022_a1b2c3d4.png")


def test_a_long_text_is_not_read() -> None:
    """More than 500 characters are refused as they are; at most 500 are read."""
    assert parse_transform("p:card") != Transform()
    with pytest.raises(InvalidTransform, match="500"):
        parse_transform("w:640".ljust(MAX_TRANSFORM_CHARACTERS + 1, ","))


def test_what_a_stranger_wrote_is_shown_in_ascii() -> None:
    """An unknown option is shown short and in ASCII, so that it writes nothing into a terminal or a log."""
    with pytest.raises(InvalidTransform) as refused:
        parse_transform("\x1b[31m\u202e" + "a" * 300 + ":1")
    assert refused.value.detail.isascii()
    assert len(refused.value.detail) < 120


NEARLY = st.lists(st.sampled_from(["w", "h", ":", ",", "~", "640", "crop", "box", "0.5", "q", "f", "webp"])).map(
    "".join
)


@given(st.text(max_size=60) | NEARLY)
def test_no_text_is_a_fault_of_ours(text: str) -> None:
    """Whatever stands in a URL: it is a transform with one text, or not a transform of this service."""
    try:
        transform = parse_transform(text)
    except InvalidTransform:
        return
    assert parse_transform(canonical_text(transform)) == transform


def boxes() -> st.SearchStrategy[CropBox]:
    """Any part of the picture."""
    side = st.integers(0, 9_999).flatmap(lambda start: st.tuples(st.just(start), st.integers(1, 10_000 - start)))
    return st.tuples(side, side).map(lambda sides: CropBox(sides[0][0], sides[1][0], sides[0][1], sides[1][1]))


@st.composite
def transforms(draw: st.DrawFn) -> Transform:
    """Any transform, by keywords as a program writes them."""
    given_size = draw(st.sampled_from(["none", "w", "h", "both"]))
    # Four times two of the smaller ones are what may be padded.
    sides = st.integers(1, 780 if given_size == "both" else 2048)
    options: dict[str, Any] = {}
    if given_size in {"w", "both"}:
        options["width"] = draw(sides)
    if given_size in {"h", "both"}:
        options["height"] = draw(sides)
    if options:
        options["dpr"] = draw(st.sampled_from([1, 1.5, 2, 3.25, 4]))
    if given_size == "both":
        options["fit"] = draw(st.sampled_from(Fit))
    crops: list[Any] = [None, draw(boxes())] + ([*Gravity] if options.get("fit") is Fit.COVER else [])
    options["crop"] = draw(st.sampled_from(crops))
    options["rotate"] = draw(st.sampled_from([0, 90, 180, 270]))
    options["blur"] = draw(st.just(0) | st.integers(3, 500).map(lambda tenths: tenths / 10))
    options["sharpen"] = draw(st.just(0) | st.integers(3, 100).map(lambda tenths: tenths / 10))
    options["background"] = draw(st.none() | st.from_regex(r"[0-9a-f]{6}", fullmatch=True))
    options["watermark"] = draw(
        st.none()
        | st.builds(Watermark, st.just(LOGO), st.sampled_from(Position), st.integers(1, 100), st.integers(1, 100))
    )
    options["quality"] = draw(st.none() | st.integers(1, 100))
    formats = [None, ImageFormat.AVIF, ImageFormat.WEBP, ImageFormat.JPEG, ImageFormat.PNG]
    options["format"] = draw(st.sampled_from(formats))
    return make_transform(**options)


@given(transforms())
def test_every_value_has_one_text(transform: Transform) -> None:
    """The canonical text of any transform is short enough, has the same value, and is its own canonical text."""
    text = canonical_text(transform)
    assert len(text) <= MAX_TRANSFORM_CHARACTERS
    assert parse_transform(text) == transform
    assert canonical_text(parse_transform(text)) == text
    assert "dpr" not in text


def test_keywords() -> None:
    """A program asks by keyword for what a URL asks for by text."""
    size: dict[str, Any] = {"width": 320, "height": 200, "fit": "cover", "dpr": 2}
    made = make_transform(**size, crop=(0, 0.25, 1 / 3, 0.5), watermark=LOGO, quality=7)
    assert canonical_text(made) == f"w:640,h:400,fit:cover,crop:box~0~0.25~0.3333~0.5,watermark:{LOGO_TEXT},q:7"
    assert make_transform() == Transform()
    assert canonical_text(make_transform(preset="card", format=ImageFormat.AVIF)) == "p:card,f:avif"


@pytest.mark.parametrize(
    "keywords",
    [
        {"width": True},
        {"width": 6.5},
        {"width": "6,h:4"},
        {"width": 0},
        {"blur": float("nan")},
        {"blur": float("inf")},
        {"blur": 1e-9},
        {"dpr": 0},
        {"crop": (0, 0, 1)},
        {"crop": (0, 0, float("nan"), 1)},
        {"crop": "centre"},
        {"watermark": Watermark("\ud800")},
        {"watermark": Watermark(LOGO, opacity=0)},
        {"watermark": ""},
        {"preset": "card", "width": 3},
        {"format": "tiff"},
        {"background": "white"},
    ],
)
def test_wrong_keywords(keywords: dict[str, Any]) -> None:
    """A program's mistake is refused as a URL's is, whatever its type."""
    with pytest.raises(InvalidTransform):
        make_transform(**keywords)


@pytest.mark.parametrize(
    "transform",
    [
        Transform(gravity=Gravity.CENTRE),
        Transform(width=0),
        Transform(width=9000),
        Transform(box=CropBox(0, 0, 10_000, 10_000)),
        Transform(rotate=45),
        Transform(blur=1),
        Transform(format=ImageFormat.PNG, quality=80),
        Transform(format=ImageFormat.HEIC),
        Transform(preset="card", width=640),
        Transform(background="w:1,h:2"),
    ],
)
def test_a_value_that_no_text_has(transform: Transform) -> None:
    """A value put together by hand that means nothing, or the same as another, gets no text and so no address."""
    with pytest.raises(InvalidTransform):
        canonical_text(transform)
