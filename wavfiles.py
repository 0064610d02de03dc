"""Whole sound files under the names and conventions of the original's helpers."""
import numpy as np

import audio
from errors import InputError

# the original's names of sample types, by those of libsndfile
TYPES = {'PCM_S8': 'int8', 'PCM_U8': 'uint8', 'PCM_16': 'int16', 'PCM_24': 'int24', 'PCM_32': 'int32',
         'FLOAT': 'float32', 'DOUBLE': 'float64'}

SUBTYPES = {'uint8': 'PCM_U8', 'int16': 'PCM_16', 'int24': 'PCM_24', 'int32': 'PCM_32', 'float32': 'FLOAT',
            'float64': 'DOUBLE'}


def infoAudioScipy(filein):
    """Length in samples, sample rate in Hz and sample type ('int16', ...) of a sound file."""
    with audio.Reader(filein) as reader:
        return reader.frames, reader.rate, TYPES.get(reader.subtype, 'float32')


def readAudioScipy(filein):
    """Read a whole sound file.

    Returns
    -------
    audio : ndarray of float64
        Shape (samples,) for mono, else (samples, channels); the largest positive integer sample is 1.
    sampleRate : int
    bitrate : str
        Sample type, such as 'int16'.
    """
    _, rate, kind = infoAudioScipy(filein)
    samples, _ = audio.read(filein)
    return samples[:, 0] if samples.shape[1] == 1 else samples, rate, kind


def writeAudioScipy(fileout, audio_out, sampleRate, bitrate='int16'):
    """Write a whole WAV file; samples are cut off towards 0, as the original did, and saturate.

    Parameters
    ----------
    fileout : str
    audio_out : ndarray, shape (samples,) or (samples, channels)
    sampleRate : int
    bitrate : {'int16', 'int24', 'int32', 'uint8', 'float32', 'float64'}
        Or a dtype, such as `numpy.int16`.

    Raises
    ------
    InputError
        When the bitrate is none of these, or a sample is not finite.
    """
    if not isinstance(bitrate, str):
        bitrate = np.dtype(bitrate).name
    if not np.isfinite(audio_out).all():
        raise InputError('the samples for %s hold NaN or infinity, expected finite ones' % fileout)
    if bitrate not in SUBTYPES:
        raise InputError('got bitrate %r, expected one of %s' % (bitrate, ', '.join(sorted(SUBTYPES))))
    audio.write(fileout, np.asarray(audio_out), int(sampleRate), subtype=SUBTYPES[bitrate], rounding=np.trunc)
