"""Let the C library keep the memory of layers instead of giving it back after each of them.

By default glibc returns the top of its heap again and again, so each layer of a network pays for page faults anew: half
a million for one image of LiteMedSAM on a CPU, which is half of its time. Blocks beyond 32 MB are still mapped by
themselves: kept on the heap they would tear holes into it, and a worker would grow without end.
"""

import ctypes
from functools import lru_cache

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of malloc.h


@lru_cache(maxsize=1)
def keep_large_blocks() -> bool:
    """Set once for the process; False where the C library has no ``mallopt`` (musl, macOS)."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:
        return False
    settings = ((M_MMAP_THRESHOLD, 32 * 2**20), (M_TRIM_THRESHOLD, 2**30))
    answers = [bool(mallopt(ctypes.c_int(name), ctypes.c_int(value))) for name, value in settings]
    return all(answers)
