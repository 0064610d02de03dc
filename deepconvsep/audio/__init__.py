"""Sound files: read and written in blocks, mixed down, resampled."""
from deepconvsep.audio.convert import DOWNMIX, downmix, resample_blocks
from deepconvsep.audio.reader import BITS, BLOCK, Reader, read
from deepconvsep.audio.writer import FULL, Writer, write

__all__ = ['BITS', 'BLOCK', 'DOWNMIX', 'FULL', 'Reader', 'Writer', 'downmix', 'read',
           'resample_blocks', 'write']
