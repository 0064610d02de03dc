"""Sound files: read and written in blocks, mixed down, resampled."""
from deepconvsep.audio.reader import (
    BITS,
    BLOCK,
    DOWNMIX,
    FULL,
    Reader,
    Writer,
    circular_shift,
    downmix,
    read,
    resample_blocks,
    write,
)

__all__ = ['BITS', 'BLOCK', 'DOWNMIX', 'FULL', 'Reader', 'Writer', 'circular_shift', 'downmix', 'read',
           'resample_blocks', 'write']
