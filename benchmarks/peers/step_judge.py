"""Scores encodings of pictures against their own pixels with SSIMULACRA2; run by the benchmarks' own Python.

A request per line on standard input: `{"reference": PNG, "files": [paths]}`; the answer: the scores in that order.
SSIMULACRA2 weighs the wrong scales where a side has fewer than 256 pixels: smaller pictures are mirrored up to that.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import numpy
from PIL import Image
from ssimulacra2 import compute_ssimulacra2  # type: ignore[import-not-found]

_LEAST_SIDE = 256


def enlarged(path: str, folder: Path) -> Path:
    """The picture as a PNG of enough pixels."""
    pixels = numpy.asarray(Image.open(path).convert("RGB"))
    missing = [(0, max(0, _LEAST_SIDE - side)) for side in pixels.shape[:2]]
    target = folder / f"{Path(path).name}.png"
    Image.fromarray(numpy.pad(pixels, [*missing, (0, 0)], mode="symmetric")).save(target, compress_level=0)
    return target


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for line in sys.stdin:
            request = json.loads(line)
            reference = str(enlarged(request["reference"], folder))
            scores = [compute_ssimulacra2(reference, str(enlarged(file, folder))) for file in request["files"]]
            print(json.dumps([float(score) for score in scores]), flush=True)


if __name__ == "__main__":
    main()
