"""Bytes at equal SSIMULACRA2 against sharp's defaults and fixed quality 80, and how near quality auto comes.

    .venv/bin/python -m benchmarks.quality [picture ...] [--widths 1280 640] [--target 75]

The judge (PyPI `ssimulacra2`) is installed into build/bench-venv at the first run; it takes two seconds per megapixel
and file. Pictures are drawn when none are named.
"""

from __future__ import annotations

import argparse
import io
import json
import statistics
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy
import pyvips
from PIL import Image

from app.images.formats import ImageFormat
from app.services.decoder.codecs import encode
from app.services.decoder.flatness import is_flat
from app.services.decoder.quality import QualityChooser
from benchmarks.drawn_screens import draw_screenshot, draw_text
from benchmarks.installation import install_python
from benchmarks.judging import JudgeProcess
from benchmarks.photos import SCENES, find_or_draw

PROBE_SIDE = 640
DRAWN_PHOTOS = SCENES[:2]
# Qualities at which ours are judged; between them bytes are interpolated by score.
OUR_QUALITIES = {ImageFormat.JPEG: (50, 65, 78, 88, 94, 98), ImageFormat.AVIF: (35, 50, 62, 74, 86, 95)}
Step = Any


@dataclass(frozen=True, slots=True)
class Reference:
    """An encoder as it is usually called, and the format of ours that takes its place in a page."""

    name: str
    encode: Callable[[Step], bytes]
    ours: ImageFormat


def pillow_jpeg(step: Step) -> bytes:
    target = io.BytesIO()
    Image.fromarray(step.numpy()).save(target, "JPEG", quality=80)
    return target.getvalue()


# sharp 0.35 calls libvips with these options when asked for nothing but the format; 4:4:4 is its default for AVIF.
REFERENCES = (
    Reference(
        "sharp JPEG, quality 80", lambda s: s.jpegsave_buffer(Q=80, optimize_coding=True, keep="none"), ImageFormat.JPEG
    ),
    Reference("sharp WebP, quality 80", lambda s: s.webpsave_buffer(Q=80, effort=4, keep="none"), ImageFormat.AVIF),
    Reference(
        "sharp AVIF, quality 50",
        lambda s: s.heifsave_buffer(Q=50, effort=4, compression="av1", subsample_mode="off", keep="none"),
        ImageFormat.AVIF,
    ),
    Reference("Pillow JPEG, quality 80", pillow_jpeg, ImageFormat.JPEG),
)


class Judge(JudgeProcess):
    """SSIMULACRA2 of the encodings of one step."""

    def __init__(self) -> None:
        super().__init__("step_judge.py")
        self._folder = tempfile.TemporaryDirectory()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        self._folder.cleanup()

    def scores(self, step: Step, bodies: Sequence[bytes]) -> list[float]:
        """The score of each encoding of a step."""
        assert self._process.stdin
        assert self._process.stdout
        folder = Path(self._folder.name)
        reference = folder / "reference.png"
        step.pngsave(str(reference), compression=1)
        files = [folder / str(at) for at in range(len(bodies))]
        for file, body in zip(files, bodies, strict=True):
            file.write_bytes(body)
        request = {"reference": str(reference), "files": [str(file) for file in files]}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer: list[float] = json.loads(self._process.stdout.readline())
        return answer


def cascade(image: Step, widths: Sequence[int]) -> list[Step]:
    """The picture in these widths, widest first, none wider than itself."""
    steps: list[Step] = []
    for width in sorted({min(width, image.width) for width in widths}, reverse=True):
        image = image.thumbnail_image(width, height=max(1, round(image.height * width / image.width)), size="force")
        image = image.copy_memory()
        steps.append(image)
    return steps


def open_picture(path: Path) -> Step:
    image = pyvips.Image.new_from_file(str(path)).autorot()
    if image.get_typeof("icc-profile-data"):
        image = image.icc_transform("srgb")
    return (image.flatten() if image.hasalpha() else image).colourspace("srgb").cast("uchar").copy_memory()


def drawn_pictures() -> dict[str, Step]:
    photos = {scene.name: open_picture(find_or_draw(scene)) for scene in DRAWN_PHOTOS}
    thumbnail = Image.fromarray(cascade(next(iter(photos.values())), [600])[0].numpy())
    screens = {"drawn_screenshot": draw_screenshot(photo=thumbnail), "drawn_text": draw_text()}
    return photos | {name: pyvips.Image.new_from_array(numpy.asarray(each)) for name, each in screens.items()}


def compare_bytes(judge: Judge, name: str, step: Step) -> dict[str, float]:
    """Prints, and gives by reference, our bytes over those of the reference at the score of the reference."""
    curves = {each: our_curve(judge, step, each) for each in OUR_QUALITIES}
    bodies = [reference.encode(step) for reference in REFERENCES]
    ratios = {}
    for reference, body, score in zip(REFERENCES, bodies, judge.scores(step, bodies), strict=True):
        ours = bytes_at(curves[reference.ours], score, step, reference.ours)
        ratios[reference.name] = ours / len(body)
        print(
            f"{name:<26}{step.width:>6}  {reference.name:<24}{len(body):>9,}  {score:5.1f}"
            f"  {reference.ours.name:<5}{ours:>11,.0f}{ours / len(body):8.2f}"
        )
    return ratios


def our_curve(judge: Judge, step: Step, image_format: ImageFormat) -> list[tuple[float, float]]:
    """Score and logarithm of the bytes at each of the qualities."""
    bodies = [encode(step, image_format, quality=each, effort=0) for each in OUR_QUALITIES[image_format]]
    scores = judge.scores(step, bodies)
    return sorted((score, float(numpy.log(len(body)))) for score, body in zip(scores, bodies, strict=True))


def bytes_at(curve: list[tuple[float, float]], score: float, step: Step, image_format: ImageFormat) -> float:
    """Ours at a score; drawings become PNGs instead of JPEGs where that is shorter, as in the engine."""
    scores, logarithms = numpy.array(curve).T
    lossy = float(numpy.exp(numpy.interp(score, scores, logarithms)))
    if image_format is ImageFormat.JPEG and is_flat(step):
        return min(lossy, float(len(encode(step, ImageFormat.PNG, quality=None, effort=0))))
    return lossy


def judge_auto(judge: Judge, name: str, steps: Sequence[Step], target: float) -> dict[str, list[float]]:
    """Prints what quality auto chose and scored in each width; the scores by format."""
    probe = steps[0].thumbnail_image(PROBE_SIDE, height=PROBE_SIDE).copy_memory()
    chooser = QualityChooser(probe, target=target, effort=0)
    scores = {}
    for image_format in (ImageFormat.JPEG, ImageFormat.WEBP, ImageFormat.AVIF):
        quality = chooser.quality_for(image_format)
        found = [judge.scores(step, [encode(step, image_format, quality=quality, effort=0)])[0] for step in steps]
        scores[image_format.value] = found
        by_width = "  ".join(f"{step.width}: {score:4.1f}" for step, score in zip(steps, found, strict=True))
        print(f"{name:<26}{image_format.value:<6}quality {quality:>3}   {by_width}")
    return scores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", nargs="*", type=Path)
    parser.add_argument("--widths", nargs="+", type=int, default=[1280, 640])
    parser.add_argument("--target", type=float, default=75.0)
    arguments = parser.parse_args()
    install_python()
    pictures = {path.stem[-24:]: open_picture(path) for path in arguments.pictures} or drawn_pictures()
    with Judge() as judge:
        print("picture                    width  reference                   bytes  score  ours       bytes   ratio")
        ratios = [
            compare_bytes(judge, name, step)
            for name, image in pictures.items()
            for step in cascade(image, arguments.widths)
        ]
        for reference in REFERENCES:
            mean = statistics.geometric_mean(each[reference.name] for each in ratios)
            print(f"ours over {reference.name:<24} at equal score, geometric mean: {mean:.2f}")
        print(f"\nquality auto, target {arguments.target:g}")
        found = [
            judge_auto(judge, name, cascade(image, arguments.widths), arguments.target)
            for name, image in pictures.items()
        ]
        for image_format in found[0]:
            scores = [score for each in found for score in each[image_format]]
            low, middle, high = numpy.percentile(scores, (10, 50, 90))
            print(f"{image_format:<6} median {middle:.1f}, p10 {low:.1f}, p90 {high:.1f}")


if __name__ == "__main__":
    main()
