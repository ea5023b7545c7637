"""Manifests: all that a page needs to show an image, from the image's facts and its URLs alone.

`srcset` and `sizes` are as the HTML standard has them: https://html.spec.whatwg.org/multipage/images.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile

from typing_extensions import TypedDict

from app.core.exceptions import InvalidRequest
from app.images.facts import Facts, format_time
from app.images.formats import FORMATS, ImageFormat
from app.images.keys import ImageKey
from app.images.picture_markup import write_picture
from app.images.thumbhashes import find_data_uri
from app.images.variant_lists import ListedVariant

# Enlarged by a third a picture still looks as it should, and the original would weigh several times as much.
_WIDE_ENOUGH = 0.75
FALLBACK_WIDTH = 1280
MAX_SIZES_CHARACTERS = 500

_BEST_FIRST = (ImageFormat.AVIF, ImageFormat.WEBP, ImageFormat.JPEG, ImageFormat.PNG)
# Groups that one `<img>` may hold side by side: whoever shows one format of a group shows the others.
_MOST_READABLE_FIRST = (
    frozenset({ImageFormat.JPEG, ImageFormat.PNG}),
    frozenset({ImageFormat.WEBP}),
    frozenset({ImageFormat.AVIF}),
)


class Source(TypedDict):
    """A `<source>`: MIME type, `url 320w, url 640w…` ascending by true width, and how wide it is shown."""

    type: str
    srcset: str
    sizes: str


class Placeholder(TypedDict):
    """What to show before the picture has come; None where the image's object does not tell.

    `thumbhash` is base64 without padding, `data_uri` the same as a PNG of at most 1,024 characters, `dominant_color`
    `#rrggbb`.
    """

    thumbhash: str | None
    data_uri: str | None
    dominant_color: str | None


class PresetManifest(TypedDict):
    """A preset's rendition: one candidate per format, `src` the most readable one, its size in pixels."""

    width: int
    height: int
    sources: list[Source]
    src: str


class Manifest(TypedDict):
    """All that `<img>` and `<picture>` need of one image.

    `width` and `height` (pixels) are the stored original's, None where its object does not tell. `sources` come best
    format first; `src`, `srcset` and `sizes` are for the `<img>`, in formats that every browser shows where there are
    any. `alt` is empty: what the picture means only the page knows. `picture` is HTML, ready and escaped. The URLs of
    private images are signed and end at `expires_at` (UTC); it is None for public ones.
    """

    s3_key: str
    width: int | None
    height: int | None
    alt: str
    placeholder: Placeholder
    sources: list[Source]
    src: str
    srcset: str
    sizes: str
    presets: dict[str, PresetManifest]
    picture: str
    visibility: str
    expires_at: str | None


@dataclass(frozen=True, slots=True)
class ManifestUrls:
    """The URL of each object of `object_keys_of`, and the moment when they end, None for URLs that do not."""

    by_object_key: Mapping[str, str]
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A rendition that a browser may choose; sizes in pixels, None where the original's is not known."""

    format: ImageFormat
    url: str
    width: int | None
    height: int | None


def object_keys_of(key: ImageKey, facts: Facts) -> list[str]:
    """The objects that a manifest names: the original, then its variants."""
    return [str(key), *(f"{key.variants_prefix}{variant.file_name}" for variant in facts.variants or ())]


def check_sizes(sizes: str | None) -> str | None:
    """A caller's own `sizes`; None where it is missing or blank. Its text is escaped, not understood.

    Raises:
        InvalidRequest: longer than 500 characters, or not printable.
    """
    if sizes is None or not sizes.strip():
        return None
    if len(sizes) > MAX_SIZES_CHARACTERS or not sizes.isprintable():
        raise InvalidRequest(f"sizes has at most {MAX_SIZES_CHARACTERS} characters, all of them printable.")
    return sizes.strip()


def build_manifest(
    key: ImageKey, facts: Facts, *, urls: ManifestUrls, visibility: str, sizes: str | None = None
) -> Manifest:
    """The manifest of an image; `sizes` (see `check_sizes`) replaces `(max-width: Wpx) 100vw, Wpx`."""
    original = _original_of(key, facts, urls)
    widths, presets = _renditions_of(key, facts, urls)
    by_format = _group(original, widths, is_animated=bool(facts.is_animated))
    fallback = _choose_fallback(by_format, is_animated=bool(facts.is_animated))
    shown_sizes = sizes or _default_sizes(original.width)
    sources = _write_sources(_widened(by_format, fallback), shown_sizes)
    src, srcset = _nearest(fallback).url, _write_srcset(fallback)
    placeholder = _placeholder_of(facts)
    # A browser takes the first source that it can show, so what comes after the fallback's formats would be in vain.
    better = takewhile(lambda each: each not in {candidate.format for candidate in fallback}, by_format)
    better_types = {image_format.content_type for image_format in better}
    return {
        "s3_key": str(key),
        "width": original.width,
        "height": original.height,
        "alt": "",
        "placeholder": placeholder,
        "sources": sources,
        "src": src,
        "srcset": srcset,
        "sizes": shown_sizes,
        "presets": {name: _describe_preset(made, facts) for name, made in presets.items()},
        "picture": write_picture(
            [source for source in sources if source["type"] in better_types],
            {"src": src, "srcset": srcset, "sizes": shown_sizes if srcset else ""},
            size=(original.width, original.height),
            # It would stay visible behind what is transparent.
            background=None if facts.has_alpha else placeholder["dominant_color"],
        ),
        "visibility": visibility,
        "expires_at": None if urls.expires_at is None else format_time(urls.expires_at),
    }


def _original_of(key: ImageKey, facts: Facts, urls: ManifestUrls) -> _Candidate:
    image_format = next(each for each, row in FORMATS.items() if row.extension == key.extension)
    # One without the other would be a size that no picture has.
    width, height = (facts.width, facts.height) if facts.width and facts.height else (None, None)
    return _Candidate(image_format, urls.by_object_key[str(key)], width, height)


def _renditions_of(
    key: ImageKey, facts: Facts, urls: ManifestUrls
) -> tuple[list[_Candidate], dict[str, list[_Candidate]]]:
    """The uncropped variants, named by their widths, and the presets by name."""
    widths: list[_Candidate] = []
    presets: dict[str, list[_Candidate]] = {}
    for variant in facts.variants or ():
        url = urls.by_object_key[f"{key.variants_prefix}{variant.file_name}"]
        candidate = _Candidate(variant.format, url, variant.width, variant.height)
        (widths if _is_width(variant) else presets.setdefault(variant.name, [])).append(candidate)
    return widths, presets


def _is_width(variant: ListedVariant) -> bool:
    return variant.name.isdecimal()


def _group(
    original: _Candidate, variants: Iterable[_Candidate], *, is_animated: bool
) -> dict[ImageFormat, list[_Candidate]]:
    """Candidates by format, best first, in each ascending by width; the original where it is the widest of its own."""
    of_format = {image_format: _by_width(variants, image_format) for image_format in _order(is_animated=is_animated)}
    own = of_format[original.format]
    if original.width is not None and original.width > max((each.width or 0 for each in own), default=0):
        own.append(original)
    if not any(of_format.values()):
        own.append(original)
    return {image_format: found for image_format, found in of_format.items() if found}


def _widened(
    by_format: Mapping[ImageFormat, list[_Candidate]], fallback: list[_Candidate]
) -> dict[ImageFormat, list[_Candidate]]:
    """Formats that end well below the widest of the fallback have that as their last: else it would be shown blurred.

    A source's type says what a browser must take to choose among its pictures; this one every browser takes.
    """
    widest = fallback[-1]
    formats = {each.format for each in fallback}
    return {
        image_format: found
        if image_format in formats or (found[-1].width or 0) >= _WIDE_ENOUGH * (widest.width or 0)
        else [*found, widest]
        for image_format, found in by_format.items()
    }


def _by_width(variants: Iterable[_Candidate], image_format: ImageFormat) -> list[_Candidate]:
    """One for each width, in ascending order."""
    own = {each.width or 0: each for each in variants if each.format is image_format}
    return [own[width] for width in sorted(own)]


def _order(*, is_animated: bool) -> list[ImageFormat]:
    """Best first; of an animated picture what moves before what stands still."""
    return sorted(_BEST_FIRST, key=lambda each: is_animated and not FORMATS[each].keeps_animation)


def _choose_fallback(by_format: Mapping[ImageFormat, list[_Candidate]], *, is_animated: bool) -> list[_Candidate]:
    """What the `<img>` offers, ascending by width: what most browsers show, but nothing still for what moves."""
    moving = [each for each in by_format if is_animated and FORMATS[each].keeps_animation]
    allowed = moving or list(by_format)
    group = next(group for group in _MOST_READABLE_FIRST if group.intersection(allowed))
    # Of two of one width the better format: it comes first, and so is put in last.
    by_width = {each.width: each for name in reversed(allowed) if name in group for each in by_format[name]}
    return sorted(by_width.values(), key=lambda each: each.width or 0)


def _nearest(candidates: Iterable[_Candidate]) -> _Candidate:
    """The one whose width is nearest to `FALLBACK_WIDTH`."""
    return min(candidates, key=lambda each: abs((each.width or 0) - FALLBACK_WIDTH))


def _write_sources(by_format: Mapping[ImageFormat, list[_Candidate]], sizes: str) -> list[Source]:
    written: list[Source] = []
    for image_format, candidates in by_format.items():
        if srcset := _write_srcset(candidates):
            written.append({"type": image_format.content_type, "srcset": srcset, "sizes": sizes})
    return written


def _write_srcset(candidates: Iterable[_Candidate]) -> str:
    """Empty where the only picture's width is not known."""
    return ", ".join(f"{each.url} {each.width}w" for each in candidates if each.width)


def _default_sizes(width: int | None) -> str:
    return f"(max-width: {width}px) 100vw, {width}px" if width else "100vw"


def _placeholder_of(facts: Facts) -> Placeholder:
    return {
        "thumbhash": facts.thumbhash,
        "data_uri": None if facts.thumbhash is None else find_data_uri(facts.thumbhash),
        "dominant_color": facts.dominant_color,
    }


def _describe_preset(made: list[_Candidate], facts: Facts) -> PresetManifest:
    is_animated = bool(facts.is_animated)
    by_format = {each: found for each in _order(is_animated=is_animated) if (found := _by_width(made, each))}
    shown = _nearest(_choose_fallback(by_format, is_animated=is_animated))
    return {
        "width": shown.width or 0,
        "height": shown.height or 0,
        "sources": _write_sources(by_format, _default_sizes(shown.width)),
        "src": shown.url,
    }
