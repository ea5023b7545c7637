"""Photo-like JPEGs that the benchmarks draw for themselves, because real photos are not in the repository.

Octaves of noise that fall off as 1/f give textures, ellipses and polygons give edges, a fine grain the camera's noise:
together they compress to about as many bytes per pixel as phone photos do. Drawn once, then kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy
from PIL import Image, ImageDraw

PHOTOS_FOLDER = Path(__file__).parents[1] / "build" / "bench-photos"
_DRAWING_VERSION = 2
_FALL_PER_OCTAVE = 1.2
_GRAIN = 2.5


@dataclass(frozen=True, slots=True)
class Scene:
    """What is drawn: its size in pixels and the seed of all that is random in it."""

    name: str
    width: int
    height: int
    seed: int


SCENES = (
    Scene("drawn_8mp", 3264, 2448, 1),
    Scene("drawn_12mp", 4032, 3024, 2),
    Scene("drawn_24mp_portrait", 4000, 6000, 3),
    Scene("drawn_48mp", 8064, 6048, 4),
)
SMALL_SCENE = Scene("drawn_small", 640, 480, 5)


def find_or_draw(scene: Scene, *, folder: Path = PHOTOS_FOLDER) -> Path:
    """The file of a scene: a baseline JPEG of quality 95 with 4:2:0 colour, as cameras write them."""
    path = folder / f"{scene.name}-v{_DRAWING_VERSION}.jpg"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".part")
        draw(scene).save(unfinished, "JPEG", quality=95, subsampling="4:2:0")
        unfinished.rename(path)
    return path


def draw(scene: Scene) -> Image.Image:
    """The scene's pixels, RGB."""
    random = numpy.random.default_rng(scene.seed)
    size = (scene.width, scene.height)
    texture = _texture(size, random)
    canvas = _landscape(size, random)
    shading = Image.fromarray((texture * 0.9 + 128).clip(0, 255).astype(numpy.uint8))
    picture = numpy.asarray(canvas, dtype=numpy.float32)
    picture *= 0.55 + numpy.asarray(shading, dtype=numpy.float32)[..., None] / 284
    grain = random.normal(0, _GRAIN, picture.shape[:2])
    picture += grain.astype(numpy.float32)[..., None]
    return Image.fromarray(picture.clip(0, 255).astype(numpy.uint8))


def _texture(size: tuple[int, int], random: numpy.random.Generator) -> numpy.typing.NDArray[numpy.float32]:
    """Noise that halves its wavelength octave by octave; rough below the horizon, smooth in the sky."""
    width, height = size
    total = numpy.zeros((height, width), dtype=numpy.float32)
    across, strength = 6, 42.0
    while across < width:
        grid = Image.fromarray(random.normal(0, 1, (max(2, across * height // width), across)).astype(numpy.float32))
        total += numpy.asarray(grid.resize(size, Image.Resampling.BICUBIC)) * strength
        across, strength = across * 2, strength / _FALL_PER_OCTAVE
    roughness = numpy.linspace(0.2, 1.3, height, dtype=numpy.float32)[:, None]
    return total * roughness


def _landscape(size: tuple[int, int], random: numpy.random.Generator) -> Image.Image:
    """A sky over hills, with houses: large areas of one colour behind sharp edges."""
    width, height = size
    down = numpy.linspace(0, 1, height)[:, None, None]
    sky = (1 - down) * numpy.array([86, 134, 196]) + down * numpy.array([238, 214, 180])
    image = Image.fromarray(numpy.broadcast_to(sky, (height, width, 3)).astype(numpy.uint8))
    pen = ImageDraw.Draw(image)
    for row in range(5):
        base = int(height * (0.42 + 0.12 * row))
        ridge = [(int(width * step / 12), base - int(random.random() * height * 0.16)) for step in range(13)]
        colour = tuple(int(value) for value in random.integers(60, 110, 3))
        pen.polygon([(0, height), *ridge, (width, height)], fill=colour)
    for _ in range(14):
        left, top = int(random.random() * width), int(height * (0.4 + 0.5 * random.random()))
        side = int(width * (0.02 + 0.07 * random.random()))
        wall = tuple(int(value) for value in random.integers(150, 220, 3))
        pen.rectangle((left, top, left + side, top + side), fill=wall, outline=(40, 34, 30), width=max(1, side // 40))
        pen.polygon(
            [(left - side // 6, top), (left + side // 2, top - side // 2), (left + side * 7 // 6, top)],
            fill=(120, 50, 40),
        )
        for window in range(3):
            corner = (left + side * (2 + 3 * window) // 12, top + side // 3)
            pen.rectangle((*corner, corner[0] + side // 7, corner[1] + side // 4), fill=(250, 236, 170))
    return image
