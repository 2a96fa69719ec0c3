"""Let the C library keep the memory of large tensors instead of giving it back after each layer.

glibc maps every block beyond 32 MB afresh and unmaps it when it is freed, so each layer of a network pays for page
faults again: on a CPU that took half of LiteMedSAM's time (540,000 faults for one image, 5,000 with these settings).
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
