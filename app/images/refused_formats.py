"""What a file that is not accepted seems to be, so that its sender reads what went wrong."""

from __future__ import annotations

import re

# Prologs and comments may stand before the first tag of a text.
NAMING_BYTES = 1024

_UNKNOWN = "an unknown format"
_CAMERA_RAW = "a camera's raw file"
_VIDEO = "a video or an unknown ISO media file"

# Each pattern is matched at the first byte; the first that does gives the name.
_STARTS: tuple[tuple[bytes, str], ...] = (
    (rb"II\+\0|MM\0\+", "BigTIFF"),
    (rb"BM", "BMP"),
    (rb"%PDF", "PDF"),
    (rb"%!PS|\xc5\xd0\xd3\xc6", "EPS"),
    (rb"\0\0\x01\0", "ICO"),
    (rb"\0\0\x02\0", "CUR"),
    (rb"\xff\x0a|\0\0\0\x0cJXL ", "JPEG XL"),
    (rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51", "JPEG 2000"),
    (rb"8BPS", "PSD"),
    (rb"gimp xcf", "XCF"),
    (rb"\x1f\x8b", "gzip"),
    (rb"PK\x03\x04", "ZIP"),
    (rb"7z\xbc\xaf\x27\x1c|Rar!", "an archive"),
    (rb"v/1\x01", "OpenEXR"),
    (rb"#\?R(ADIANCE|GBE)", "Radiance HDR"),
    (rb"P[1-7]\s|P[Ff]\n", "PNM"),
    (rb"\x01\xda[\0\x01][\x01\x02]", "SGI"),
    (rb"\x0a[\0\x02-\x05][\0\x01]", "PCX"),
    (rb"\x59\xa6\x6a\x95", "Sun raster"),
    (rb"SIMPLE  =", "FITS"),
    (rb".{128}DICM", "DICOM"),
    (rb"\x5c\x01\0\0|\0\0\x01\x5c", "NIfTI or Analyze"),
    (rb"DDS ", "DDS"),
    (rb"qoif", "QOI"),
    (rb"\x8a[MJ]NG|\x8bJNG", "MNG"),
    (rb"BPG\xfb", "BPG"),
    (rb"AT&TFORM", "DjVu"),
    (rb"icns", "ICNS"),
    (rb"\xd7\xcd\xc6\x9a|\x01\0\0\0.{36} EMF", "a Windows metafile"),
    (rb"FUJIFILM|IIRO|IIRS|MMOR|IIU\0|II\x1a\0\0\0HEAPCCDR|\0MRM|FOVb", _CAMERA_RAW),
    (rb"RIFF....AVI |\x1a\x45\xdf\xa3|FLV\x01|\0\0\x01[\xb3\xba]|....(moov|mdat|wide|pnot|skip)", "a video"),
    (rb"RIFF....WAVE|ID3|OggS|fLaC", "a sound file"),
    # No magic number, but few files look like its header: kind, palette or none, and a usual depth.
    (rb".(\0[\x02\x03\x0a\x0b]\0{5}|\x01[\x01\x09].{5}).{8}[\x08\x0f\x10\x18\x20]", "TGA"),
)
_PATTERNS = tuple((re.compile(pattern, re.DOTALL), name) for pattern, name in _STARTS)

_BRAND_NAMES = {
    b"crx ": _CAMERA_RAW,
    b"jxl ": "JPEG XL",
    b"jp2 ": "JPEG 2000",
    b"avci": "HEIF coded with H.264",
    b"avcs": "HEIF coded with H.264",
    b"j2ki": "HEIF coded with JPEG 2000",
    b"jpeg": "HEIF coded with JPEG",
    b"vvic": "HEIF coded with H.266",
    b"mif1": "HEIF in an unknown coding",
    b"msf1": "HEIF in an unknown coding",
}
_MARKUP_PROLOG = re.compile(r"^(?:\s|<!--.*?-->|<\?xml.*?\?>)+", re.DOTALL)


def name_refused(head: bytes) -> str:
    """What a file that is not accepted seems to be, for the error's sentence: "BMP", "SVG", "an unknown format".

    `head` is its first `NAMING_BYTES` where there are as many.
    """
    for pattern, name in _PATTERNS:
        if pattern.match(head):
            return name
    if head[4:8] == b"ftyp":
        return next((name for brand, name in _BRAND_NAMES.items() if brand in head[8:256]), _VIDEO)
    return _name_of_text(head) or _UNKNOWN


def _name_of_text(head: bytes) -> str | None:
    encoding = "utf-16" if head.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8"
    text = _MARKUP_PROLOG.sub("", head.decode(encoding, "replace").removeprefix("\ufeff").lower())
    if text.startswith(("<svg", "<?xml", "<!doctype svg")):
        return "SVG"
    if text.startswith(("<!doctype html", "<html")):
        return "HTML"
    if re.match(r"\{\s*\"|\[\s*[\[{\"]", text):
        return "JSON"
    return None
