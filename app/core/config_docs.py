"""`docs/configuration.md` and `.env.example`, written from the settings themselves (`COMMAND`)."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any, get_args

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from app.core.config import Settings

COMMAND = "python -m app.core.config_docs --write"
# Each topic begins at a field and goes on to the next topic's first field.
TOPICS = {
    "environment": "Service",
    "aws_access_key_id": "Credentials and region",
    "s3_bucket_name": "Bucket, endpoints and URLs",
    "s3_connect_timeout_seconds": "Time and connections",
    "s3_cors_origins": "Browsers",
    "max_upload_bytes": "Uploads",
    "image_types": "Image types",
    "max_image_pixels": "Limits on pictures",
    "animation": "What is made of a picture",
    "processing_workers": "Decoders and their confinement",
    "delivery_access": "Delivery",
    "url_window_seconds": "Presigned URLs",
    "cloudfront_key_pair_id": "CloudFront",
    "auth_mode": "Callers",
    "heaven_home": "Embedded store",
}
_UNITS = {"_seconds": "seconds", "_bytes": "bytes", "_pixels": "pixels"}
_COMPUTED_DEFAULTS = {
    "processing_workers": "number of cores",
    "delivery_keys": "none",
    "image_types": "user, property, room",
    "variant_presets": "thumb 320 × 320, card 640 × 480, cover 1600 × 900",
}

_PATHS = {"cloudfront_private_key_file": "file"}
_WRITTEN_RANGES = {
    "delivery_keys": "secret texts",
    "image_types": "JSON",
    "variant_presets": "JSON",
    "variant_widths": "numbers or `none`",
    "variant_formats": "`avif`, `webp`, `jpeg`",
    "jpeg_quality": "`auto` or 1 to 100",
    "webp_quality": "`auto` or 1 to 100",
    "avif_quality": "`auto` or 1 to 100",
}


def configuration_page() -> str:
    """The text of `docs/configuration.md`."""
    parts = [_PAGE_HEAD]
    for topic, fields in _by_topic():
        rows = [
            f"| `{name.upper()}` | {_code(name, field)} | {_range_of(name, field)} | {field.description} |"
            for name, field in fields
        ]
        parts.append(
            "\n".join([f"## {topic}", "", "| variable | default | values | meaning |", "|---|---|---|---|", *rows])
        )
    return "\n\n".join(parts) + "\n"


def env_example() -> str:
    """The text of `.env.example`: every variable, commented out, with its default."""
    parts = [_EXAMPLE_HEAD]
    for topic, fields in _by_topic():
        lines = [f"# --- {topic} ---"]
        for name, field in fields:
            values = _range_of(name, field).replace("`", "")
            meaning = f"{(field.description or '').replace('`', '')} ({values}; default: {_default_text(name, field)})"
            lines += [
                "",
                *(f"## {line}" for line in textwrap.wrap(meaning, 100)),
                f"#{name.upper()}={_assigned(name, field)}",
            ]
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def _by_topic() -> Iterator[tuple[str, list[tuple[str, FieldInfo]]]]:
    collected: dict[str, list[tuple[str, FieldInfo]]] = {}
    topic = ""
    for name, field in Settings.model_fields.items():
        topic = TOPICS.get(name, topic)
        collected.setdefault(topic, []).append((name, field))
    for topic in TOPICS.values():
        yield topic, collected[topic]


def _default_text(name: str, field: FieldInfo) -> str:
    if name in _COMPUTED_DEFAULTS:
        return _COMPUTED_DEFAULTS[name]
    return _assigned(name, field) or "unset"


def _assigned(name: str, field: FieldInfo) -> str:
    default = None if name in _COMPUTED_DEFAULTS else field.default
    if default is None:
        return ""
    return ",".join(map(str, default)) if isinstance(default, tuple) else str(default)


def _code(name: str, field: FieldInfo) -> str:
    text = _default_text(name, field)
    return text if text == "unset" or name in _COMPUTED_DEFAULTS else f"`{text}`"


def _range_of(name: str, field: FieldInfo) -> str:
    """What may be assigned: choices, or kind, range and unit."""
    kinds = [kind for kind in (get_args(field.annotation) or (field.annotation,)) if kind is not type(None)]
    kind: Any = kinds[0]
    if name in _WRITTEN_RANGES:
        return _WRITTEN_RANGES[name]
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return " or ".join(f"`{choice.value}`" for choice in kind)
    if kind is bool:
        return "`True` or `False`"
    if kind is SecretStr:
        return "secret text"
    pattern = next((entry.pattern for entry in field.metadata if hasattr(entry, "pattern")), None)
    if pattern and "|" in pattern:
        return " or ".join(f"`{choice}`" for choice in pattern.strip("^$()").split("|"))
    if kind in {int, float}:
        return _number_range(name, field)
    return "URL" if name.endswith("_url") else _PATHS.get(name, "folder") if kind is Path else "text"


def _number_range(name: str, field: FieldInfo) -> str:
    limits = {
        edge: value
        for entry in field.metadata
        for edge in ("ge", "gt", "le")
        if (value := getattr(entry, edge, None)) is not None
    }
    low = limits.get("ge", f"over {limits.get('gt', 0):g}")
    unit = next((unit for suffix, unit in _UNITS.items() if name.endswith(suffix)), "")
    return f"{low} to {limits['le']:.0f} {unit}".strip()


_PAGE_HEAD = f"""# Configuration

Every setting is an environment variable, or a line of `.env` in the folder where the service starts (see
[`.env.example`](../.env.example)); the environment wins. An empty value counts as unset. Wrong values stop the start,
with every fault listed by its variable's name. Without any setting the service runs on an embedded store of its own.

Written by `{COMMAND}` from `app/core/config.py`; change it there."""

_EXAMPLE_HEAD = f"""# Copy this to .env and remove the "#" before what you change. Lines with "##" explain.
# Everything may stay as it is: without settings the service runs on an embedded store of its own.
# Written by "{COMMAND}" from app/core/config.py; change it there."""


def main() -> int:
    """Writes both files into the current folder with `--write`, otherwise prints the page."""
    if sys.argv[1:] != ["--write"]:
        sys.stdout.write(configuration_page())
        return 0
    Path("docs").mkdir(exist_ok=True)
    Path("docs/configuration.md").write_text(configuration_page(), encoding="utf-8")
    Path(".env.example").write_text(env_example(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
