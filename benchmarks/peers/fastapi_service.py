"""An upload service as usually written in Python: FastAPI, Pillow and boto3; run by uvicorn with two workers."""

from __future__ import annotations

import io
import os
import uuid

import boto3
from fastapi import FastAPI, UploadFile
from PIL import Image, ImageOps

WIDTHS = (320, 640, 1280, 1920)
PRESETS = {"thumb": (320, 320), "card": (640, 480), "cover": (1600, 900)}
FORMATS = {"jpg": ("JPEG", "image/jpeg"), "webp": ("WEBP", "image/webp")}
BUCKET = os.environ["S3_BUCKET_NAME"]

app = FastAPI()
s3 = boto3.client("s3", endpoint_url=os.environ["S3_ENDPOINT_URL"], region_name=os.environ["AWS_REGION"])


@app.get("/ready")
def ready() -> dict[str, bool]:
    return {"ready": True}


@app.post("/upload")
def upload(file: UploadFile) -> dict[str, int]:
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(file.file.read()))).convert("RGB")
    folder = f"peers/python/{uuid.uuid4()}"
    original = image.copy()
    original.thumbnail((2560, 2560))
    sizes = [store(original, f"{folder}/original", "jpg")]
    for width in WIDTHS:
        resized = image.resize((width, round(image.height * width / image.width)), Image.Resampling.LANCZOS)
        sizes += [store(resized, f"{folder}/{width}", extension) for extension in FORMATS]
    for name, box in PRESETS.items():
        cropped = ImageOps.fit(image, box, Image.Resampling.LANCZOS)
        sizes += [store(cropped, f"{folder}/{name}", extension) for extension in FORMATS]
    return {"objects": len(sizes), "bytes": sum(sizes)}


def store(image: Image.Image, name: str, extension: str) -> int:
    image_format, content_type = FORMATS[extension]
    target = io.BytesIO()
    image.save(target, image_format, quality=80)
    s3.put_object(Bucket=BUCKET, Key=f"{name}.{extension}", Body=target.getvalue(), ContentType=content_type)
    return target.tell()
