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

Energies come from correlations where these are precise enough, else the parts are filtered out explicitly.

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
import concurrent.futures
import functools
from typing import NamedTuple

import numpy as np

from deepconvsep.errors import InputError
from deepconvsep.metrics import energies, projection

FRAMES_AT_ONCE = 4   # each takes some 150 MB


class Scores(NamedTuple):
    """Scores in dB, each (nsrc,) or, framewise, (nsrc, nframes); ISR is None for `bss_eval_sources`.

    `perm[j]` is the estimate that was taken for source j.
    """

    SDR: np.ndarray
    ISR: np.ndarray | None
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
    cross = projection.correlations(references, estimates)
    return _score(references, estimates, cross, compute_permutation, images=False)


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
    cross = projection.correlations(references, estimates)
    return _score(references, estimates, cross, compute_permutation, images=True)


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
    if window < 1 or hop < 1:
        raise InputError('window is %s and hop %s, expected at least 1 sample each' % (window, hop))
    if references.ndim != 3:
        raise InputError('references have shape %s, expected (nsrc, nsamples, nchannels)' % (references.shape,))
    if references.shape != estimates.shape:
        raise InputError('references have shape %s and estimates %s, expected the same'
                         % (references.shape, estimates.shape))
    bounds = frame_bounds(references.shape[1], window, hop)
    threads = min(projection.WORKERS, len(bounds), FRAMES_AT_ONCE)
    share = functools.partial(_score_frames, references, estimates, hop=hop, workers=projection.WORKERS // threads)
    runs = [bounds[len(bounds) * number // threads:len(bounds) * (number + 1) // threads] for number in range(threads)]
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        frames = [scores for run in pool.map(share, runs) for scores in run]
    return Scores(*(np.stack(scores, axis=1) for scores in zip(*frames)))


def _score_frames(references, estimates, bounds, hop, workers):
    """Scores of each of some consecutive frames."""
    frames, first = [], None
    for start, stop in bounds:
        frame = _checked(references[:, start:stop], estimates[:, start:stop], 3)
        if stop - start == 2 * hop:
            # the second half is the first one of the next frame
            if first is None:
                first = projection.correlations(*projection.cut(frame, 0, hop), workers)
            second = projection.correlations(*projection.cut(frame, hop, 2 * hop), workers)
            cross, first = first + second + projection.correlations_across(frame, hop), second
        else:
            cross = projection.correlations(*frame, workers)
        frames.append(_score(*frame, cross, compute_permutation=False, images=True, workers=workers))
    return frames


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
    """Both as arrays (nsrc, nchannels, nsamples), float32 if they are and else float64, or an InputError."""
    shape = '(nsrc, nsamples)' if ndim == 2 else '(nsrc, nsamples, nchannels)'
    if np.shape(references) != np.shape(estimates):
        raise InputError('references have shape %s and estimates %s, expected the same'
                         % (np.shape(references), np.shape(estimates)))
    checked = []
    for name, array in (('references', references), ('estimates', estimates)):
        array = np.asarray(array)
        if array.ndim != ndim or array.size == 0:
            raise InputError('%s have shape %s, expected %s, none of them 0' % (name, array.shape, shape))
        if array.shape[0] > array.shape[1]:
            raise InputError('%s have shape %s, expected %s, fewer sources than samples: transpose them'
                             % (name, array.shape, shape))
        array = array[:, None] if ndim == 2 else array.transpose(0, 2, 1)
        if array.dtype != np.float32:
            array = array.astype(np.float64, copy=False)
        if not np.isfinite(array.sum()) and not np.isfinite(array).all():
            raise InputError('%s hold NaN or infinite samples, expected finite ones' % name)
        checked.append(array)
    return checked


def _score(references, estimates, cross, compute_permutation, images, workers=None):
    """Scores of (nsrc, nchannels, nsamples) arrays, `cross` being their :func:`projection.correlations`."""
    nsrc = len(references)
    if compute_permutation:
        pairs = [(source, estimate) for source in range(nsrc) for estimate in range(nsrc)]
    else:
        pairs = [(source, source) for source in range(nsrc)]
    own, interference = projection.projection_filters(references, cross, pairs)
    parts = energies.of_parts(references, estimates, cross, pairs, own, interference, images, workers)
    sdr = _ratio(parts['source'], parts['error']) if images else _ratio(parts['own'], parts['beside own'])
    isr = _ratio(parts['source'], parts['spatial']) if images else None
    sir = _ratio(parts['own'], parts['interference'])
    sar = _ratio(parts['projection'], parts['artifacts'])
    perm = np.arange(nsrc)
    best = perm
    if compute_permutation:
        import scipy.optimize
        gain = np.nan_to_num(sir.reshape(nsrc, nsrc), nan=0., posinf=1e3, neginf=-1e3)
        perm = scipy.optimize.linear_sum_assignment(gain, maximize=True)[1]
        best = np.arange(nsrc) * nsrc + perm
    return Scores(sdr[best], None if isr is None else isr[best], sir[best], sar[best], perm)


def _ratio(numerator, denominator):
    with np.errstate(divide='ignore', invalid='ignore'):
        return 10. * np.log10(numerator / denominator)
