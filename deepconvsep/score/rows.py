"""From notes to frames and bins of the spectrogram: note arrays.

A *note array* is float64, (instruments, notes, 2 * nharmonics + 3). A row is ``[begin frame, end frame, MIDI number,
start1, stop1, start2, stop2, ...]``: the note sounds in frames begin <= t < end, its harmonics lie in the bins
start <= f < stop. Unused rows and unused bin ranges are 0; MIDI number 0 means "no note".

Two defects of the original are part of its published score-informed models, and stand behind one switch, `legacy`:

* notes are placed at ``round(sampleRate // hop)`` = 86 frames a second in place of 86.13, so that they are 5 frames
  early after 40 s, and their times are rounded to float32;
* bin indices that count from 1 are taken as if they counted from 0, which loses the lowest bin of each harmonic; there
  is one harmonic less than `nharmonics`; ranges that touch are merged, so that slot k is no longer harmonic k, and a
  (merged) range that crosses the Nyquist frequency is dropped.

The functions with the original's names (some are in the module `util`) give the recorded values unless called with
``legacy=False``; those with new names do the right thing unless `legacy` is asked for. See Miron, Janer, Gomez,
"Monaural score-informed source separation for classical music using convolutional neural networks", ISMIR 2017,
section 3.
"""
import bisect
import math
from dataclasses import dataclass

import numpy as np

from deepconvsep.score.notes import FREQ_A4, Note, cut_notes, midi2freq

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

@dataclass(frozen=True)
class Grid:
    """Where notes fall in a spectrogram.

    Parameters
    ----------
    sample_rate, hop, window : int
        Of the spectrogram: Hz, samples, samples.
    interval : float
        Cents from a harmonic to either limit of its range.
    tuning : float
        Frequency of A4, in Hz.
    nharmonics : int
        Harmonics of a note.
    before, after : float
        Seconds by which every note is widened (tolerance of the alignment).
    fermata : float
        Seconds by which a note may sound on where no later one begins.
    legacy : bool
        See the module.
    """

    sample_rate: int = 44100
    hop: int = 512
    window: int = 4096
    interval: float = 50.
    tuning: float = FREQ_A4
    nharmonics: int = 20
    before: float = 0.
    after: float = 0.
    fermata: float = 0.
    legacy: bool = False

    @property
    def rate(self):
        """Frames a second."""
        return float(round(self.sample_rate // self.hop)) if self.legacy else self.sample_rate / float(self.hop)


def stretch(notes, begin, finish, nframes, grid):
    """The notes of a stretch of a score, in the precision asked for."""
    if grid.legacy:
        notes = [Note(float(np.float32(onset)), float(np.float32(offset)), midi) for onset, offset, midi in notes]
    return cut_notes(notes, begin, finish, limit=nframes * grid.hop / float(grid.sample_rate))


def sounding_frames(notes, length, nframes, grid):
    """First and last + 1 frame of each note, widened: by `before` and `after` always, by `fermata` where is room."""
    rate, before, after = grid.rate, grid.before, grid.after
    limit = min(nframes, int(rate * length)) if math.isfinite(length) else nframes
    onsets = sorted(note.onset for note in notes)
    frames = []
    for onset, offset, _ in notes:
        begin = max(0, int(onset * rate) - int(round(before * rate)))
        later = bisect.bisect_right(onsets, onset)
        free = onsets[later] - before if later < len(onsets) else math.inf
        if free < offset + after:
            end = int(offset * rate) + int(round(after * rate))
        else:
            end = int(rate * min(offset + max(after, grid.fermata), free))
        frames.append((begin, min(end, limit)))
    return frames


def note_rows(notes, nframes, grid=Grid(), begin=0., finish=None):
    """Notes of one instrument as rows of a note array (see the module).

    Parameters
    ----------
    notes : list of score.Note
        Sorted by onset.
    nframes : int
        Frames of the spectrogram that the rows are for.
    grid : Grid
        The spectrogram, and how wide notes are in it.
    begin, finish : float
        The stretch of the score, in seconds; its beginning is frame 0.

    Returns
    -------
    numpy.ndarray
        float64, (notes, 2 * nharmonics + 3).

    Examples
    --------
    >>> note_rows([Note(40., 40.5, 69)], 4000, Grid(nharmonics=2))
    array([[3445., 3488.,   69.,   39.,   44.,   79.,   86.]])
    >>> note_rows([Note(40., 40.5, 69)], 4000, Grid(nharmonics=2, legacy=True))
    array([[3440., 3483.,   69.,   40.,   44.,    0.,    0.]])
    """
    notes = stretch(notes, begin, finish, nframes, grid)
    length = float('inf') if finish is None else finish - begin
    rows = np.zeros((len(notes), 2 * grid.nharmonics + 3))
    for row, note, limits in zip(rows, notes, sounding_frames(notes, length, nframes, grid)):
        row[:2], row[2] = limits, note.midi
        slices = slicefft_slices(note.midi, grid.window, grid.interval, grid.tuning, grid.nharmonics,
                                 sampleRate=grid.sample_rate, legacy=grid.legacy)
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
