"""The corruptions of Tiny-ImageNet-C that draw no random numbers, by numpy, scipy and Pillow.

Parameters: Hendrycks & Dietterich, ICLR 2019, `make_tinyimagenet_c.py` in github.com/hendrycks/robustness.
"""

import colorsys
import io

import numpy as np
import torch
from PIL import Image
from scipy import ndimage

import pictures

SIDE = 64
BOX = Image.Resampling.BOX


def brightness(image, amount):
    def brighten(rgb):
        hue, saturation, value = colorsys.rgb_to_hsv(*rgb)
        return colorsys.hsv_to_rgb(hue, saturation, min(value + amount, 1))

    return np.apply_along_axis(brighten, 2, np.asarray(image) / 255)


def contrast(image, kept):
    values = np.asarray(image) / 255
    mean = values.mean((0, 1))
    return mean + kept * (values - mean)


def pixelate(image, share):
    small = int(SIDE * share)
    return np.asarray(image.resize((small, small), BOX).resize((SIDE, SIDE), BOX)) / 255


def jpeg_compression(image, quality):
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file)) / 255


def defocus_blur(image, parameters):
    radius, softness = parameters
    y, x = np.mgrid[-8:9, -8:9]
    disk = (x**2 + y**2 <= radius**2).astype(float)
    bell = np.exp(-0.5 * (np.arange(-1, 2) / softness) ** 2)
    for axis in (0, 1):
        disk = ndimage.correlate1d(disk, bell, axis)
    # scipy's "mirror" is the same as OpenCV's BORDER_REFLECT_101, which is OpenCV's default.
    return ndimage.correlate(np.asarray(image) / 255, (disk / disk.sum())[..., None], mode="mirror")


def zoom_blur(image, stop):
    values = (np.asarray(image) / 255).astype(np.float32)
    factors = np.arange(1, stop, 0.01)
    return (values + sum(enlarged(values, factor) for factor in factors)) / (len(factors) + 1)


def enlarged(values, factor):
    """Enlarges the centre `factor` times and cuts it to the size of the picture."""
    cut = int(np.ceil(SIDE / factor))
    first = (SIDE - cut) // 2
    large = ndimage.zoom(values[first : first + cut, first : first + cut], (factor, factor, 1), order=1)
    trim = (len(large) - SIDE) // 2
    return large[trim : trim + SIDE, trim : trim + SIDE]


# Parameter of each corruption at severities 1 to 5.
CORRUPTIONS = {
    brightness: (0.1, 0.2, 0.3, 0.4, 0.5),
    contrast: (0.4, 0.3, 0.2, 0.1, 0.05),
    pixelate: (0.9, 0.8, 0.7, 0.6, 0.5),
    jpeg_compression: (65, 58, 50, 40, 25),
    defocus_blur: ((0.5, 0.6), (1, 0.1), (1.5, 0.1), (2.5, 0.01), (3, 0.1)),
    zoom_blur: (1.06, 1.11, 1.16, 1.21, 1.26),
}


def run():
    """Returns three pictures, bytes `[64, 64, 3]`, and every second row of a corrupted one for each corruption and severity."""
    images = [pictures.scene(SIDE, SIDE, 60 + i, noise) for i, noise in enumerate((0, 4, 12))]
    tensors = {f"picture_{i}": torch.from_numpy(np.asarray(image).copy()) for i, image in enumerate(images)}
    for corruption, parameters in CORRUPTIONS.items():
        for severity, parameter in enumerate(parameters, 1):
            values = corruption(images[severity % 3], parameter)
            # Truncated, not rounded, as in the benchmark. Every second row keeps the file small.
            levels = (np.clip(values, 0, 1) * 255).astype(np.uint8)[::2]
            tensors[f"{corruption.__name__}_{severity}"] = torch.from_numpy(levels.copy())
    return tensors
