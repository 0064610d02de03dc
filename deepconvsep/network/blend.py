"""From the outputs of successive windows to soft masks that are blended where the windows overlap; NumPy only.

The masks of a window are its outputs over their sum. They fade in linearly over what is there already, window after
window; in the end each window has had a weight for each of its frames, and the blended masks are the weighted sum.
Source: P. Chandna, M. Miron, J. Janer and E. Gomez, LVA/ICA 2017, section 2.
"""
import numpy as np

#: Sums of outputs from here on can be divided by in float32, and up to infinity.
LEAST = float(np.finfo(np.float32).tiny)


def fade_weights(count, time_context, overlap, follows):
    """What each window weighs in a linear cross-fade.

    With `up` rising from 0 to 1 over the `overlap` frames, the result is ``(1 - up) * before + up * window`` there and
    the window itself behind.

    Parameters
    ----------
    count : int
        Windows that follow each other.
    time_context, overlap : int
        Frames per window, and frames that a window shares with the next.
    follows : bool
        Whether there are windows before, over whose last `overlap` frames the first one fades in.

    Returns
    -------
    before : ndarray of float64, shape (overlap,)
        What is left of the frames of the windows before; zeros where there are none.
    windows : ndarray of float64, shape (count, time_context)
        The weight of each window's frames.

    Examples
    --------
    >>> before, windows = fade_weights(2, 4, 3, True)
    >>> before.tolist()
    [1.0, 0.5, 0.0]
    >>> windows.tolist()
    [[0.0, 0.5, 0.5, 0.0], [0.0, 0.5, 1.0, 1.0]]
    """
    step, up = time_context - overlap, np.linspace(0, 1, overlap)
    # rows: what was before, then the windows; columns: all frames
    weights = np.zeros((1 + count, (count - 1) * step + time_context))
    weights[0, :overlap] = follows
    for number, start in enumerate(range(0, count * step, step)):
        weights[:, start:start + overlap] *= 1 - up
        weights[1 + number, start:start + overlap] = up if number or follows else 1
        weights[1 + number, start + overlap:start + time_context] = 1
    windows = [row[number * step:number * step + time_context] for number, row in enumerate(weights[1:])]
    return weights[0, :overlap], np.array(windows)


def blend(windows, noise, in_numerator, weights, step):
    """The masks of successive windows, each by its weights.

    Parameters
    ----------
    windows : iterable of ndarray, shape (sources, time_context, bins)
        The outputs of each window, not negative; they are overwritten.
    noise, in_numerator
        As in :func:`add_masks`.
    weights : ndarray, shape (windows, time_context)
    step : int
        Frames from the start of a window to that of the next.

    Returns
    -------
    masks : ndarray, shape (sources, frames, bins)
        Of the frames that the weighted windows cover.
    fine : ndarray of bool, shape (windows, time_context)
        As of :func:`add_masks`.
    """
    (count, length), bins, masks, fine = weights.shape, noise.shape[1], None, []
    for number, (outputs, row) in enumerate(zip(windows, weights)):
        if masks is None:
            masks = np.zeros((len(outputs), (count - 1) * step + length, bins), noise.dtype)
        start = number * step
        fine.append(add_masks(outputs, noise, in_numerator, row, masks[:, start:start + length]))
    return masks, np.array(fine)


def add_masks(outputs, noise, in_numerator, weights, masks):
    """Add the masks of one window, by weight, to what other windows have left in their frames.

    Parameters
    ----------
    outputs : ndarray, shape (sources, time_context, bins)
        Not negative; they are overwritten.
    noise : ndarray, shape (time_context, bins)
        What is added to the outputs, if `in_numerator`, or to their sum; see
        :func:`deepconvsep.network.masks.soft_masks`.
    in_numerator : bool
    weights : ndarray, shape (time_context,)
    masks : ndarray, shape (sources, time_context, bins)

    Returns
    -------
    ndarray of bool, shape (time_context,)
        Which frames have masks: where not, a sum is not finite, or too small to be divided by.
    """
    if in_numerator:
        outputs += noise
        total = outputs.sum(axis=0)
    else:
        total = outputs.sum(axis=0)
        total += noise
    fine = (total.max(axis=1) < np.inf) & (total.min(axis=1) >= LEAST)
    np.divide(weights[:, None], total, out=total)
    outputs *= total
    masks += outputs
    return fine
