"""Sound files: read and written in blocks, mixed down, resampled.

Full scale is the original's: the largest positive sample of an integer format is 1.0 (a 16-bit sample is
divided by 32767), so that the most negative one is slightly below -1. Float files are taken as they are.
"""
import logging
import os
import re

import numpy as np
import soundfile
import soxr

from deepconvsep import files
from deepconvsep.errors import InputError

logger = logging.getLogger(__name__)

BLOCK = 1 << 16

# libsndfile says "System error" of a full disk
FULL = 'cannot write %s: %s: is the disk full?'

# bits of the integer formats; everything else is read and written as float
BITS = {'PCM_S8': 8, 'PCM_U8': 8, 'PCM_16': 16, 'PCM_24': 24, 'PCM_32': 32}

# how the channels of a file become one: by the number of channels
DOWNMIX = {
    'mean': 'mono: as it is; stereo: (left + right) / 2; more channels: the average of all',
    'sum': 'mono: as it is; stereo: left + right; more channels: the sum of all',
}


def downmix(samples, rule='mean'):
    """Mix the channels of a signal into one; :data:`DOWNMIX` says how, by the number of channels.

    Parameters
    ----------
    samples : ndarray, shape (samples, channels)
    rule : {'mean', 'sum'}
        'sum' is for iKala, where one channel holds the voice and the other the accompaniment.

    Returns
    -------
    ndarray of float64, shape (samples,)

    Examples
    --------
    >>> downmix(np.array([[0.5, 0.25]])).tolist(), downmix(np.array([[0.5, 0.25]]), 'sum').tolist()
    ([0.375], [0.75])
    """
    total = sum(samples.T)  # column by column: many times faster than samples.sum(axis=1)
    return total / samples.shape[1] if rule == 'mean' and samples.shape[1] > 1 else total


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
        Samples per channel, as the header says.
    subtype : str
        Sample format, such as 'PCM_16', by libsndfile's name.
    cut_off : bool
        The file is shorter than its header says. Other formats than WAV may show it only when they have been read.

    Raises
    ------
    InputError
        When the file is missing, not a sound file, or damaged.
    """

    def __init__(self, path):
        self.path = path
        try:
            # opened by Python, for its error messages and for any character in the name
            self._raw = files.open_regular(path)
        except OSError as error:
            raise InputError('cannot read %s: %s' % (path, error.strerror)) from error
        try:
            self._file = soundfile.SoundFile(self._raw)
        except (soundfile.LibsndfileError, TypeError, OSError) as error:
            self._raw.close()
            reason = getattr(error, 'error_string', 'unknown format')
            raise InputError('%s is not a sound file that can be read (%s): expected WAV, FLAC, OGG, MP3 or AIFF'
                             % (path, reason.strip().rstrip('.'))) from error
        self.rate, self.channels = self._file.samplerate, self._file.channels
        self.frames = self._file.frames
        self.subtype = self._file.subtype
        self.cut_off = bool(re.search(r'data : \d+ \(should be', self._file.extra_info))
        self._bits = BITS.get(self.subtype)

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
        self._file.seek(min(frame, self.frames))

    def blocks(self, size=BLOCK):
        """Yield the samples as float64 arrays of shape (up to `size`, channels).

        Raises
        ------
        InputError
            When the file is damaged, or holds NaN or infinity.
        """
        done = 0
        while True:
            try:
                # 16-bit samples are converted here, in a third of the time that libsndfile takes
                block = self._file.read(size, dtype='int16' if self._bits == 16 else 'float64', always_2d=True)
            except soundfile.LibsndfileError as error:
                raise InputError('%s is damaged after %.2f s (%s): restore the file'
                                 % (self.path, done / self.rate, error.error_string.strip().rstrip('.'))) from error
            if not len(block):
                break
            if self._bits is None and not np.isfinite(block).all():
                bad = done + int(np.argmin(np.isfinite(block).all(axis=1)))
                raise InputError('%s holds NaN or infinity at %.3f s, expected finite samples: repair the file'
                                 % (self.path, bad / self.rate))
            done += len(block)
            yield self._full_scale(block)
        self.cut_off = self.cut_off or done < self.frames
        if self.cut_off:
            logger.warning('%s is shorter than its header says: it was cut off; %.2f s were read',
                           self.path, done / self.rate)

    def _full_scale(self, block):
        if self._bits is None:
            return block
        largest = 2. ** (self._bits - 1) - 1
        return block / largest if block.dtype == np.int16 else block * ((largest + 1) / largest)


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


class Writer:
    """A sound file that appears, whole, when it is committed; written in blocks.

    Parameters
    ----------
    path : str
    rate, channels : int
    format : {'WAV', 'FLAC'}
    subtype : {'PCM_16', 'PCM_24', 'FLOAT'}
        FLOAT is for WAV only.
    rounding : callable
        How samples become integers: `numpy.rint` (nearest), or `numpy.trunc` (towards 0, as the original).

    Attributes
    ----------
    clipped : int
        Samples outside full scale so far. They saturate (the original let them wrap around).
    """

    def __init__(self, path, rate, channels=1, format='WAV', subtype='PCM_16', rounding=np.rint):
        if not soundfile.check_format(format, subtype):
            raise InputError('%s cannot hold %s: choose WAV for float, or PCM_16 or PCM_24 for FLAC'
                             % (format, subtype))
        self.path, self.clipped = path, 0
        self._bits, self._rounding = BITS.get(subtype), rounding
        self._atomic = files.atomic_path(path)
        temporary = self._atomic.__enter__()
        try:
            # as bytes: soundfile does not take names that are no text
            self._file = soundfile.SoundFile(os.fsencode(temporary), 'w', rate, channels, subtype, format=format)
        except (soundfile.LibsndfileError, TypeError, OverflowError) as error:
            self._atomic.__exit__(type(error), error, None)
            raise InputError('cannot write %s with %d channels at %d Hz: %s' % (path, channels, rate, error)) from error

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        try:
            self._file.close()
        except soundfile.LibsndfileError as closing:
            # a full disk shows here; the temporary file must go
            self._atomic.__exit__(OSError, OSError(str(closing)), None)
            raise InputError(FULL % (self.path, closing.error_string.strip().rstrip('.'))) from closing
        return self._atomic.__exit__(kind, error, traceback)

    def write(self, samples):
        """Append float samples, shape (samples,) or (samples, channels)."""
        samples = np.asarray(samples)
        if self._bits is None:
            samples = samples.astype(np.float64 if self._file.subtype == 'DOUBLE' else np.float32)
        else:
            samples = self._integers(samples)
        try:
            self._file.write(samples)
        except soundfile.LibsndfileError as error:
            raise InputError(FULL % (self.path, error.error_string.strip().rstrip('.'))) from error

    def _integers(self, samples):
        top = 2 ** (self._bits - 1) - 1
        values = self._rounding(samples * float(top))
        outside = (values > top) | (values < -top - 1)
        self.clipped += int(outside.sum())
        values = np.clip(values, -top - 1, top)
        if self._bits == 16:
            return values.astype(np.int16)
        # libsndfile takes wider integers left-aligned in 32 bits
        return values.astype(np.int64).astype(np.int32) << (32 - self._bits)


def write(path, samples, rate, format='WAV', subtype='PCM_16', rounding=np.rint):
    """Write a whole sound file; parameters as :class:`Writer`. Returns the number of saturated samples."""
    samples = np.asarray(samples)
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    with Writer(path, rate, channels, format, subtype, rounding) as writer:
        writer.write(samples)
    return writer.clipped


def resample_blocks(blocks, rate_in, rate_out, channels):
    """Resample a stream of blocks; equal rates pass through.

    Parameters
    ----------
    blocks : iterable of ndarray, shape (samples, channels)
    rate_in, rate_out : int
        In Hz.

    Yields
    ------
    ndarray of float64, shape (samples, channels)
        Aligned with the input: the resampler's delay is taken out.
    """
    if rate_in == rate_out:
        yield from blocks
        return
    stream = soxr.ResampleStream(rate_in, rate_out, channels, dtype='float64', quality='HQ')
    for block in blocks:
        yield _two_dimensional(stream.resample_chunk(np.ascontiguousarray(block)), channels)
    yield _two_dimensional(stream.resample_chunk(np.zeros((0, channels)), last=True), channels)


def _two_dimensional(block, channels):
    return block.reshape(-1, channels)


def circular_shift(audio, min_size, cs=0.1, sampleRate=44100):
    """Delay (`cs` > 0) or advance (`cs` < 0) a signal by ``int(abs(cs) * sampleRate)`` samples.

    Despite its name, the original's, it fills with zeros and does not wrap around.

    Parameters
    ----------
    audio : ndarray, shape (samples,)
    min_size : int
        Length of the result in samples; what is missing is 0, what is longer is cut.
    cs : float
        Shift in seconds.
    sampleRate : int
        In Hz.

    Examples
    --------
    >>> circular_shift(np.arange(1, 11), 8, cs=.2, sampleRate=10).tolist()
    [0.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    """
    shift = int(abs(cs) * sampleRate)
    start, skip = (shift, 0) if cs > 0 else (0, shift)
    part = np.asarray(audio)[skip:skip + max(min_size - start, 0)]
    shifted = np.zeros(min_size)
    shifted[start:start + len(part)] = part
    return shifted
