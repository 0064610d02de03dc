"""Sound files, read in blocks.

Full scale is the original's: the largest positive sample of an integer format is 1.0 (a 16-bit sample is
divided by 32767), so that the most negative one is slightly below -1. Float files are taken as they are.
Other programs divide by 32768; `Reader.full_scale` is the factor between the two, and a `Writer` that is given
it writes every sample of the file, in any wider format, as exactly what it was.
"""
import logging
import re

import numpy as np
import soundfile

from deepconvsep import files
from deepconvsep.errors import InputError

logger = logging.getLogger(__name__)

BLOCK = 1 << 16

# bits of the integer formats; everything else is read and written as float
BITS = {'PCM_S8': 8, 'PCM_U8': 8, 'PCM_16': 16, 'PCM_24': 24, 'PCM_32': 32}


class Reader:
    """A sound file, read in blocks. Any format of libsndfile: WAV, FLAC, OGG, MP3, AIFF and more.

    Parameters
    ----------
    path : str

    Attributes
    ----------
    rate : int
        Sample rate in Hz.
    channels : int
    frames : int
        Samples per channel, as the header says; of an MP3 file without one, an estimate.
    subtype : str
        Sample format, such as 'PCM_16', by libsndfile's name.
    full_scale : float
        Times this, the samples are what other programs read: the most negative one is -1. For a `Writer`.
    cut_off : bool
        The file is shorter than its header says. Some formats show it only when they have been read.

    Raises
    ------
    InputError
        When the file is missing, not a sound file, or damaged.
    """

    def __init__(self, path):
        self.path = path
        try:
            # opened by Python, for its error messages and for any character in the name
            self._raw = _Source(files.open_regular(path))
        except OSError as error:
            raise InputError('cannot read %s: %s' % (path, error.strerror)) from error
        try:
            self._file = soundfile.SoundFile(self._raw)
        except (soundfile.LibsndfileError, TypeError) as error:
            self._raw.close()
            self._check_source()
            reason = getattr(error, 'error_string', 'unknown format')
            raise InputError('%s is not a sound file that can be read (%s): %s'
                             % (path, reason.strip().rstrip('.'),
                                files.damage(path, 'expected WAV, FLAC, OGG, MP3 or AIFF'))) from error
        self._check_source()
        self.rate, self.channels = self._file.samplerate, self._file.channels
        self.frames = self._file.frames
        self.subtype = self._file.subtype
        self._place = 0   # frames that were read or passed over
        self._spare = 0   # frames that may be missing
        if self._file.format == 'MP3':
            # soundfile seeks after each read of what it can seek in, after which the decoder lacks what earlier
            # frames keep for later ones; and where there is no header, the number of frames is an estimate
            self._file.seekable = lambda: False
            self._spare = max(8 * 1152, self.frames // 100)
        self.cut_off = _is_cut_off(self._file.extra_info)
        self._bits = BITS.get(self.subtype)
        self.full_scale = 1 - 2. ** (1 - self._bits) if self._bits else 1.

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Close the file."""
        self._file.close()
        self._raw.close()

    def seek(self, frame):
        """Go on reading at sample `frame`, or at the end when the file is shorter."""
        try:
            self._place = self._file.seek(min(frame, self.frames))
        finally:
            self._check_source()

    def blocks(self, size=BLOCK):
        """Yield the samples as float64 arrays of shape (up to `size`, channels).

        Raises
        ------
        InputError
            When the file cannot be read, is damaged, or holds NaN or infinity.
        """
        while True:
            block = self._read(size)
            if not len(block):
                break
            if self._bits is None and not np.isfinite(block).all():
                bad = self._place + int(np.argmin(np.isfinite(block).all(axis=1)))
                raise InputError('%s holds NaN or infinity at %.3f s, expected finite samples: repair the file'
                                 % (self.path, bad / self.rate))
            self._place += len(block)
            yield self._full_scale(block)
        if not self._place:
            logger.warning('%s holds no samples', self.path)
        self.cut_off = self.cut_off or self._place < self.frames - self._spare
        if self.cut_off:
            logger.warning('%s is shorter than its header says: it was cut off; %.2f s were read',
                           self.path, self._place / self.rate)

    def check_whole(self):
        """Raise InputError when the file was cut off, as far as is known: see `cut_off`."""
        if self.cut_off:
            raise InputError('%s is shorter than its header says, it was cut off: copy it again' % self.path)

    def _read(self, size):
        try:
            # 16-bit samples are converted here, in a third of the time that libsndfile takes
            return self._file.read(size, dtype='int16' if self._bits == 16 else 'float64', always_2d=True)
        except soundfile.LibsndfileError as error:
            reason = error.error_string.strip().rstrip('.')
            raise InputError('%s is damaged after %.2f s (%s): restore the file'
                             % (self.path, self._place / self.rate, reason)) from error
        finally:
            self._check_source()

    def _check_source(self):
        """Raise InputError when the system could not read the file: libsndfile calls that its end, or damage."""
        error = self._raw.failure
        if error is not None:
            self._raw.close()
            raise InputError('cannot read %s: %s' % (self.path, error.strerror)) from error

    def _full_scale(self, block):
        if self._bits is None:
            return block
        largest = 2. ** (self._bits - 1) - 1
        return block / largest if block.dtype == np.int16 else block * ((largest + 1) / largest)


class _Source:
    """An open file as libsndfile reads it, which no exception reaches: the first failure is kept, and is the end."""

    def __init__(self, file):
        self._file, self.failure = file, None
        self.seek, self.tell, self.close = file.seek, file.tell, file.close

    def readinto(self, buffer):
        try:
            return 0 if self.failure else self._file.readinto(buffer)
        except OSError as error:
            self.failure = error
            return 0


def _is_cut_off(log):
    """Whether what libsndfile noted of a header says that the file is shorter: of WAV, AIFF, AU, Ogg and W64."""
    if re.search(r'(data|SSND|Data Size) *: \d+ \(should be|Last page lacks an end-of-stream bit', log):
        return True
    size = re.search(r'^riff : (\d+) \(should be (\d+)\)', log, re.MULTILINE)   # in small letters: W64
    return bool(size) and int(size[1]) > int(size[2])


def read(path):
    """Read a whole sound file.

    Returns
    -------
    samples : ndarray of float64, shape (samples, channels)
    rate : int
        In Hz.
    """
    with Reader(path) as reader:
        blocks = list(reader.blocks())
        return np.concatenate(blocks) if blocks else np.zeros((0, reader.channels)), reader.rate
