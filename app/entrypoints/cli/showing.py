"""How images are shown to people on the terminal."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rich.filesize import decimal

from app.services.results import StoredImage, UploadResult, Variant


def show_upload(path: Path, result: UploadResult) -> str:
    """A stored file: what became of its size, where it is, and which variants there are."""
    facts = result["metadata"]
    sent = facts["source"]["file_size"] or result["file_size"]
    lines = [
        f"{path}  {facts['width']}×{facts['height']}  {decimal(sent)} → {decimal(result['file_size'])}",
        f"  {result['s3_key']}",
        f"  {result['url']}",
    ]
    if variants := result["variants"]:
        names = " ".join(_once(variant["name"] for variant in variants))
        formats = ", ".join(_once(variant["format"] for variant in variants))
        total = decimal(sum(variant["file_size"] for variant in variants))
        lines.append(f"  {len(variants)} variants, {total}: {names} ({formats})")
    return "\n".join(lines)


def show_metadata(image: StoredImage) -> str:
    """All that is known of an image, a line per fact and per variant."""
    facts, source = image["metadata"], image["metadata"]["source"]
    lines = {
        "key": image["s3_key"],
        "file name": image["file_name"],
        "type": f"{image['image_type']} ({image['visibility']})",
        "owner": image["owner"] or "nobody",
        "uploaded": f"{image['uploaded_at']} UTC",
        "stored": f"{facts['format']}, {facts['width']}×{facts['height']}, {decimal(image['file_size'])}",
        "sent": f"{source['format']}, {source['width']}×{source['height']}, {decimal(source['file_size'] or 0)}",
        "sha256": str(facts["sha256"]),
        "dhash": str(facts["dhash"]),
        "colour": str(facts["dominant_color"]),
        "thumbhash": str(facts["thumbhash"]),
        "blurhash": str(facts["blurhash"]),
        "privacy": _show_privacy(image),
        "url": image["url"],
    }
    if point := facts["focal_point"]:
        lines["focus"] = f"{point['x']:g}, {point['y']:g}"
    shown = [f"{name:<10} {value}" for name, value in lines.items()]
    shown += [
        f"{'' if at else 'variants':<10} {_show_variant(variant)}" for at, variant in enumerate(image["variants"])
    ]
    return "\n".join(shown)


def _show_privacy(image: StoredImage) -> str:
    receipt = image["metadata"]["privacy"]
    if receipt is None:
        return "not known"
    removed, kept = (", ".join(receipt[part]) or "nothing" for part in ("removed", "kept"))
    return f"removed {removed}; kept {kept}"


def _show_variant(variant: Variant) -> str:
    size = f"{variant['width']}×{variant['height']}"
    return f"{variant['name']:<8} {variant['format']:<5} {size:<10} {decimal(variant['file_size'])}"


def _once(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))
