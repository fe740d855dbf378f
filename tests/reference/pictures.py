"""Picture files in the forms that cameras and programs write, and their 64x64 pictures by Pillow.

The support of Pillow's bilinear filter grows with the reduction, as in torchvision with `antialias`.
"""

import json

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFilter, ImageOps
from torchvision.transforms import v2

SIDE = 64


def scene(width, height, seed, noise=12):
    """Makes a picture with gradients, edges, thin lines and some noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width] / max(width, height)
    waves = [120 + 90 * np.sin(6 * x + 4 * y * (c + 1) + seed) for c in range(3)]
    image = Image.fromarray(np.stack(waves, -1).clip(0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    for _ in range(8):
        x0, y0 = rng.integers(0, width), rng.integers(0, height)
        size = int(rng.integers(4, max(5, min(width, height) // 2)))
        colour = tuple(int(c) for c in rng.integers(0, 256, 3))
        shape = draw.ellipse if rng.random() < 0.5 else draw.rectangle
        shape((x0, y0, x0 + size, y0 + size), fill=colour)
        draw.line((0, y0, width, x0), fill=colour[::-1], width=2)
    grain = rng.normal(0, noise, (height, width, 3))
    return Image.fromarray((np.asarray(image) + grain).clip(0, 255).astype(np.uint8))


def numpy_rgb(image):
    return np.asarray(image.convert("RGB")).copy()


def centre_square(image):
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return image.crop((left, top, left + side, top + side))


def expected(image):
    """Prepares a picture: upright, on white, centre square, 64x64, RGB."""
    image = ImageOps.exif_transpose(image)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return centre_square(image.convert("RGB")).resize((SIDE, SIDE), Image.Resampling.BILINEAR)


def check_with_torchvision(image, reference):
    """Checks that torchvision agrees with Pillow, since the project's pictures come from both."""
    chw = torch.from_numpy(numpy_rgb(centre_square(image))).permute(2, 0, 1)
    resized = v2.functional.resize(chw, [SIDE, SIDE], antialias=True).permute(1, 2, 0).numpy()
    difference = np.abs(resized.astype(int) - np.asarray(reference, dtype=int)).max()
    print(f"{image.size}: torchvision and Pillow differ by at most {difference}")
    assert difference <= 1


def write(folder):
    """Writes the files, the expected picture of each (`NAME.64.png`) and `cases.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    cases = []

    def case(file, image, what, lossy=False, check=False, **options):
        image.save(folder / file, **options)
        with Image.open(folder / file) as reread:
            reference = expected(reread)
        if check:
            check_with_torchvision(image, reference)
        reference.save(folder / f"{file}.64.png", optimize=True)
        cases.append({"file": file, "what": what, "lossy": lossy})

    case("down.png", scene(150, 107, 1), "scaled down, lying", check=True, optimize=True)
    case("tall.png", scene(90, 131, 2), "scaled down, standing", check=True, optimize=True)
    case("odd.png", scene(65, 65, 3), "scaled down by a hair", check=True, optimize=True)
    case("up.png", scene(40, 31, 4), "scaled up", check=True, optimize=True)
    case("same.png", scene(64, 64, 5), "64x64: unchanged", check=True, optimize=True)
    case("far.jpg", scene(700, 460, 6, noise=2), "scaled down sevenfold", lossy=True, quality=80)
    case("progressive.jpg", scene(160, 120, 7, noise=2), "progressive", lossy=True, quality=85, progressive=True)
    case("grey.jpg", scene(150, 100, 8, noise=2).convert("L"), "grayscale", lossy=True, quality=85)
    case("lossy.webp", scene(150, 100, 9, noise=2), "lossy WebP", lossy=True, quality=85)
    case("lossless.webp", scene(80, 70, 10), "lossless WebP", lossless=True)

    lying = scene(160, 100, 11, noise=2)
    for orientation in (3, 6, 8):
        exif = Image.Exif()
        exif[0x0112] = orientation
        what = f"EXIF orientation {orientation}"
        case(f"orientation_{orientation}.jpg", lying, what, lossy=True, quality=85, exif=exif)

    transparent = scene(96, 80, 12).convert("RGBA")
    ramp = Image.linear_gradient("L").resize(transparent.size)
    transparent.putalpha(ramp.filter(ImageFilter.GaussianBlur(2)))
    case("transparent.png", transparent, "an alpha ramp", optimize=True)
    case("palette.png", scene(90, 72, 13).quantize(48), "palette", optimize=True)
    case("animated.gif", scene(90, 72, 14).quantize(32), "GIF, first of two frames",
         save_all=True, append_images=[scene(90, 72, 15).quantize(32)])
    case("bitmap.bmp", scene(72, 70, 16), "BMP")

    (folder / "cases.json").write_text(json.dumps(cases, indent=1) + "\n")
