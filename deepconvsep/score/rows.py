"""From notes to frames and bins of the spectrogram: note arrays, piano rolls, harmonic masks.

A *note array* is float64, (instruments, notes, 2 * nharmonics + 3). A row is ``[begin frame, end frame, MIDI number,
start1, stop1, start2, stop2, ...]``: the note sounds in frames begin <= t < end, its harmonics lie in the bins
start <= f < stop. Unused rows and unused bin ranges are 0; MIDI number 0 means "no note".

What the dataset classes and the score-informed separation call::

    harmonic_mask(notes, start, stop, bins, normalize='sum', timbre=None, dtype=float) -> (stop - start, ninst * bins)
    piano_roll(notes, start, stop, npitches=127, dtype=float) -> (stop - start, ninst * npitches)
    harmonic_canvas(notes, start, stop, bins, timbre=None, dtype=float, floor=1e-18) -> (ninst, stop - start, bins)
    normalize_canvas(canvas, 'sum' | 'max') -> like canvas

Two defects of the original are part of its published score-informed models, and stand behind one switch, `legacy`:

* notes are placed at ``round(sampleRate // hop)`` = 86 frames a second in place of 86.13, so that they are 5 frames
  early after 40 s, and their times are rounded to float32;
* bin indices that count from 1 are taken as if they counted from 0, which loses the lowest bin of each harmonic; there
  is one harmonic less than `nharmonics`; ranges that touch are merged, so that slot k is no longer harmonic k, and a
  (merged) range that crosses the Nyquist frequency is dropped.

The functions with the original's names (some are in the module `util`) give the recorded values unless called with ``legacy=False``; the functions
with new names do the right thing unless called with ``legacy=True``. See Miron, Janer, Gomez, "Monaural score-informed
source separation for classical music using convolutional neural networks", ISMIR 2017, section 3.
"""
import math

import numpy as np

from deepconvsep.errors import InputError
from deepconvsep.score.notes import FREQ_A4, Note, cut_notes, midi2freq

#: Lowest value of a mask before it is normalised.
FLOOR = 1e-18
#: No frame and no bin has a higher number.
LARGEST = 2. ** 31


# --- harmonics to bins --------------------------------------------------------------------------------

def getfreqs(midinote, interval=30, tuning_freq=FREQ_A4, nharmonics=20, ismidi=True, legacy=True):
    """Upper and lower limits of the harmonics of a note.

    Parameters
    ----------
    midinote : float
        MIDI number, or Hz when `ismidi` is False.
    interval : float
        Cents from a harmonic to either limit.
    legacy : bool
        One harmonic less than `nharmonics`.

    Returns
    -------
    fups, fdowns : list of float
        Hz, a value per harmonic.

    Examples
    --------
    >>> fups, fdowns = getfreqs(69, interval=50, nharmonics=2, legacy=False)
    >>> [round(f, 1) for f in fups], [round(f, 1) for f in fdowns]
    ([452.9, 905.8], [427.5, 854.9])
    """
    fundamental = midi2freq(midinote, tuning_freq) if ismidi else midinote
    ratio = 2. ** (interval / 1200.)
    numbers = range(1, nharmonics if legacy else nharmonics + 1)
    return [k * fundamental * ratio for k in numbers], [k * fundamental / ratio for k in numbers]


def remove_overlap(ranges):
    """Union of half-open ranges: those that overlap or touch become one.

    Examples
    --------
    >>> remove_overlap([(10, 12), (1, 5), (5, 7), (2, 3)])
    [(1, 7), (10, 12)]
    """
    merged = []
    for start, stop in sorted(ranges):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(stop, merged[-1][1]))
        else:
            merged.append((start, stop))
    return merged


def slicefft_slices(pitch, size, interval=30, tuning_freq=FREQ_A4, nharmonics=20, fmin=25, fmax=18000, iscale='lin',
                    sampleRate=44100, legacy=True):
    """Bins of the harmonics of a note in a spectrum of `size` points.

    Parameters
    ----------
    pitch : float
        MIDI number; 0 or less gives no bins.
    size : int
        Length of the Fourier transform in samples.
    interval, tuning_freq, nharmonics : float, float, int
        As in :func:`getfreqs`.
    fmin, fmax, iscale
        Of no effect, as in the original.
    sampleRate : float
        Hz.
    legacy : bool
        See the module. Without it there is a range per harmonic, from the bin at or below the lower limit to the one
        at or above the upper, up to the Nyquist frequency: ranges of high harmonics may overlap.

    Returns
    -------
    list of slice

    Examples
    --------
    >>> slicefft_slices(69, 4096, interval=50, nharmonics=4)
    [slice(40, 44, None), slice(80, 86, None), slice(120, 128, None)]
    >>> slicefft_slices(69, 4096, interval=50, nharmonics=3, legacy=False)
    [slice(39, 44, None), slice(79, 86, None), slice(119, 128, None)]
    """
    if pitch <= 0:
        return []
    bins = size // 2 + 1
    limits = zip(*getfreqs(pitch, interval, tuning_freq, nharmonics, legacy=legacy))
    edges = [(int(math.floor(low * size / sampleRate)), 1 + int(math.ceil(high * size / sampleRate)))
             for high, low in limits]
    if legacy:
        ranges = [(start, stop) for start, stop in remove_overlap([(1 + start, stop) for start, stop in edges])
                  if stop <= bins]
    else:
        ranges = [(start, min(stop, bins)) for start, stop in edges if start < bins]
    return [slice(*limits) for limits in ranges]


# --- notes to frames ----------------------------------------------------------------------------------

def frame_rate(sampleRate, hop, legacy):
    return float(round(sampleRate // hop)) if legacy else sampleRate / float(hop)


def stretch(notes, begin, finish, sampleRate, hop, nframes, legacy):
    """The notes of a stretch of a score, in the precision asked for."""
    if legacy:
        notes = [Note(float(np.float32(onset)), float(np.float32(offset)), midi) for onset, offset, midi in notes]
    return cut_notes(notes, begin, finish, limit=nframes * hop / float(sampleRate))


def sounding_frames(notes, length, rate, nframes, before, after, fermata):
    """First and last + 1 frame of each note, widened: `before` and `after` always, by `fermata` where there is room."""
    limit = min(nframes, int(rate * length)) if math.isfinite(length) else nframes
    frames = []
    for onset, offset, _ in notes:
        begin = max(0, int(onset * rate) - int(round(before * rate)))
        later = [note.onset for note in notes if note.onset > onset]
        if any(other - before < offset + after for other in later):
            end = int(offset * rate) + int(round(after * rate))
        else:
            end = int(rate * min([offset + max(after, fermata)] + [other - before for other in later]))
        frames.append((begin, min(end, limit)))
    return frames


def note_rows(notes, nframes, begin=0., finish=None, interval=50, tuning_freq=FREQ_A4, nharmonics=20,
              sampleRate=44100, hop=512, window=4096, before=0., after=0., fermata=0., legacy=False):
    """Notes of one instrument as rows of a note array (see the module).

    Parameters
    ----------
    notes : list of score.Note
        Sorted by onset.
    nframes : int
        Frames of the spectrogram that the rows are for.
    begin, finish : float
        The stretch of the score, in seconds; its beginning is frame 0.
    interval, tuning_freq, nharmonics
        As in :func:`getfreqs`.
    sampleRate, hop, window : int
        Of the spectrogram: Hz, samples, samples.
    before, after : float
        Seconds by which every note is widened (tolerance of the alignment).
    fermata : float
        Seconds by which a note may sound on where no later one begins.
    legacy : bool
        See the module.

    Returns
    -------
    numpy.ndarray
        float64, (notes, 2 * nharmonics + 3).

    Examples
    --------
    >>> note_rows([Note(40., 40.5, 69)], nframes=4000, nharmonics=2)
    array([[3445., 3488.,   69.,   39.,   44.,   79.,   86.]])
    >>> note_rows([Note(40., 40.5, 69)], nframes=4000, nharmonics=2, legacy=True)
    array([[3440., 3483.,   69.,   40.,   44.,    0.,    0.]])
    """
    notes = stretch(notes, begin, finish, sampleRate, hop, nframes, legacy)
    length = float('inf') if finish is None else finish - begin
    frames = sounding_frames(notes, length, frame_rate(sampleRate, hop, legacy), nframes, before, after, fermata)
    rows = np.zeros((len(notes), 2 * nharmonics + 3))
    for row, note, limits in zip(rows, notes, frames):
        row[:2], row[2] = limits, note.midi
        slices = slicefft_slices(note.midi, window, interval, tuning_freq, nharmonics, sampleRate=sampleRate,
                                 legacy=legacy)
        edges = [edge for piece in slices for edge in (piece.start, piece.stop)]
        row[3:3 + len(edges)] = edges
    return rows


def stack_rows(rows, nnotes=1):
    """One note array of the rows of several instruments, filled up with zeros.

    Parameters
    ----------
    rows : list of numpy.ndarray
        From :func:`note_rows`, one per instrument.
    nnotes : int
        Least length of the result.

    Returns
    -------
    numpy.ndarray
        float64, (instruments, max(nnotes, longest), columns).
    """
    stacked = np.zeros((len(rows), max([nnotes] + [len(each) for each in rows]), rows[0].shape[1]))
    for target, each in zip(stacked, rows):
        target[:len(each)] = each
    return stacked


# --- note arrays to masks -----------------------------------------------------------------------------

def check_notes(notes, path):
    """Raise InputError unless `notes`, read from the file `path`, can be a note array.

    All values must be finite and not negative, MIDI numbers at most 127.
    """
    rows = notes.reshape(-1, notes.shape[-1])
    limits = np.full(notes.shape[-1], LARGEST)
    limits[2] = 127
    wrong = np.argwhere(~((rows >= 0) & (rows <= limits)))  # so that NaN is wrong too
    if len(wrong):
        row, column = wrong[0]
        what = {0: 'first frame', 1: 'last frame', 2: 'MIDI number'}.get(column, 'bin')
        raise InputError('%s gives the %s %g, expected 0 to %d: compute the notes again'
                         % (path, what, rows[row, column], limits[column]))


def _sounding(notes, start, stop):
    """Instrument, row, and first and last + 1 frame (from `start`) of the notes that sound in a segment."""
    active = (notes[:, :, 2] > 0) & (notes[:, :, 0] < stop) & (notes[:, :, 1] > start)
    for instrument, index in zip(*np.nonzero(active)):
        row = notes[instrument, index]
        yield instrument, row, max(int(row[0]) - start, 0), min(int(row[1]), stop) - start


def piano_roll(notes, start, stop, npitches=127, dtype=float):
    """Which notes sound in a segment.

    Parameters
    ----------
    notes : numpy.ndarray
        Note array, (instruments, notes, columns).
    start, stop : int
        Frames of the segment.
    npitches : int
        Columns per instrument. The original's 127 have none for MIDI number 127 (12.5 kHz), which is left out.

    Returns
    -------
    numpy.ndarray
        (stop - start, instruments * npitches); column ``instrument * npitches + midi`` is 1 while the note sounds.
    """
    roll = np.zeros((stop - start, len(notes) * npitches), dtype=dtype)
    for instrument, row, begin, end in _sounding(notes, start, stop):
        if row[2] < npitches:
            roll[begin:end, instrument * npitches + int(row[2])] = 1
    return roll


def harmonic_canvas(notes, start, stop, bins, timbre=None, dtype=float, floor=FLOOR):
    """Where the harmonics of each instrument are expected in a segment, not normalised.

    Parameters
    ----------
    notes : numpy.ndarray
        Note array, (instruments, notes, columns).
    start, stop : int
        Frames of the segment.
    bins : int
        Bins of the spectrogram.
    timbre : numpy.ndarray, optional
        (instruments, 128, slots): strength of each bin range of each note, which is *added*; without it, 1.
    floor : float
        Value where nothing is expected.

    Returns
    -------
    numpy.ndarray
        (instruments, stop - start, bins).

    Raises
    ------
    InputError
        When `timbre` has too few instruments, notes or slots.
    """
    slots = (notes.shape[2] - 3) // 2
    if timbre is not None and (timbre.ndim != 3 or timbre.shape[0] < len(notes) or timbre.shape[1] < 128
                               or timbre.shape[2] < slots):
        raise InputError('the timbre model has the shape %s, expected at least (%d, 128, %d): instruments, MIDI '
                         'numbers, harmonics' % (timbre.shape, len(notes), slots))
    # frames first in memory, so that harmonic_mask joins the instruments without a copy
    canvas = np.full((stop - start, len(notes), bins), floor, dtype=dtype)
    for instrument, row, begin, end in _sounding(notes, start, stop):
        spectrum = np.zeros(bins, dtype=dtype)
        ranges = row[3:].astype(int).reshape(-1, 2)
        for slot, (low, high) in enumerate(ranges):
            if high > 0:
                if timbre is None:
                    spectrum[low:high] = 1
                else:
                    spectrum[low:high] += timbre[instrument, int(row[2]), slot]
        if timbre is None:
            np.maximum(canvas[begin:end, instrument], spectrum, out=canvas[begin:end, instrument])
        else:
            canvas[begin:end, instrument] += spectrum
    return canvas.transpose(1, 0, 2)


def normalize_canvas(canvas, normalize):
    """Divide a canvas by its sum over the instruments (``'sum'``), or by the maximum of each (``'max'``), in place.

    With ``'sum'`` the masks add up to 1 in every bin, and are 1 / instruments where no instrument is expected. With
    ``'max'`` an instrument that is silent throughout the segment gets a mask of ones.
    """
    if normalize == 'sum':
        canvas /= canvas.sum(axis=0)
    elif normalize == 'max':
        canvas /= canvas.max(axis=(1, 2), keepdims=True)
    else:
        raise InputError("normalize is %r, expected 'sum' or 'max'" % (normalize,))
    return canvas


def harmonic_mask(notes, start, stop, bins, normalize='sum', timbre=None, dtype=float):
    """Soft masks of the instruments of a score in frames `start` to `stop` of a spectrogram.

    Parameters
    ----------
    notes, start, stop, bins, timbre, dtype
        As in :func:`harmonic_canvas`.
    normalize : {'sum', 'max'}
        ``'sum'`` for ``LargeDatasetMask2``, ``'max'`` (over the segment) for ``LargeDatasetMask1``. With ``'sum'`` a
        mask of a long stretch, cut, equals the mask of the piece.

    Returns
    -------
    numpy.ndarray
        (stop - start, instruments * bins), C-contiguous, instruments side by side.

    Examples
    --------
    >>> notes = stack_rows([note_rows([Note(0., 1., 69)], 100), note_rows([Note(0., 1., 76)], 100)])
    >>> mask = harmonic_mask(notes, 0, 30, 2049)
    >>> mask.shape, mask[0, 41], mask[0, 2049 + 41], mask[0, 2048]
    ((30, 4098), 1.0, 1e-18, 0.5)
    """
    canvas = normalize_canvas(harmonic_canvas(notes, start, stop, bins, timbre, dtype), normalize)
    return canvas.transpose(1, 0, 2).reshape(stop - start, -1)
