"""Signals made into others: many channels into one, a rate into another, a shift in time."""
import numpy as np
import soxr

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
