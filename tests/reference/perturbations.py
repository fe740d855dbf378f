"""The paper's perturbations with fixed strengths, by torchvision."""

from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as F

BILINEAR = InterpolationMode.BILINEAR
CORNERS = [[0, 0], [63, 0], [63, 63], [0, 63]]


def run(image):
    """Applies each transform to `image`, `[3, 64, 64]` in [0, 1]; strengths as in `tests/parity/perturbations.rs`."""
    mirrored = F.affine(F.hflip(image), 0.0, [3, -5], 0.9, [12.0, 0.0], BILINEAR)
    return {
        "affine": F.affine(image, 20.0, [6, -4], 1.2, [10.0, -7.0], BILINEAR),
        "rotation": F.rotate(image, 17.0, BILINEAR),
        "perspective": F.perspective(image, CORNERS, [[5, 9], [60, 2], [50, 61], [11, 48]], BILINEAR),
        "horizontal_flip": F.hflip(image),
        "vertical_flip": F.vflip(image),
        "flip_then_affine": mirrored,
        "grayscale": F.rgb_to_grayscale(image, 3),
        "brightness": F.adjust_brightness(image, 1.3),
        "contrast": F.adjust_contrast(image, 0.6),
        "saturation": F.adjust_saturation(image, 1.7),
        "hue": F.adjust_hue(image, 0.15),
        "hue_negative": F.adjust_hue(image, -0.4),
        "jitter": F.adjust_hue(
            F.adjust_saturation(F.adjust_contrast(F.adjust_brightness(image, 0.8), 1.2), 0.7), 0.05
        ),
    }
