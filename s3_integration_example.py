"""The quick start as a program: `python s3_integration_example.py [photo]`.

Stores a photo, looks at what became of it, and deletes it again: in the bucket that the environment or `.env` names,
otherwise in an embedded SeaweedFS that is started for it. Without a photo it makes one, as a phone would.
Ends with 0 when every step worked.
"""

from __future__ import annotations

import asyncio
import io
import sys
import tempfile
import urllib.request
from pathlib import Path

from PIL import Image

from app.core.exceptions import ImageServiceError
from app.services.image_service import image_service


class StepFailed(Exception):
    """A step did not do what it promises."""


async def walk(photo: Path) -> None:
    """One image's whole life, step by step."""
    show("upload", photo.name)
    uploaded = await image_service.upload_image(photo, image_type="user", user_id=123, focal_point=(0.5, 0.3))
    s3_key, facts = uploaded["s3_key"], uploaded["metadata"]
    sent = facts["source"]
    show("", f"sent:   {sent['width']}×{sent['height']}, {megabytes(sent['file_size'] or 0)}")
    show("", f"stored: {facts['width']}×{facts['height']}, {megabytes(uploaded['file_size'])}, as {s3_key}")

    try:
        show("variants", f"{len(uploaded['variants'])}, rendered from one decoding and stored before the original")
        for variant in uploaded["variants"]:
            size = f"{variant['width']}×{variant['height']}"
            show("", f"{variant['name']:<6} {variant['format']:<5} {size:<10} {variant['file_size'] / 1e3:7.1f} kB")
        show("placeholders", f"{facts['dominant_color']}, ThumbHash {facts['thumbhash']}")
        removed = facts["privacy"]["removed"] if facts["privacy"] else []
        show("privacy", f"removed: {', '.join(removed) or 'nothing, there was nothing'}")

        manifest = uploaded["manifest"]
        formats = ", ".join(source["type"].removeprefix("image/") for source in manifest["sources"])
        show("manifest", f"a <picture> of {len(manifest['picture'])} characters, in {formats}")

        made, _ = await image_service.transform_image(s3_key, "w:500,f:webp")
        show("on the fly", f"500 pixels wide as WebP: {made.size / 1e3:.1f} kB, kept as {made.key.rpartition('/')[2]}")

        show("URLs", image_service.get_image_url(s3_key))
        presigned_url = image_service.get_presigned_url(s3_key, expires_in=300)
        show("", f"{presigned_url[:90]}…")

        exists = await image_service.image_exists(s3_key)
        show("exists", "yes" if exists else "no")
        require(exists, "the image is not there")

        stored = await image_service.get_image_metadata(s3_key)
        show("metadata", f"{stored['content_type']}, owner {stored['owner']}, sent as {stored['file_name']}")
        show("", f"uploaded {stored['uploaded_at']} UTC, sha256 {str(stored['metadata']['sha256'])[:16]}…")

        content = await image_service.download_image(s3_key)
        show("download", f"{len(content)} bytes, the sha256 is right")
        require(len(content) == uploaded["file_size"], "the download has another length")
        require(stored["variants"] == uploaded["variants"], "the facts list other variants")
        require(not Image.open(io.BytesIO(content)).getexif(), "the picture still has EXIF")
        show("", "no EXIF is left, and so no GPS position")

        fetched = await asyncio.to_thread(fetch, presigned_url)
        show("presigned fetch", f"{len(fetched)} bytes, as any browser gets them")
        require(fetched == content, "the presigned URL gave other bytes")
    except BaseException:
        # The store may be a real one: nothing of a walk that failed stays in it.
        await image_service.delete_image(s3_key)
        raise

    deleted = await image_service.delete_image(s3_key)
    gone = not await image_service.image_exists(s3_key)
    show("delete", "it was there and is gone" if deleted and gone else "it is still there")
    require(deleted and gone, "the image was not deleted")


def make_photo(folder: Path) -> Path:
    """A 12-megapixel JPEG as a phone held upright takes it: lying pixels, an EXIF orientation, a GPS position."""
    size = (4032, 3024)
    sky = Image.linear_gradient("L").resize(size)
    sun = Image.radial_gradient("L").resize(size)
    noise = Image.effect_noise(size, 60)
    picture = Image.merge("RGB", (sun, Image.blend(sky, noise, 0.2), noise))
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: turn it a quarter clockwise to see it upright
    exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 12.0), 3: "E", 4: (13.0, 24.0, 36.0)})
    path = folder / "photo.jpg"
    picture.save(path, quality=92, exif=exif)
    return path


def fetch(url: str) -> bytes:
    """What a stranger with the URL gets."""
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - a URL of our own making
        return bytes(answer.read())


def require(holds: object, otherwise: str) -> None:
    """Raises: StepFailed when it does not hold."""
    if not holds:
        raise StepFailed(otherwise)


def show(step: str, line: str) -> None:
    print(f"{step:<16} {line}")


def megabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.2f} MB"


def main() -> int:
    """The exit code: 0 when every step worked."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            asyncio.run(walk(Path(sys.argv[1]) if len(sys.argv) > 1 else make_photo(Path(folder))))
        except ImageServiceError as error:
            print(f"{error.code}: {error.detail}", file=sys.stderr)
            return 1
        except (StepFailed, OSError) as error:
            print(f"failed: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
