"""Least-squares projection of signals on delayed sources, for BSS Eval.

The normal equations depend on the sources alone, so they are built and factorised once and serve every estimate.
Correlations and filtering run block by block with short FFTs: only 1023 lags are needed. SciPy is imported where it is
used: that takes longer than all else before a script knows its flags.
"""
import concurrent.futures
import os

import numpy as np

from deepconvsep import process
from deepconvsep.metrics import toeplitz

FILTER_LENGTH = 512
FFT = 4096
REACH = FILTER_LENGTH - 1
BLOCK = FFT - 2 * REACH   # samples that one FFT settles, with the reach of the filters on both sides
# as many threads as BLAS takes; the variable may be a list, of which the first is for the outermost level
_wanted = os.environ.get('OMP_NUM_THREADS', '').split(',')[0].strip()
WORKERS = int(_wanted) if _wanted.isdecimal() and int(_wanted) else process.cores()
# blocks handled together: bounds the memory, keeps the matrix products large, but in the cache
BATCH_CORRELATED, BATCH_FILTERED = 8, 4


def projection_filters(references, cross, pairs):
    """Filters that project estimates on the delays of one source, and what all sources add to that.

    Returns
    -------
    own, interference : (nsrc * nchannels, npairs * nchannels, FILTER_LENGTH) float64
        For every reference channel and every channel of every pair's estimate.
    """
    nsrc, nchan, nsamples = references.shape
    channels = references.reshape(nsrc * nchan, nsamples)
    lags, products = cross[:, :len(channels)], cross[:, len(channels):, REACH:]
    everything = _solve(lags, products, _independent(channels, lags, range(nsrc * nchan)))
    own = np.zeros((nsrc * nchan, len(pairs), nchan, FILTER_LENGTH))
    interference = np.zeros_like(own)
    everything = everything.reshape(nsrc * nchan, -1, nchan, FILTER_LENGTH)
    for source in range(nsrc):
        mine = range(source * nchan, (source + 1) * nchan)
        filters = _solve(lags, products, _independent(channels, lags, mine)).reshape(everything.shape)
        for index, (paired, estimate) in enumerate(pairs):
            if paired == source:
                own[:, index] = filters[:, estimate]
                interference[:, index] = everything[:, estimate] - filters[:, estimate]
    shape = (nsrc * nchan, len(pairs) * nchan, FILTER_LENGTH)
    return own.reshape(shape), interference.reshape(shape)


def blocks(signals, first, count, left, width):
    """Samples ``[k * BLOCK - left, + width)`` of blocks k = first, first + 1, ..., zero outside: (count, n, width)."""
    nsamples = signals.shape[1]
    start = first * BLOCK - left
    length = (count - 1) * BLOCK + width
    piece = np.zeros((len(signals), length))
    begin, end = max(start, 0), min(start + length, nsamples)
    if end > begin:
        piece[:, begin - start:end - start] = signals[:, begin:end]
    view = np.lib.stride_tricks.sliding_window_view(piece, width, axis=1)[:, ::BLOCK]
    return view.transpose(1, 0, 2)


def spectra(blocks):
    """Spectra of (count, n, width) blocks, as (frequencies, n, count)."""
    import scipy.fft
    return scipy.fft.rfft(blocks.transpose(2, 1, 0), FFT, axis=0)


def sum_over_blocks(function, nsamples, batch, workers=None):
    """Sum what `function` yields for (first, count) of every batch of blocks that cover `nsamples`, on some threads."""
    total = -(-nsamples // BLOCK)
    batches = [(first, min(batch, total - first)) for first in range(0, total, batch)]

    def share(number):
        sums = 0.
        for first, count in batches[number::threads]:
            sums = sums + function(first, count)
        return sums

    threads = min(workers or WORKERS, len(batches))
    if threads == 1:
        return share(0)
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        return sum(pool.map(share, range(threads)))


def correlations(references, estimates, workers=None):
    """Products of references with delayed references and estimates, all of shape (nsrc, nchannels, nsamples).

    `workers` is the number of threads (default: as many as BLAS takes).

    Returns
    -------
    (n, 2 * n, 2 * FILTER_LENGTH - 1) float64
        n = nsrc * nchannels; ``[i, k, REACH + d]`` is the sum over t of ``references[i, t] * signal[k, t + d]``, the
        signals being first the references, then the estimates.
    """
    import scipy.fft
    nsamples = references.shape[-1]
    references, estimates = references.reshape(-1, nsamples), estimates.reshape(-1, nsamples)

    def cross_spectra(first, count):
        pieces = [blocks(signals, first, count, REACH, FFT) for signals in (references, estimates)]
        here = spectra(pieces[0][:, :, REACH:REACH + BLOCK]).conj()
        return np.concatenate([np.matmul(here, spectra(around).transpose(0, 2, 1)) for around in pieces], axis=2)

    cross = scipy.fft.irfft(sum_over_blocks(cross_spectra, nsamples, BATCH_CORRELATED, workers), FFT, axis=0)
    return np.moveaxis(cross[:2 * REACH + 1], 0, -1)


def cut(signals, start, stop):
    """Some samples of every array."""
    return [signal[:, :, start:stop] for signal in signals]


def correlations_across(signals, border):
    """What :func:`correlations` lack when those of the samples before and after a border are added."""
    begin, end = max(border - REACH, 0), border + REACH
    both, before, after = (correlations(*cut(signals, *bounds), workers=1)
                           for bounds in ((begin, end), (begin, border), (border, end)))
    return both - before - after


def _independent(channels, lags, chosen):
    """Those of the chosen reference channels that are neither silent nor a multiple of an earlier one."""
    kept = []
    energy = lags[:, :, REACH]
    for index in chosen:
        if not channels[index].any():
            continue
        for other in kept:
            alike = energy[index, other] ** 2 > (1 - 1e-12) * energy[index, index] * energy[other, other]
            if alike:
                gain = energy[index, other] / energy[other, other]
                rest = np.abs(channels[index] - gain * channels[other].astype(np.float64)).max()
                if rest <= 1e-12 * np.abs(channels[index]).max():
                    break
        else:
            kept.append(index)
    return kept


def _solve(lags, products, kept):
    """Filters of the kept reference channels, zero for the others: (n, m, FILTER_LENGTH)."""
    filters = np.zeros(products.shape)
    if kept:
        filters[kept] = toeplitz.solve(lags[np.ix_(kept, kept)], products[kept])
    return filters
