"""What makes a process quick, of programs and of their workers."""
import atexit
import ctypes
import gc
import os


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
