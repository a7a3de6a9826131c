"""Common corruptions of grey images: Hendrycks and Dietterich (2019), arXiv 1903.12261, as the
package imagecorruptions-imaug computes them, with its five severities, which are those of images of
ImageNet's size: on 32 × 32 pixels they are harsher than those of CIFAR-10-C, and figures are not
comparable with that benchmark's.

A grey image goes through three equal channels, of which the first is kept: the noise of each
channel is independent, and has the stated strength in every one.
"""

PACKAGE = "imagecorruptions-imaug"
SEVERITIES = (1, 2, 3, 4, 5)
CORRUPTIONS = (
    *("gaussian_noise", "shot_noise", "impulse_noise"),
    *("defocus_blur", "glass_blur", "motion_blur", "zoom_blur"),
    *("fog", "brightness", "contrast"),
    *("pixelate", "jpeg_compression"),
)
EXTRA = "is one of the paper's extra corruptions, which are for validation"
LEFT_OUT = {  # of those that the package has, and why
    "snow": "draws flakes for large photographs, which cover most of 32 × 32 pixels",
    "frost": "lays parts of colour photographs of frost, far larger than the image, over it",
    "elastic_transform": "smooths its displacements over 1 % of a side, less than a pixel of 32: "
    "it scatters pixels instead of bending the image",
    "speckle_noise": EXTRA,
    "gaussian_blur": EXTRA,
    "spatter": f"{EXTRA}, and splashes in colour",
    "saturate": f"{EXTRA}, and changes colour alone",
}
