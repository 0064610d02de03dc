"""Sound files, written in blocks, whole or not at all."""
import os

import numpy as np
import soundfile

from deepconvsep import files
from deepconvsep.audio.reader import BITS
from deepconvsep.errors import InputError

# libsndfile says "System error" of a full disk
FULL = 'cannot write %s: %s: is the disk full?'


class Writer:
    """A sound file that appears, whole, when it is committed; written in blocks.

    Parameters
    ----------
    path : str
    rate, channels : int
    format : {'WAV', 'FLAC'}
    subtype : {'PCM_16', 'PCM_24', 'FLOAT', 'PCM_U8', 'PCM_32', 'DOUBLE'}
        For FLAC one of the first two.
    rounding : callable
        How samples become integers: `numpy.rint` (nearest), or `numpy.trunc` (towards 0, as the original).
    full_scale : float, optional
        That of the `Reader` of the samples: what was read from integers is then written at exactly its level, in any
        format. None, and for integers 1 (a float file): 1.0 is the largest integer of the format, as the original.

    Attributes
    ----------
    clipped : int
        Samples outside full scale so far. They saturate (the original let them wrap around).
    """

    def __init__(self, path, rate, channels=1, format='WAV', subtype='PCM_16', rounding=np.rint, full_scale=None):
        if not soundfile.check_format(format, subtype):
            raise InputError('%s cannot hold %s: choose WAV for float, or PCM_16 or PCM_24 for FLAC'
                             % (format, subtype))
        self.path, self.clipped = path, 0
        self._bits, self._rounding, self._rate, self._written = BITS.get(subtype), rounding, rate, 0
        # what the samples are multiplied with
        if self._bits is None:
            self._scale = full_scale or 1.
        else:
            top = 2. ** (self._bits - 1)
            self._scale = top - 1 if full_scale in (None, 1) else top * full_scale
        self._atomic = files.atomic_path(path)
        self._temporary = self._atomic.__enter__()
        try:
            # as bytes: soundfile does not take names that are no text
            self._file = soundfile.SoundFile(os.fsencode(self._temporary), 'w', rate, channels, subtype, format=format)
        except (soundfile.LibsndfileError, TypeError, OverflowError) as error:
            self._atomic.__exit__(type(error), error, None)
            raise InputError('cannot write %s with %d channels at %d Hz: %s' % (path, channels, rate, error)) from error

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        try:
            self._close()
        except InputError as closing:
            # the temporary file must go
            self._atomic.__exit__(InputError, closing, None)
            raise
        return self._atomic.__exit__(kind, error, traceback)

    def _close(self):
        try:
            self._file.close()
        except soundfile.LibsndfileError as error:
            # a full disk shows here
            raise InputError(FULL % (self.path, error.error_string.strip().rstrip('.'))) from error

    def finish(self):
        """Put all on the disk, so that the file has only to be renamed: of several, none appears before all are there.

        Nothing can be written after it.

        Raises
        ------
        InputError, OSError
            When the disk is full.
        """
        self._close()
        try:
            files.sync(self._temporary)
        except OSError as error:
            raise OSError(error.errno, error.strerror, self.path) from error

    def write(self, samples):
        """Append samples of floating point, shape (samples,) or (samples, channels).

        Raises
        ------
        InputError
            When they are integers, whose full scale is not known, not finite in the format, or the disk is full.
        """
        samples = np.asarray(samples)
        if samples.dtype.kind != 'f':
            raise InputError('cannot write %s: got samples of %s, expected floating point with full scale 1: divide '
                             'integers by their largest value' % (self.path, samples.dtype))
        if self._bits is None:
            with np.errstate(over='ignore'):
                samples = (samples * self._scale).astype(np.float64 if self._file.subtype == 'DOUBLE' else np.float32)
        if not np.isfinite(samples).all():
            first = np.nonzero(~np.isfinite(samples))[0][0]
            raise InputError('cannot write %s: NaN or infinity at %.3f s, expected finite samples'
                             % (self.path, (self._written + first) / self._rate))
        self._written += len(samples)
        if self._bits is not None:
            samples = self._integers(samples)
        try:
            self._file.write(samples)
        except soundfile.LibsndfileError as error:
            raise InputError(FULL % (self.path, error.error_string.strip().rstrip('.'))) from error

    def _integers(self, samples):
        top = 2 ** (self._bits - 1) - 1
        # in a type that holds `top`, which single precision rounds up to the next power of 2
        samples = samples.astype(np.result_type(samples, np.float64 if self._bits > 24 else np.float32), copy=False)
        values = self._rounding(samples * self._scale)
        if values.max(initial=0) > top or values.min(initial=0) < -top - 1:
            self.clipped += int(((values > top) | (values < -top - 1)).sum())
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
