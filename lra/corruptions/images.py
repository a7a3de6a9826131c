"""One image, or a split of them, corrupted."""

import importlib.metadata
from dataclasses import dataclass

import numpy as np

from attention_zoo import UsageError
from lra.corruptions import PACKAGE
from lra.data.store import Split
from lra.seeds import derive

LIBRARY = (PACKAGE, "numba", "numpy", "opencv-python", "pillow", "scikit-image", "scipy")
OLD = "imagecorruptions"
SMALLEST = 32  # pixels a side, of what the package takes
OWN_SEED = ("glass_blur", "impulse_noise")  # the others draw from numpy's global generator


def library() -> dict[str, str]:
    """The versions of what computes a corruption. Raises UsageError where the package is missing,
    and where the older one of the same module name is installed, which numpy 2 breaks."""
    try:
        import imagecorruptions  # noqa: F401

        versions = {name: importlib.metadata.version(name) for name in LIBRARY}
    except (ImportError, OSError) as error:  # OSError: of a library of OpenCV's that is missing
        raise UsageError(
            f"--corruption needs the package {PACKAGE}: pip install -e '.[corruptions]' ({error})"
        ) from error
    try:
        old = importlib.metadata.version(OLD)
    except importlib.metadata.PackageNotFoundError:
        return versions
    raise UsageError(
        f"--corruption: {OLD} {old} is installed, too, in the place of {PACKAGE}: pip uninstall "
        f"{OLD} {PACKAGE}, then pip install -e '.[corruptions]'"
    )


def corrupted(image: np.ndarray, corruption: str, severity: int, seed: int) -> np.ndarray:
    """Args:
        image: (S, S) uint8 grey levels, S at least 32
        corruption: one of lra.corruptions.CORRUPTIONS
        severity: 1 to 5
        seed: 0 to 2³² − 1, which decides all that is drawn

    Returns:
        (S, S) uint8
    """
    from imagecorruptions import corrupt

    state = np.random.get_state()
    np.random.seed(seed)
    given = {"seed": seed} if corruption in OWN_SEED else {}
    try:
        return corrupt(image, severity, corruption, **given)[..., 0]
    finally:
        np.random.set_state(state)


@dataclass(frozen=True)
class CorruptedSplit(Split):
    """A split of square grey images, each corrupted when it is read, in the same way every time:
    the seed is a function of corruption, severity and the example's number."""

    corruption: str
    severity: int

    def __getitem__(self, i: int) -> tuple[list[np.ndarray], int]:
        (pixels,), label = super().__getitem__(i)
        side = side_of(len(pixels))
        seed = derive(0, "corruption", self.corruption, self.severity, i) % 2**32
        image = pixels.reshape(side, side)
        return [corrupted(image, self.corruption, self.severity, seed).ravel()], label

    @classmethod
    def of(cls, split: Split, corruption: str, severity: int) -> "CorruptedSplit":
        return cls(**vars(split), corruption=corruption, severity=severity)


def side_of(length: int) -> int:
    """Of a square image of so many pixels; UsageError where there is none that is corrupted."""
    side = round(length**0.5)
    if side * side != length or side < SMALLEST:
        raise UsageError(
            f"--corruption needs square images of {SMALLEST} × {SMALLEST} pixels or more, not "
            f"sequences of {length:,}"
        )
    return side
