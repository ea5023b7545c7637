"""Quality auto: what is chosen reaches the target, as SSIMULACRA2 itself judges it, in few encodes."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from PIL import Image

from app.images.formats import ImageFormat
from app.services.decoder import quality
from app.services.decoder.codecs import encode
from app.services.decoder.quality import QualityChooser
from app.services.decoder.similarity import Similarity
from tests.pictures import photo
from tests.services.codecs.making import decoded, judged, landscape, vips_image

LOSSY = [ImageFormat.JPEG, ImageFormat.WEBP, ImageFormat.AVIF]


@pytest.mark.parametrize("image_format", LOSSY)
def test_similarity_is_near_the_judge(image_format: ImageFormat) -> None:
    """What is computed in two milliseconds is within five points of SSIMULACRA2, for every codec alike."""
    picture = landscape()
    similarity = Similarity(np.asarray(picture))
    apart = {}
    for level in (45, 65, 85):
        body = encode(vips_image(picture), image_format, quality=level, effort=0)
        apart[level] = similarity.score_of(np.asarray(decoded(body).convert("RGB"))) - judged(picture, body)
    assert max(map(abs, apart.values())) < 5, apart


def test_the_same_picture_is_as_similar_as_can_be() -> None:
    """Without any difference the score is all but 100."""
    pixels = np.asarray(photo(160, 120))
    assert Similarity(pixels).score_of(pixels) > 99


@pytest.mark.parametrize("image_format", LOSSY)
@pytest.mark.parametrize("target", [65, 75, 82])
def test_the_target_is_reached(image_format: ImageFormat, target: float) -> None:
    """At the chosen quality a picture scores what was asked for, to within six points."""
    picture = landscape(seed=1)
    chosen = QualityChooser(vips_image(picture), target=target, effort=0).quality_for(image_format)
    body = encode(vips_image(picture), image_format, quality=chosen, effort=0)
    assert abs(judged(picture, body) - target) < 6


@pytest.mark.parametrize("image_format", LOSSY)
def test_each_picture_gets_its_own_quality(image_format: ImageFormat) -> None:
    """What hides no loss gets a higher quality than what hides it, and a higher target asks for more."""
    noise = Image.fromarray(np.random.default_rng(0).normal(128, 30, (400, 400, 3)).clip(0, 255).astype(np.uint8))
    choices = [
        QualityChooser(vips_image(picture), target=target, effort=0).quality_for(image_format)
        for picture, target in [(landscape(), 60), (landscape(), 75), (landscape(), 85)]
    ]
    of_noise = QualityChooser(vips_image(noise), target=75, effort=0).quality_for(image_format)
    assert choices == sorted(set(choices))
    assert of_noise != choices[1]


def test_few_encodes_and_none_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """At most two encodes of at most 160,000 pixels for each format, however often the quality is asked for."""
    encodes: Counter[ImageFormat] = Counter()

    def counted(image: Any, image_format: ImageFormat, **options: Any) -> bytes:
        encodes[image_format] += 1
        assert image.width * image.height <= 160_000
        return encode(image, image_format, **options)

    monkeypatch.setattr(quality, "encode", counted)
    for picture in (landscape().resize((1600, 1200)), landscape(640, 480), Image.new("RGB", (500, 500), "teal")):
        encodes.clear()
        chooser = QualityChooser(vips_image(picture), target=90, effort=0)
        assert {each: chooser.quality_for(each) for each in LOSSY} == {
            each: chooser.quality_for(each) for each in LOSSY
        }
        assert max(encodes.values()) <= 2


@pytest.mark.parametrize("size", [(1, 1), (16, 400), (95, 95), (96, 96), (97, 2000), (3000, 100)])
@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_every_kind_of_picture_gets_a_quality(mode: str, size: tuple[int, int]) -> None:
    """Grey, transparent, tiny and long pictures too; none gets one that nobody would choose."""
    picture = vips_image(photo(*size, mode=mode))
    chooser = QualityChooser(picture, target=75, effort=0)
    assert all(20 <= chooser.quality_for(each) <= 95 for each in LOSSY)


def test_formats_without_loss_have_no_quality() -> None:
    """PNG is not asked how good it should be."""
    with pytest.raises(ValueError, match="png"):
        QualityChooser(vips_image(photo(200, 150)), target=75, effort=0).quality_for(ImageFormat.PNG)
