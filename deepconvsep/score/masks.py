"""From note arrays (see :mod:`deepconvsep.score.rows`) to piano rolls and harmonic masks.

Source: Miron, Janer, Gomez, "Monaural score-informed source separation for classical music using convolutional neural
networks", ISMIR 2017, section 3.
"""
import numpy as np

from deepconvsep.errors import InputError

#: Columns of a piano roll for each instrument. The original's 127 have none for MIDI number 127 (12.5 kHz).
PITCHES = 127
#: Lowest value of a mask before it is normalised.
FLOOR = 1e-18
#: Share of a bin below which :func:`confined` trusts the score more than the network.
LEAST = 1e-6
#: No frame and no bin has a higher number.
LARGEST = 2. ** 31


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


def piano_roll(notes, start, stop, npitches=PITCHES, dtype=float):
    """Which notes sound in a segment.

    Parameters
    ----------
    notes : numpy.ndarray
        Note array, (instruments, notes, columns).
    start, stop : int
        Frames of the segment.
    npitches : int
        Columns per instrument. The original's 127 have none for MIDI number 127 (12.5 kHz), which is left out.
    dtype : numpy.dtype or type
        Of the roll.

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


def beside_roll(magnitudes, roll):
    """What a network sees that is told the notes: magnitudes, and behind them the piano roll, as wide by zeros.

    Parameters
    ----------
    magnitudes : numpy.ndarray
        (frames, bins).
    roll : numpy.ndarray
        (frames, columns), at most as many columns as bins; see :func:`piano_roll`.

    Returns
    -------
    numpy.ndarray
        (frames, 2, bins), of the type of the magnitudes.

    Examples
    --------
    >>> beside_roll(np.full((1, 3), .5), np.ones((1, 2))).tolist()
    [[[0.5, 0.5, 0.5], [1.0, 1.0, 0.0]]]
    """
    both = np.zeros((len(magnitudes), 2, magnitudes.shape[1]), magnitudes.dtype)
    both[:, 0], both[:, 1, :roll.shape[1]] = magnitudes, roll
    return both


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
        (instruments, MIDI numbers, slots): strength of each bin range of each note, which is *added*; without it, 1.
    dtype : numpy.dtype or type
        Of the canvas.
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
    if timbre is not None:
        least = len(notes), int(notes[..., 2].max(initial=0)) + 1, slots
        if timbre.ndim != 3 or any(size < needed for size, needed in zip(timbre.shape, least)):
            raise InputError('the timbre model has the shape %s, expected at least (%d, %d, %d): instruments, MIDI '
                             'numbers, harmonics' % (timbre.shape, *least))
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


def harmonic_mask(notes, start, stop, bins, timbre=None, dtype=float):
    """Soft masks of the instruments of a score in frames `start` to `stop` of a spectrogram.

    They add up to 1 in every bin, and are 1 / instruments where no instrument is expected; those of a long stretch,
    cut, equal those of the piece.

    Parameters
    ----------
    notes, start, stop, bins, timbre, dtype
        As in :func:`harmonic_canvas`.

    Returns
    -------
    numpy.ndarray
        (stop - start, instruments * bins), C-contiguous, instruments side by side.

    Examples
    --------
    >>> from deepconvsep.score.notes import Note
    >>> from deepconvsep.score.rows import note_rows, stack_rows
    >>> notes = stack_rows([note_rows([Note(0., 1., 69)], 100), note_rows([Note(0., 1., 76)], 100)])
    >>> mask = harmonic_mask(notes, 0, 30, 2049)
    >>> mask.shape, float(mask[0, 41]), float(mask[0, 2049 + 41]), float(mask[0, 2048])
    ((30, 4098), 1.0, 1e-18, 0.5)
    """
    canvas = harmonic_canvas(notes, start, stop, bins, timbre, dtype)
    canvas /= canvas.sum(axis=0)
    return canvas.transpose(1, 0, 2).reshape(stop - start, len(notes) * bins)


def confined(masks, limits):
    """Multiply soft masks by a score's, and give each bin the sum back that it had.

    Where the score expects nothing at all, its masks are equal, and those of the network stand. Where the network has
    nothing for any instrument that the score expects, the score's masks replace what it has.

    Parameters
    ----------
    masks : numpy.ndarray
        (instruments, frames, bins), of the network.
    limits : numpy.ndarray
        Of the same shape, of a score: :func:`harmonic_mask`.

    Returns
    -------
    numpy.ndarray
        As `masks`; these are not changed.

    Examples
    --------
    >>> masks, limits = np.array([[[.5, .5, 1.]], [[.5, .5, 0.]]]), np.array([[[1., .5, 1e-18]], [[1e-18, .5, 1.]]])
    >>> confined(masks, limits).round(3).tolist()
    [[[1.0, 0.5, 0.0]], [[0.0, 0.5, 1.0]]]
    """
    total = masks.sum(axis=0)
    # beside what any network gives to an instrument that it hears, nothing
    products = (masks + LEAST * total) * limits
    products *= total / np.maximum(products.sum(axis=0), np.finfo(products.dtype).tiny)
    return products
