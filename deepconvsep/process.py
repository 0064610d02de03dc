"""What makes a process quick, of programs and of their workers, and how many of those there may be."""
import atexit
import ctypes
import gc
import math
import os

#: How much of the processor the container may use, in microseconds per so many: "150000 100000", or "max 100000".
_QUOTA = '/sys/fs/cgroup/cpu.max'


def keep_memory():
    """Use freed memory again, where glibc would give up to 64 MB back to the system and ask for it anew, and cleared.

    What the user has set stays, and other C libraries are left alone.
    """
    if os.environ.keys() & {'MALLOC_MMAP_THRESHOLD_', 'MALLOC_TRIM_THRESHOLD_', 'GLIBC_TUNABLES'}:
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    trim_threshold, mmap_threshold = -1, -3   # M_* of malloc.h
    if mallopt(mmap_threshold, 1 << 26) or mallopt(mmap_threshold, 1 << 25):   # the most of an older glibc
        mallopt(trim_threshold, 1 << 26)


def end_quickly():
    """Let the interpreter end without a search for circles among all objects: Theano's take it a tenth of a second.

    Exit handlers run as ever; what is left is not taken apart.
    """
    atexit.register(gc.freeze)


def cores():
    """How many cores this process may use: those of its affinity, as few as the quota of its container is worth."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1
    try:
        with open(_QUOTA) as source:
            quota, period = map(int, source.read().split())
    except (OSError, ValueError):   # another system, or no quota
        return count
    return max(1, min(count, math.ceil(quota / period)))


def spare_cores():
    """How many processes work where one core is left to everything else: at least one."""
    return max(1, cores() - 1)
