"""BSS Eval 3.0: SDR, ISR, SIR and SAR of separated sources, as the MATLAB toolbox defines them.

An estimate is split into the true source, spatial (or filtering) distortion, interference and artifacts,
by projecting it on the sources delayed by 0 to 511 samples, that is, filtered by 512 taps. The energy ratios
of the parts, in dB, are the scores:

====  =========================================  =========================================
..    :func:`bss_eval_sources`                   :func:`bss_eval_images`
====  =========================================  =========================================
SDR   own / (interference + artifacts)           source / (all the rest of the estimate)
ISR   not defined                                source / spatial distortion
SIR   own / interference                         own / interference
SAR   (own + interference) / artifacts           (own + interference) / artifacts
====  =========================================  =========================================

where *own* is the projection on the source's own delays.

The normal equations depend on the references alone, so they are built and factorised once and serve every
estimate. Correlations and filtering run block by block with short FFTs: only 1023 lags are needed. The parts
are filtered out explicitly; differences of energies would lose precision for good estimates.

Differences from the MATLAB code: the arguments are in the order of mir_eval (references first); permutations
count from 0; sources in a permutation are matched by the sum of finite SIRs, so that a silent estimate cannot upset
the order of the others. Where the equations are singular (a silent source, a mono source in two channels, sources
without high frequencies) the solution of minimum norm is taken, as Octave does; silent channels and multiples of
another channel are left out beforehand, which gives the same projection in less time.

References
----------
E. Vincent, R. Gribonval, C. Fevotte: Performance measurement in blind audio source separation. IEEE Trans. Audio,
Speech and Language Processing 14(4), 2006. E. Vincent et al.: The Signal Separation Evaluation Campaign
(2007-2010). Signal Processing 92, 2012, section 3 (images).
"""
import os
from typing import NamedTuple, Optional

import numpy as np
import scipy.fft
import scipy.linalg
import scipy.optimize

from errors import InputError

FILTER_LENGTH = 512
_FFT = 8192
_REACH = FILTER_LENGTH - 1
_BLOCK = _FFT - 2 * _REACH   # samples that one FFT settles, with the reach of the filters on both sides
_WORKERS = int(os.environ.get('OMP_NUM_THREADS') or os.cpu_count())   # as many threads as BLAS takes
_BATCH = 8       # blocks handled together: bounds the memory, keeps the matrix products large


class Scores(NamedTuple):
    """Scores in dB, each (nsrc,) or, framewise, (nsrc, nframes); ISR is None for `bss_eval_sources`.

    `perm[j]` is the estimate that was taken for source j.
    """

    SDR: np.ndarray
    ISR: Optional[np.ndarray]
    SIR: np.ndarray
    SAR: np.ndarray
    perm: np.ndarray


def bss_eval_sources(references, estimates, compute_permutation=True):
    """Scores of single-channel sources, up to a 512-tap filter.

    Parameters
    ----------
    references, estimates : array_like, (nsrc, nsamples)
        True and estimated sources.
    compute_permutation : bool
        Find the order of the estimates with the best sum of SIRs (the MATLAB code always does); else estimate j is
        taken for source j.

    Returns
    -------
    Scores
        With `ISR` None. A silent estimate has NaN; a silent source has -inf SDR and SIR.

    Raises
    ------
    InputError
        When shapes differ or are not (nsrc, nsamples), or values are not finite.

    Examples
    --------
    >>> rng = np.random.RandomState(0)
    >>> noise = rng.randn(2, 20000)
    >>> scores = bss_eval_sources(noise[:1], 3 * noise[:1] + 0.3 * noise[1:])
    >>> bool(abs(scores.SDR[0] - 20) < 0.5)
    True
    """
    references, estimates = _checked(references, estimates, 2)
    return _score(references[:, None], estimates[:, None], compute_permutation, images=False)


def bss_eval_images(references, estimates, compute_permutation=True):
    """Scores of source images (what each source adds to every channel), filtering counted as an error.

    Parameters
    ----------
    references, estimates : array_like, (nsrc, nsamples, nchannels)
        True and estimated images of the sources.
    compute_permutation : bool
        As for :func:`bss_eval_sources`; False is the toolbox's ``bss_eval_images_nosort``.

    Returns
    -------
    Scores
        A silent estimate has an SDR and ISR of 0 and NaN elsewhere; a silent source has -inf or NaN.

    Raises
    ------
    InputError
        When shapes differ or are not (nsrc, nsamples, nchannels), or values are not finite.
    """
    references, estimates = _checked(references, estimates, 3)
    return _score(references.transpose(0, 2, 1), estimates.transpose(0, 2, 1), compute_permutation, images=True)


def bss_eval_images_framewise(references, estimates, window, hop):
    """Scores of source images in overlapping windows, each with filters of its own; no permutation.

    The rule of the SiSEC campaigns for DSD100, with windows of 30 s and a hop of 15 s.

    Parameters
    ----------
    references, estimates : array_like, (nsrc, nsamples, nchannels)
        True and estimated images; windows are converted to float64 one at a time.
    window, hop : int
        In samples.

    Returns
    -------
    Scores
        Arrays (nsrc, nframes).

    Raises
    ------
    InputError
        As :func:`bss_eval_images`.
    """
    references, estimates = np.asarray(references), np.asarray(estimates)
    if references.ndim != 3:
        raise InputError('references have shape %s, expected (nsrc, nsamples, nchannels)' % (references.shape,))
    if references.shape != estimates.shape:
        raise InputError('references have shape %s and estimates %s, expected the same'
                         % (references.shape, estimates.shape))
    frames = [bss_eval_images(references[:, start:stop], estimates[:, start:stop], compute_permutation=False)
              for start, stop in frame_bounds(references.shape[1], window, hop)]
    return Scores(*(np.stack(scores, axis=1) for scores in zip(*frames)))


def frame_bounds(nsamples, window, hop):
    """Start and end of every whole window; a signal shorter than one window is one frame.

    (The MATLAB code gives no score at all to a signal shorter than the window.)

    Examples
    --------
    >>> frame_bounds(100, 40, 20)
    [(0, 40), (20, 60), (40, 80), (60, 100)]
    >>> frame_bounds(30, 40, 20)
    [(0, 30)]
    """
    if nsamples < window:
        return [(0, nsamples)]
    return [(start, start + window) for start in range(0, nsamples - window + 1, hop)]


def _checked(references, estimates, ndim):
    shape = '(nsrc, nsamples)' if ndim == 2 else '(nsrc, nsamples, nchannels)'
    checked = []
    for name, array in (('references', references), ('estimates', estimates)):
        array = np.asarray(array, dtype=np.float64)
        if array.ndim != ndim or array.size == 0:
            raise InputError('%s have shape %s, expected %s, none of them 0' % (name, array.shape, shape))
        if not np.isfinite(array).all():
            raise InputError('%s hold NaN or infinite samples, expected finite ones' % name)
        checked.append(array)
    if checked[0].shape != checked[1].shape:
        raise InputError('references have shape %s and estimates %s, expected the same'
                         % (checked[0].shape, checked[1].shape))
    return checked


def _score(references, estimates, compute_permutation, images):
    """Scores of float64 (nsrc, nchannels, nsamples) arrays."""
    nsrc = len(references)
    if compute_permutation:
        pairs = [(source, estimate) for source in range(nsrc) for estimate in range(nsrc)]
    else:
        pairs = [(source, source) for source in range(nsrc)]
    own, interference = _projection_filters(references, estimates, pairs)
    parts = _energies(references, estimates, pairs, own, interference, images)
    sdr = _ratio(parts['source'], parts['error']) if images else _ratio(parts['own'], parts['beside own'])
    isr = _ratio(parts['source'], parts['spatial']) if images else None
    sir = _ratio(parts['own'], parts['interference'])
    sar = _ratio(parts['projection'], parts['artifacts'])
    perm = np.arange(nsrc)
    best = perm
    if compute_permutation:
        gain = np.nan_to_num(sir.reshape(nsrc, nsrc), nan=0., posinf=1e3, neginf=-1e3)
        perm = scipy.optimize.linear_sum_assignment(gain, maximize=True)[1]
        best = np.arange(nsrc) * nsrc + perm
    return Scores(sdr[best], None if isr is None else isr[best], sir[best], sar[best], perm)


def _ratio(numerator, denominator):
    with np.errstate(divide='ignore', invalid='ignore'):
        return 10. * np.log10(numerator / denominator)


# --- projections ------------------------------------------------------------------------------------------

def _projection_filters(references, estimates, pairs):
    """Filters that project estimates on the delays of one source, and what all sources add to that.

    Returns
    -------
    own, interference : (nsrc * nchannels, npairs * nchannels, FILTER_LENGTH) float64
        For every reference channel and every channel of every pair's estimate.
    """
    nsrc, nchan, nsamples = references.shape
    channels = references.reshape(nsrc * nchan, nsamples)
    lags, products = _correlations(channels, estimates.reshape(-1, nsamples))
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


def _blocks(signals, first, count, left, width):
    """Samples ``[k * _BLOCK - left, + width)`` of blocks k = first, first + 1, ..., zero outside: (count, n, width)."""
    nsamples = signals.shape[1]
    start = first * _BLOCK - left
    length = (count - 1) * _BLOCK + width
    piece = np.zeros((len(signals), length))
    begin, end = max(start, 0), min(start + length, nsamples)
    if end > begin:
        piece[:, begin - start:end - start] = signals[:, begin:end]
    view = np.lib.stride_tricks.sliding_window_view(piece, width, axis=1)[:, ::_BLOCK]
    return view.transpose(1, 0, 2)


def _spectra(blocks):
    """Spectra of (count, n, width) blocks, as (frequencies, n, count)."""
    return scipy.fft.rfft(blocks.transpose(2, 1, 0), _FFT, axis=0, workers=_WORKERS)


def _batches(nsamples):
    """(first, count) of the batches of blocks that cover `nsamples`."""
    total = -(-nsamples // _BLOCK)
    return [(first, min(_BATCH, total - first)) for first in range(0, total, _BATCH)]


def _correlations(references, estimates):
    """Products of references with delayed references, and with estimates.

    Returns
    -------
    lags : (n, n, 2 * FILTER_LENGTH - 1) float64
        ``lags[i, j, _REACH + d]`` is the sum over t of ``references[i, t] * references[j, t + d]``.
    products : (n, m, FILTER_LENGTH) float64
        ``products[i, k, a]`` is the sum over t of ``references[i, t] * estimates[k, t + a]``.
    """
    both = np.concatenate([references, estimates])
    cross = 0.
    for first, count in _batches(references.shape[1]):
        here = _spectra(_blocks(references, first, count, 0, _BLOCK))
        around = _spectra(_blocks(both, first, count, _REACH, _FFT))
        cross = cross + np.matmul(here.conj(), around.transpose(0, 2, 1))
    cross = np.moveaxis(scipy.fft.irfft(cross, _FFT, axis=0)[:2 * _REACH + 1], 0, -1)
    return cross[:, :len(references)], cross[:, len(references):, _REACH:]


def _independent(channels, lags, chosen):
    """Those of the chosen reference channels that are neither silent nor a multiple of an earlier one."""
    kept = []
    energy = lags[:, :, _REACH]
    for index in chosen:
        if not channels[index].any():
            continue
        for other in kept:
            alike = energy[index, other] ** 2 > (1 - 1e-12) * energy[index, index] * energy[other, other]
            if alike:
                gain = energy[index, other] / energy[other, other]
                rest = np.abs(channels[index] - gain * channels[other]).max()
                if rest <= 1e-12 * np.abs(channels[index]).max():
                    break
        else:
            kept.append(index)
    return kept


def _solve(lags, products, kept):
    """Least-squares filters of the kept reference channels, zero for the others: (n, m, FILTER_LENGTH)."""
    filters = np.zeros(products.shape)
    if kept:
        lags = lags[np.ix_(kept, kept)]
        right = products[kept].transpose(0, 2, 1).reshape(len(kept) * FILTER_LENGTH, -1)
        solution = _solve_positive(lags, right)
        filters[kept] = solution.reshape(len(kept), FILTER_LENGTH, -1).transpose(0, 2, 1)
    return filters


def _solve_positive(lags, right):
    """Solve the normal equations by Cholesky, or with the minimum norm where they are singular in double precision."""
    gram = _gram(lags)
    norm = scipy.linalg.lapack.dlange('1', gram.T)
    factor, info = scipy.linalg.lapack.dpotrf(gram.T, lower=0, clean=0, overwrite_a=1)
    if info == 0 and scipy.linalg.lapack.dpocon(factor, norm)[0] >= np.finfo(float).eps:
        return scipy.linalg.lapack.dpotrs(factor, right, lower=0)[0]
    values, vectors = scipy.linalg.eigh(_gram(lags).T, overwrite_a=True, check_finite=False, driver='evd')
    kept = values > np.finfo(float).eps * values[-1]
    vectors = vectors[:, kept]
    return vectors @ ((vectors.T @ right) / values[kept, None])


def _gram(lags):
    """The symmetric block-Toeplitz matrix ``[(i, a), (j, b)] -> lags[i, j, _REACH + a - b]``."""
    size = len(lags)
    gram = np.empty((size, FILTER_LENGTH, size, FILTER_LENGTH))
    # window a of the reversed lags, read backwards over a, is the row a of the Toeplitz block
    rows = np.lib.stride_tricks.sliding_window_view(lags[:, :, ::-1], FILTER_LENGTH, axis=2)[:, :, ::-1]
    gram[:] = rows.transpose(0, 2, 1, 3)
    return gram.reshape(size * FILTER_LENGTH, size * FILTER_LENGTH)


def _energies(references, estimates, pairs, own, interference, images):
    """Energies of the parts of every pair's estimate that the scores need, as a dict of (npairs,) arrays."""
    nsrc, nchan, nsamples = references.shape
    npairs = len(pairs)
    filters = np.concatenate([own, interference], axis=1).transpose(2, 1, 0)
    filters = scipy.fft.rfft(filters, _FFT, axis=0)
    sources, taken = [list(indices) for indices in zip(*pairs)]
    references = references.reshape(nsrc * nchan, nsamples)
    estimates = estimates.reshape(nsrc * nchan, nsamples)
    energies = {}
    for first, count in _batches(nsamples + _REACH):
        blocks = _blocks(references, first, count, _REACH, _FFT)
        parts = scipy.fft.irfft(np.matmul(filters, _spectra(blocks)), _FFT, axis=0, workers=_WORKERS)[_REACH:_REACH + _BLOCK]
        parts = parts.reshape(_BLOCK, 2, npairs, nchan, count)
        own_part, interference_part = parts[:, 0], parts[:, 1]
        shape = (_BLOCK, nsrc, nchan, count)
        estimate = _blocks(estimates, first, count, 0, _BLOCK).transpose(2, 1, 0).reshape(shape)[:, taken]
        projection = own_part + interference_part
        named = {'own': own_part, 'interference': interference_part, 'projection': projection,
                 'artifacts': estimate - projection}
        if images:
            source = blocks[:, :, _REACH:_REACH + _BLOCK].transpose(2, 1, 0).reshape(shape)[:, sources]
            named.update({'source': source, 'error': estimate - source, 'spatial': own_part - source})
        else:
            named['beside own'] = estimate - own_part
        for name, part in named.items():
            energies[name] = energies.get(name, 0.) + np.einsum('tpcb,tpcb->p', part, part)
    return energies
