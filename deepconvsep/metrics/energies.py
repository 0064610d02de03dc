"""Energies of the parts of an estimate, for BSS Eval: from correlations, or by filtering where these are too coarse.

The energy of sources that are filtered and added is a quadratic form of the filters, with the sources' correlations.
That takes no pass over the samples, but what is left of a good estimate is a small difference of large numbers then:
where rounding could be seen in a score, the parts are filtered out explicitly. SciPy is imported where it is used.
"""
import numpy as np

from deepconvsep.metrics import projection

# times the rounding error that an energy could have, below which it is computed explicitly
PRECISE = 1e8


def of_parts(references, estimates, cross, pairs, own, interference, images, workers):
    """Energies of the parts of every pair's estimate that the scores need.

    Parameters
    ----------
    references, estimates : (nsrc, nchannels, nsamples)
    cross : ndarray
        Their :func:`projection.correlations`.
    pairs : list of (source, estimate)
    own, interference : ndarray
        Of :func:`projection.projection_filters`.
    images : bool
        Whether the parts are those of source images.
    workers : int or None
        Threads, as of :func:`projection.sum_over_blocks`.

    Returns
    -------
    dict of str to ndarray
        (npairs,) each, by the name of the part.
    """
    parts = from_correlations(references, estimates, cross, pairs, own, interference, images)
    return filtered(references, estimates, pairs, own, interference, images, workers) if parts is None else parts


def from_correlations(references, estimates, cross, pairs, own, interference, images):
    """The same by quadratic forms; None where rounding could be seen. Arguments as of :func:`of_parts`."""
    nsrc, nchan, _ = references.shape
    n, npairs = nsrc * nchan, len(pairs)
    sources, taken = (np.array(indices) for indices in zip(*pairs))
    channel = np.arange(nchan)
    # of every channel of every pair, which is a column of the filters: the channels of its source and of its estimate
    true, found = ((index[:, None] * nchan + channel).ravel() for index in (sources, taken))
    lags, products = cross[:, :n], cross[:, n + found, projection.REACH:]
    levels = np.sqrt(np.maximum(np.diagonal(lags[:, :, projection.REACH]), 0))
    estimate = _squares(estimates, taken).ravel()

    every = own + interference
    filters = {'own': own, 'interference': interference, 'projection': every}
    if images:
        filters['spatial'] = own.copy()
        filters['spatial'][true, np.arange(len(true)), 0] -= 1
    forms = _quadratic(lags, np.stack(list(filters.values())))
    energy = dict(zip(filters, forms))
    scale = {name: np.einsum('n,nql->q', levels, np.abs(each)) ** 2 for name, each in filters.items()}
    rest, of = ('artifacts', 'projection'), ('beside own', 'own')
    for name, kind in (rest,) if images else (rest, of):
        energy[name] = estimate - 2 * np.einsum('nql,nql->q', filters[kind], products) + energy[kind]
        scale[name] = (np.sqrt(estimate) + np.sqrt(scale[kind])) ** 2

    energy, scale = ({name: each.reshape(npairs, nchan).sum(axis=1) for name, each in both.items()}
                     for both in (energy, scale))
    if any((energy[name] < PRECISE * np.finfo(float).eps * scale[name]).any() for name in energy):
        return None
    if images:
        energy['source'] = _squares(references, sources).sum(axis=1)
        energy['error'] = _squares(references, sources, estimates, taken).sum(axis=1)
    return energy


def _quadratic(lags, filters):
    """For each column of filters, (kinds, n, columns, length), the energy of what they make of the sources."""
    import scipy.fft
    length = filters.shape[-1]
    spectra = [scipy.fft.rfft(each, 2 * length) for each in (lags, filters)]
    # what wraps around falls on lags that are not used
    made = scipy.fft.irfft(np.einsum('ijf,kjqf->kiqf', *spectra, optimize=True), 2 * length)
    return np.einsum('kiql,kiql->kq', filters, made[..., length - 1:2 * length - 1])


def _squares(signals, chosen, others=None, less=None):
    """Sums of squares of the chosen signals, those `less` of others subtracted if given: (chosen, nchannels)."""
    total = np.zeros((len(chosen), signals.shape[1]))
    for start in range(0, signals.shape[2], 1 << 14):
        part = slice(start, start + (1 << 14))
        piece = signals[chosen, :, part].astype(np.float64)
        if others is not None:
            piece -= others[less, :, part]
        total += np.einsum('pct,pct->pc', piece, piece)
    return total


def filtered(references, estimates, pairs, own, interference, images, workers=None):
    """The same by filtering the sources, block by block. Arguments as of :func:`of_parts`."""
    import scipy.fft
    nsrc, nchan, nsamples = references.shape
    npairs = len(pairs)
    filters = projection.spectra(np.concatenate([own, interference], axis=1))
    sources, taken = [list(indices) for indices in zip(*pairs)]
    references = references.reshape(nsrc * nchan, nsamples)
    estimates = estimates.reshape(nsrc * nchan, nsamples)
    reach, block = projection.REACH, projection.BLOCK
    shape = (-1, nsrc, nchan, block)

    def of_blocks(first, count):
        blocks = projection.blocks(references, first, count, reach, projection.FFT)
        made = np.matmul(filters, projection.spectra(blocks)).transpose(2, 1, 0)
        made = scipy.fft.irfft(made, projection.FFT)[:, :, reach:reach + block]
        own_part, interference_part = made.reshape(count, 2, npairs, nchan, block).swapaxes(0, 1)
        estimate = projection.blocks(estimates, first, count, 0, block).reshape(shape)[:, taken]
        projected = own_part + interference_part
        parts = [own_part, interference_part, projected, estimate - projected]
        if images:
            source = blocks[:, :, reach:reach + block].reshape(shape)[:, sources]
            parts += [source, estimate - source, own_part - source]
        else:
            parts += [estimate - own_part]
        return np.stack([np.einsum('bpct,bpct->p', part, part) for part in parts])

    names = ['own', 'interference', 'projection', 'artifacts']
    names += ['source', 'error', 'spatial'] if images else ['beside own']
    sums = projection.sum_over_blocks(of_blocks, nsamples + reach, projection.BATCH_FILTERED, workers)
    return dict(zip(names, sums))
