"""The archives of official data that the tasks read: where they are and how to know them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Archive:
    """An archive at its publisher's.

    name: its file name in the data folder. size: bytes, exact where there is a checksum.
    md5: hexadecimal, None where no checksum is published. unpacked: the most bytes that unpacking
    may write.
    """

    name: str
    url: str
    size: int
    md5: str | None
    unpacked: int

    @property
    def sizes(self) -> range:
        """The sizes in bytes that the file may have: without a checksum, an eighth about `size`."""
        slack = 0 if self.md5 else self.size // 8
        return range(self.size - slack, self.size + slack + 1)

    @property
    def size_text(self) -> str:
        return f"{'' if self.md5 else 'about '}{self.size:,} bytes"

    @property
    def description(self) -> str:
        """One line: what, from where, how large, and its checksum."""
        checksum = f"md5 {self.md5}" if self.md5 else "no checksum is published"
        return f"{self.name} from {self.url}, {self.size_text}, {checksum}"


# Maas et al. (2011). The publisher names no checksum: this is the one that data sets' libraries
# (torchtext, PaddleNLP) pin.
ACL_IMDB = Archive(
    name="aclImdb_v1.tar.gz",
    url="https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz",
    size=84_125_825,
    md5="7c2ac02c03563afcf9b574c7e56c153a",
    unpacked=400_000_000,
)
# Krizhevsky (2009).
CIFAR_10 = Archive(
    name="cifar-10-python.tar.gz",
    url="https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
    size=170_498_071,
    md5="c58f30108f718f92721af3b95e74349a",
    unpacked=200_000_000,
)
# Tay et al. (2021): a tar.gz in spite of its name. Those who fetched it report 7.7 to 8.2 GB, and
# 18.6 GB unpacked.
LRA_RELEASE = Archive(
    name="lra_release.gz",
    url="https://storage.googleapis.com/long-range-arena/lra_release.gz",
    size=8_000_000_000,
    md5=None,
    unpacked=25_000_000_000,
)
