"""Signals made into others: many channels into one, a rate into another."""
import math

import numpy as np
import soxr

from deepconvsep.audio.reader import BLOCK
from deepconvsep.errors import InputError

# samples (of the lower rate) around a sample that still weigh in it when it is resampled, and more
EDGE = 256

# how the channels of a file become one: by the number of channels
DOWNMIX = {
    'mean': 'mono: as it is; stereo: (left + right) / 2; more channels: the average of all',
    'sum': 'mono: as it is; stereo: left + right; more channels: the sum of all',
}


def downmix(samples, rule='mean'):
    """Mix the channels of a signal into one; :data:`DOWNMIX` says how, by the number of channels.

    Parameters
    ----------
    samples : ndarray of floating point, shape (samples, channels)
    rule : {'mean', 'sum'}
        'sum' is for iKala, where one channel holds the voice and the other the accompaniment.

    Returns
    -------
    ndarray of the type of the samples, shape (samples,)

    Raises
    ------
    InputError
        When the samples are integers, which would wrap around.

    Examples
    --------
    >>> downmix(np.array([[0.5, 0.25]])).tolist(), downmix(np.array([[0.5, 0.25]]), 'sum').tolist()
    ([0.375], [0.75])
    """
    if not np.issubdtype(samples.dtype, np.floating):
        raise InputError('samples of %s, expected floating point: divide them by full scale' % samples.dtype)
    total = sum(samples.T)  # column by column: many times faster than samples.sum(axis=1)
    return total / samples.shape[1] if rule == 'mean' and samples.shape[1] > 1 else total


def resample_blocks(blocks, rate_in, rate_out, channels):
    """Resample a stream of blocks; equal rates pass through.

    Before its start and behind its end the signal is taken to go on, mirrored in its first and last sample: with
    silence there, the filter would ring at a signal that does not start or end at 0.

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
    reach = EDGE * max(1, -(-rate_in // rate_out))
    # what stands before the signal is a whole number of samples of either rate, so that the cut is exact
    unit = rate_in // math.gcd(rate_in, rate_out)
    lead = -(-reach // unit) * unit
    skip, read, done = lead * rate_out // rate_in, 0, 0

    def counted():
        nonlocal read
        for block in blocks:
            read += len(block)
            yield block

    def resampled(block, last=False):
        nonlocal skip, done
        part = stream.resample_chunk(np.ascontiguousarray(block, np.float64), last=last).reshape(-1, channels)
        cut = min(skip, len(part))
        skip -= cut
        # ends with the input, rounded to whole samples, and not with the samples behind it
        part = part[cut:][:(2 * read * rate_out + rate_in) // (2 * rate_in) - done]
        done += len(part)
        return part

    for start in range(0, lead - reach, BLOCK):
        resampled(np.zeros((min(BLOCK, lead - reach - start), channels)))
    for block in _mirrored(counted(), reach):
        yield resampled(block)
    yield resampled(np.zeros((0, channels)), last=True)


def _mirrored(blocks, count):
    """The blocks with `count` samples more at either end: the signal, turned by 180 degrees around its last sample."""
    head, tail = [], None
    for block in blocks:
        if tail is None:
            head.append(block)
            if sum(map(len, head)) <= count:
                continue
            tail = block = np.concatenate(head)
            block = np.pad(block, ((count, 0), (0, 0)), 'reflect', reflect_type='odd')
        tail = np.concatenate([tail[-count - 1:], block])[-count - 1:]
        yield block
    if tail is not None:
        yield np.pad(tail, ((0, count), (0, 0)), 'reflect', reflect_type='odd')[len(tail):]
    elif sum(map(len, head)):
        yield np.pad(np.concatenate(head), ((count, count), (0, 0)), 'reflect', reflect_type='odd')
