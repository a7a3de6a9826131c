"""Grey levels of colour images, as the pipeline that LRA reads CIFAR-10 with computes them."""

import numpy as np

WEIGHTS = np.array((0.2989, 0.5870, 0.1140), np.float32)  # of red, green and blue
CHUNK = 1_000  # images that are in float32 at once: 12 MB of CIFAR-10


def grey(rgb: np.ndarray) -> np.ndarray:
    """TensorFlow's rgb_to_grayscale: ⌊255.5 · (0.2989 red + 0.5870 green + 0.1140 blue) / 255⌋.

    rgb: (n, 3, P) uint8, red, green and blue planes of P pixels. Returns (n, P) uint8. Nothing
    saturates, and a colour of three equal levels keeps its level. Pillow's "L" rounds instead, and
    is a level higher for a quarter of all colours. The arithmetic is in float32, from colours in
    [0, 1], which gives 237 of the 2²⁴ colours a level more than exact arithmetic does.
    """
    levels = np.empty((rgb.shape[0], rgb.shape[2]), np.uint8)
    for i in range(0, len(rgb), CHUNK):
        colours = rgb[i : i + CHUNK].astype(np.float32) * np.float32(1 / 255)
        red, green, blue = np.moveaxis(colours, 1, 0)
        mixed = WEIGHTS[0] * red + WEIGHTS[1] * green + WEIGHTS[2] * blue
        levels[i : i + CHUNK] = mixed * np.float32(255.5)  # the cast truncates
    return levels
