"""Renditions look as they did when somebody last looked at them."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from tests.goldens.cases import cases, rendition_of
from tests.goldens.regenerate import COMMAND, FOLDER

# Of 255: other versions of the codecs differ by less, a shifted crop or another colour conversion by more.
MOST_MEAN_DIFFERENCE = 2.0
MOST_DIFFERENCE_OF_A_BLOCK = 12.0
BLOCK = 8


@pytest.mark.parametrize("name", cases())
def test_it_looks_as_it_did(name: str) -> None:
    """A rendition shows what its golden shows, in the same size and colours, give or take what nobody sees."""
    golden, now = Image.open(FOLDER / f"{name}.png"), rendition_of(cases()[name])
    advice = f"{name} looks different. If that is meant: {COMMAND}, and look at the pictures."
    assert (now.size, "A" in now.mode) == (golden.size, "A" in golden.mode), advice
    mode = "RGBA" if "A" in golden.mode else "RGB"
    difference = np.abs(_pixels(now, mode) - _pixels(golden, mode))
    assert difference.mean() <= MOST_MEAN_DIFFERENCE, advice
    height, width = (side - side % BLOCK for side in difference.shape[:2])
    blocks = difference[:height, :width].reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK, -1).mean(axis=(1, 3, 4))
    assert blocks.max() <= MOST_DIFFERENCE_OF_A_BLOCK, advice


def test_every_golden_is_of_a_case() -> None:
    """No golden is left of a case that is gone."""
    assert {path.stem for path in FOLDER.glob("*.png")} == set(cases())


def _pixels(picture: Image.Image, mode: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """What shows: colours count as much as they are opaque."""
    pixels = np.asarray(picture.convert(mode), dtype=np.float64)
    if mode == "RGBA":
        pixels[:, :, :3] *= pixels[:, :, 3:] / 255
    return pixels
