"""Let the C library keep the memory of layers instead of giving it back after each of them.

By default glibc maps large blocks afresh and returns the top of its heap again and again, so each layer of a network
pays for page faults anew: half a million for one image of LiteMedSAM on a CPU, which is half of its time. With these
settings there are none after the first image, and the process stays at the memory of its largest layer (0.9 GB there).
"""

import ctypes
from functools import lru_cache

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4  # of malloc.h


@lru_cache(maxsize=1)
def keep_large_blocks() -> bool:
    """Set once for the process; False where the C library has no ``mallopt`` (musl, macOS)."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:
        return False
    settings = ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, 2**31 - 1), (M_TOP_PAD, 2**26))
    answers = [bool(mallopt(ctypes.c_int(name), ctypes.c_int(value))) for name, value in settings]
    return all(answers)
