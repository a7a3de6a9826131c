"""What a process on the CPU does with memory that torch has no use for."""

import ctypes
import os
import sys

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # glibc's malloc.h


KERNELS = 16  # of oneDNN, by shape


def keep_few_kernels() -> None:
    """Bounds how many kernels oneDNN keeps, each for one shape of its operands and with some 16 MB
    to work in: by default 1,024. Packed batches have another shape each, and ListOps took 8 GB
    where it needs 1.5; with these few a step takes as long. Has to be called before torch computes
    anything; what the environment says already stays."""
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", str(KERNELS))


def keep_freed_memory() -> None:
    """Tells glibc to keep what is freed for the next allocation, as CUDA's caching allocator does.

    By default it gives each large tensor back to the system, and the next one of that size costs
    a page fault every 4 KB: more time than the arithmetic of an elementwise step. Elsewhere than
    on Linux with glibc nothing is changed. The process keeps its peak until it ends.
    """
    if sys.platform == "linux":
        try:
            mallopt = ctypes.CDLL(None).mallopt
        except (AttributeError, OSError):
            return  # a C library without mallopt
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, -1)


def return_freed_memory() -> None:
    """Gives back to the system what `keep_freed_memory` kept, for other processes; the next steps
    fault their pages in again."""
    if sys.platform == "linux":
        try:
            ctypes.CDLL(None).malloc_trim(0)
        except (AttributeError, OSError):
            return
