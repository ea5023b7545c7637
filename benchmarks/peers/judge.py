"""Scores files against an independent rendering of the same photo with SSIMULACRA2; run by the benchmarks' own Python.

A request per line on standard input: `{"photo": path, "files": [paths]}`; the answer: a score per file. The reference
is the whole photo decoded by Pillow, upright, in sRGB, resized by Lanczos to the file's own size without any cascade.
"""

from __future__ import annotations

import io
import json
import sys
import tempfile
from functools import lru_cache
from pathlib import Path

from PIL import Image, ImageCms, ImageOps
from ssimulacra2 import compute_ssimulacra2  # type: ignore[import-not-found]

Size = tuple[int, int]


@lru_cache(maxsize=1)
def decode(photo: str) -> Image.Image:
    image = Image.open(photo)
    profile = image.info.get("icc_profile")
    upright = ImageOps.exif_transpose(image).convert("RGB")
    if profile:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        ImageCms.profileToProfile(upright, source, ImageCms.createProfile("sRGB"), inPlace=True)
    return upright


class References:
    """The references already drawn, as files of a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._drawn: dict[tuple[str, Size], Path] = {}

    def find(self, photo: str, size: Size) -> Path:
        wanted = (photo, size)
        if wanted not in self._drawn:
            path = self._folder / f"{len(self._drawn)}.png"
            decode(photo).resize(size, Image.Resampling.LANCZOS).save(path, compress_level=1)
            self._drawn[wanted] = path
        return self._drawn[wanted]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        references = References(Path(folder))
        for line in sys.stdin:
            request = json.loads(line)
            scores = {}
            for file in request["files"]:
                with Image.open(file) as image:
                    size = image.size
                scores[file] = float(compute_ssimulacra2(str(references.find(request["photo"], size)), file))
            print(json.dumps(scores), flush=True)


if __name__ == "__main__":
    main()
