"""The helpers of the original's `util`, under its names.

What the package uses itself comes from there: `getfreqs`, `midi2freq`, `remove_overlap`,
`slicefft_slices`, `str2midi`; `read_mat` from :mod:`rwc`.
"""
import os

import numpy as np

from deepconvsep import audio, command
from deepconvsep.data.windows import window_count
from deepconvsep.errors import InputError
from deepconvsep.score.notes import FREQ_A4, MIDI_A4, SEMITONE_RATIO, cut_notes, midi2freq, str2midi
from deepconvsep.score.reading import read_score
from deepconvsep.score.rows import (
    Grid,
    getfreqs,
    note_rows,
    remove_overlap,
    slicefft_slices,
    sounding_frames,
    stretch,
)
from rwc import read_mat

__all__ = ['FREQ_A4', 'MIDI_A4', 'SEMITONE_RATIO', 'circular_shift', 'detect_silence', 'expandMidi', 'fixoverlap',
           'generate_overlapadd', 'getMidi', 'getMidiLength', 'getMidiNum', 'getfreqs', 'infoAudioScipy', 'midi2freq',
           'overlapadd', 'overlapadd_multi', 'readAudioScipy', 'read_mat', 'remove_overlap', 'slicefft',
           'slicefft_slices', 'str2midi', 'writeAudioScipy']

logger = command.get_logger('util')

# --- whole sound files ----------------------------------------------------------------------------

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
    """Write a whole WAV file; samples are cut off towards 0, as the original did, and saturate, with a warning.

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
        When the bitrate is none of these, the file has the extension of another format, or a sample is not finite.
    """
    if not isinstance(bitrate, str):
        bitrate = np.dtype(bitrate).name
    if not np.isfinite(audio_out).all():
        raise InputError('the samples for %s hold NaN or infinity, expected finite ones' % fileout)
    if bitrate not in SUBTYPES:
        raise InputError('got bitrate %r, expected one of %s' % (bitrate, ', '.join(sorted(SUBTYPES))))
    if os.path.splitext(fileout)[1].lower() not in ('.wav', ''):
        raise InputError('%s would hold WAV, expected a name that ends in .wav: rename it' % fileout)
    samples = np.asarray(audio_out)
    if samples.dtype.kind != 'f':
        samples = samples.astype(float)   # of integers too, 1 is full scale
    clipped = audio.write(fileout, samples, int(sampleRate), subtype=SUBTYPES[bitrate],
                          rounding=np.trunc)
    if clipped:
        logger.warning('%s: %d samples are beyond full scale and saturate: scale them down', fileout, clipped)


def detect_silence(audio, threshold=1e-5, hopSize=512, frameSize=4096):
    """Where a signal begins: the hop before the first five successive frames whose RMS exceeds `threshold`.

    Parameters
    ----------
    audio : ndarray, shape (samples,)
    threshold : float
        RMS, full scale = 1 (1e-5 is -100 dB).
    hopSize, frameSize : int
        In samples.

    Returns
    -------
    int
        A sample index; 0 when there are no such frames. It is -hopSize when the signal sounds from the start.
    """
    audio = np.asarray(audio, dtype=float)
    if len(audio) < frameSize:
        return 0
    frames = np.lib.stride_tricks.sliding_window_view(audio, frameSize)[::hopSize]
    loud = np.array([np.sqrt(np.mean(frame ** 2)) > threshold for frame in frames])
    runs = np.flatnonzero(np.convolve(loud, np.ones(5), 'valid') == 5) if len(loud) >= 5 else []
    return (int(runs[0]) - 1) * hopSize if len(runs) else 0


# --- scores ---------------------------------------------------------------------------------------

def getMidiLength(instrument, FilePath):
    """Last offset, in seconds, of the score ``<FilePath>/<instrument>.txt``; 0 when it is empty."""
    return max((note.offset for note in _of_instrument(instrument, FilePath)), default=0.)


def getMidiNum(instrument, FilePath, beginTime, finishTime):
    """Number of notes of ``<FilePath>/<instrument>.txt`` that sound between two times (seconds)."""
    return len(cut_notes(_of_instrument(instrument, FilePath), beginTime, finishTime))


def _of_instrument(instrument, folder):
    # times in single precision, as the original reads them
    return [note._replace(onset=float(np.float32(note.onset)), offset=float(np.float32(note.offset)))
            for note in read_score(os.path.join(folder, instrument + '.txt'))]


def slicefft(pitch, size, interval=30, tuning_freq=FREQ_A4, nharmonics=20, fmin=25, fmax=18000, iscale='lin',
             sampleRate=44100, legacy=True):
    """Bins of the harmonics of a note, as one array of indices; arguments as :func:`slicefft_slices`."""
    slices = slicefft_slices(pitch, size, interval, tuning_freq, nharmonics, fmin, fmax, iscale, sampleRate, legacy)
    return np.array([index for piece in slices for index in range(piece.start, piece.stop)], dtype=int)


def fixoverlap(slices):
    """Part neighbouring harmonics that overlap in the middle of what they share.

    The range before the last overlap ends at the middle, the next begins one bin above it; the last range gets the
    width of the one before it.

    Parameters
    ----------
    slices : list of (start, stop)

    Returns
    -------
    list of (float, float)

    Examples
    --------
    >>> fixoverlap([(0, 10), (5, 20), (15, 40)])
    [(0.0, 7.5), (8.5, 17.5), (18.5, 27.5)]
    """
    parted = [[float(start), float(stop)] for start, stop in slices]
    for current, following in zip(parted, parted[1:]):
        if current[1] > following[0]:
            middle = (current[1] + following[0]) / 2.
            current[1], following[0] = middle, middle + 1.
    if len(parted) > 1:
        parted[-1][1] = parted[-1][0] + parted[-2][1] - parted[-2][0]
    return [tuple(limits) for limits in parted]


def expandMidi(instrument, FilePath, beginTime, finishTime, interval, tuning_freq, nharmonics, samplerate, hop, window,
               timeSpan_on, timeSpan_off, nframes, fermata=0., legacy=True):
    """:func:`deepconvsep.score.rows.note_rows` of the score ``<FilePath>/<instrument>.txt``, which may be empty."""
    grid = Grid(samplerate, hop, window, interval, tuning_freq, nharmonics, timeSpan_on, timeSpan_off, fermata, legacy)
    return note_rows(_of_instrument(instrument, FilePath), nframes, grid, beginTime, finishTime)


def getMidi(instrument, FilePath, beginTime, finishTime, samplerate, hop, window, timeSpan_on, timeSpan_off, nframes,
            nlines=1, fermata=0., legacy=True):
    """Piano roll and note lists of the score ``<FilePath>/<instrument>.txt``.

    Parameters
    ----------
    beginTime, finishTime : float
        The stretch of the score, in seconds.
    timeSpan_on, timeSpan_off, fermata : float
        As `before`, `after` and `fermata` of :class:`deepconvsep.score.rows.Grid`.
    nlines : int
        Lines of the roll: a note goes to the first line that is free while it sounds, else over what is in the last.

    Returns
    -------
    melody : numpy.ndarray
        float64, (nlines, nframes), MIDI number or 0.
    onsets, offsets : list of float
        Seconds from `beginTime`, widened by `timeSpan_on` and `timeSpan_off`.
    notes : list of int
        MIDI numbers.
    """
    grid = Grid(samplerate, hop, window, before=timeSpan_on, after=timeSpan_off, fermata=fermata, legacy=legacy)
    notes = stretch(_of_instrument(instrument, FilePath), beginTime, finishTime, nframes, grid)
    length = finishTime - beginTime
    melody = np.zeros((nlines, nframes))
    for note, (begin, end) in zip(notes, sounding_frames(notes, length, nframes, grid)):
        free = [line for line in melody if not line[begin:end].any()]
        (free or melody[-1:])[0][begin:end] = note.midi
    return (melody, [max(0., note.onset - timeSpan_on) for note in notes],
            [min(length, note.offset + timeSpan_off) for note in notes], [note.midi for note in notes])


# --- overlapping windows --------------------------------------------------------------------------

def generate_overlapadd(allmix, input_size=513, time_context=30, overlap=10, batch_size=32, sampleRate=44100):
    """Cut a spectrogram into batches of windows.

    Parameters
    ----------
    allmix : ndarray, shape (frames, bins) or (channels, frames, bins)
    input_size : int
        Bins.
    time_context, overlap : int
        Frames per window, and frames that successive windows share.
    batch_size : int
        Windows per batch; the last batch is filled up with zeros.
    sampleRate : int
        Unused; kept for callers of the original.

    Returns
    -------
    fbatch : ndarray of float64, shape (batches, batch_size, channels, time_context, input_size)
    count : int
        Number of windows, at least 1; the last ones are zero-padded.
    """
    mix = allmix if allmix.ndim > 2 else allmix[None]
    count = window_count(mix.shape[1], time_context, overlap)
    batches = -(-count // batch_size)
    fbatch = np.zeros((batches * batch_size, len(mix), time_context, input_size))
    for index in range(count):
        part = mix[:, index * (time_context - overlap):][:, :time_context]
        fbatch[index, :, :part.shape[1]] = part
    return fbatch.reshape((batches, batch_size) + fbatch.shape[1:]), count


def overlapadd_multi(fbatch, obatch, nchunks, overlap=10):
    """Blend batches of windows of several sources into spectrograms.

    Parameters
    ----------
    fbatch : ndarray, shape (batches, sources, batch_size, 1, time_context, bins)
    obatch
        Unused; kept for callers of the original.
    nchunks : int
        Number of windows.
    overlap : int
        Frames that successive windows share.

    Returns
    -------
    ndarray of float64, shape (sources, nchunks * (time_context - overlap) + time_context, bins)
        Frames that no window covers are 0.
    """
    batch_size, time_context = fbatch.shape[2], fbatch.shape[4]
    step, up = time_context - overlap, np.linspace(0., 1., overlap)[:, None]
    blended = np.zeros((fbatch.shape[1], nchunks * step + time_context, fbatch.shape[5]))
    for index in range(nchunks):
        window = np.array(fbatch[index // batch_size, :, index % batch_size, 0], dtype=float)
        part = blended[:, index * step:index * step + time_context]
        if index:
            window[:, :overlap] = part[:, :overlap] + up * (window[:, :overlap] - part[:, :overlap])
        part[:] = window
    return blended


def overlapadd(fbatch, obatch, nchunks, overlap=10):
    """:func:`overlapadd_multi` for two sources; returns them one by one."""
    first, second = overlapadd_multi(fbatch[:, :2], obatch, nchunks, overlap)
    return first, second


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
