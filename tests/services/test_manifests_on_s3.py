"""Manifests on a real SeaweedFS: every URL in them opens the very picture that they promise."""

from __future__ import annotations

import asyncio
import io

import pytest
from PIL import Image

from app.images.records import Qualities, RenderPlan
from app.images.variants import VariantTable
from app.services.image_service import ImageService
from app.services.results import Manifest
from app.services.s3_service import S3Service
from tests.conftest import BucketFactory, make_image_service
from tests.fetching import fetch
from tests.images.manifest_cases import srcset_of
from tests.pictures import make_jpeg, photo

PLAN = RenderPlan(qualities=Qualities(82, 80, 60), variants=VariantTable(widths=(320, 160)).specs())


@pytest.fixture
def service(make_bucket: BucketFactory) -> ImageService:
    connection = make_bucket()
    plans = dict.fromkeys(("user", "property", "room", "document"), PLAN)
    return make_image_service(S3Service(lambda: connection), connection, plans=plans)


def animation() -> bytes:
    """A GIF of three frames, 400 × 300."""
    frames = [photo(400, 300, seed=seed) for seed in range(3)]
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:], duration=100, loop=0)
    return buffer.getvalue()


async def open_picture(url: str) -> Image.Image:
    """The picture that a stranger gets at the URL."""
    status, body = await asyncio.to_thread(fetch, url)
    assert status == 200, body
    return Image.open(io.BytesIO(body))


async def check_promises(manifest: Manifest) -> None:
    """Opens every candidate: it has the format and the width that the manifest tells browsers."""
    presets = manifest["presets"].values()
    for source in [*manifest["sources"], *(source for preset in presets for source in preset["sources"])]:
        for url, width in srcset_of(source["srcset"]):
            picture = await open_picture(url)
            # A format that ends far below the original ends with the original itself.
            is_original = "/variants/" not in url
            assert picture.width == width
            assert is_original or f"image/{str(picture.format).lower()}" == source["type"]
    for preset in presets:
        assert (await open_picture(preset["src"])).size == (preset["width"], preset["height"])


async def test_private_photo(service: ImageService) -> None:
    """Of a private image every signed URL opens its picture, and none does without its signature."""
    stored = await service.upload_image(make_jpeg(640, 480), "document", 1)
    manifest = await service.get_manifest(stored["s3_key"])
    await check_promises(manifest)
    assert [source["type"] for source in manifest["sources"]] == ["image/avif", "image/jpeg"]
    assert [width for _, width in srcset_of(manifest["srcset"])] == [160, 320, 640]
    unsigned = [url.partition("?")[0] for url, _ in srcset_of(manifest["srcset"])]
    assert [(await asyncio.to_thread(fetch, url))[0] for url in unsigned] == [403] * 3


async def test_private_animation(service: ImageService) -> None:
    """What moves is offered first as WebP that moves, and to `<img>` in nothing else."""
    stored = await service.upload_image(animation(), "document", 1)
    manifest = stored["manifest"]
    await check_promises(manifest)
    assert manifest["sources"][0]["type"] == "image/webp"
    assert ".jpg" not in manifest["picture"]
    for url in [manifest["src"], *(url for url, _ in srcset_of(manifest["srcset"]))]:
        assert getattr(await open_picture(url), "n_frames", 1) == 3


@pytest.mark.parametrize("size", [(1, 1), (40, 30), (320, 7)])
async def test_small_private_pictures(service: ImageService, size: tuple[int, int]) -> None:
    """A picture too small for variants is shown as it is."""
    stored = await service.upload_image(make_jpeg(*size), "document", 1)
    manifest = stored["manifest"]
    await check_promises(manifest)
    assert (manifest["width"], manifest["height"]) == size
    assert (await open_picture(manifest["src"])).size == size
