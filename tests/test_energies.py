"""Energies from correlations against those of the filtered signals."""
import numpy as np
import pytest
import scipy.signal
from test_bss_eval import stems

from deepconvsep.metrics import bss_eval, energies

WAYS = {'sources': lambda references, estimates: bss_eval.bss_eval_sources(references[:, :, 0], estimates[:, :, 0]),
        'images': bss_eval.bss_eval_images,
        'unsorted': lambda references, estimates: bss_eval.bss_eval_images(references, estimates, False)}


def silent_source(references, estimates):
    references[1] = 0


def silent_estimate(references, estimates):
    estimates[0] = 0


def mono(references, estimates):
    references[..., 1] = references[..., 0]


def coloured(references, estimates):
    low = scipy.signal.butter(4, 0.4, output='sos')
    for array in (references, estimates):
        array[...] = scipy.signal.sosfilt(low, array, axis=1)


def quantised(references, estimates):
    coloured(references, estimates)
    for array in (references, estimates):
        array[...] = np.round(8000 * array) / 32768


def single(references, estimates):
    """In single precision."""


def exchanged(references, estimates):
    estimates[...] = estimates[::-1].copy()


@pytest.fixture
def ways_taken(monkeypatch):
    taken = []
    original = energies.from_correlations

    def recorded(*args):
        found = original(*args)
        taken.append('filtered' if found is None else 'correlations')
        return found
    monkeypatch.setattr(energies, 'from_correlations', recorded)
    return taken


@pytest.mark.parametrize('way', WAYS)
@pytest.mark.parametrize('change', [None, silent_source, silent_estimate, mono, coloured, quantised, single, exchanged])
def test_both_ways_give_the_same_scores(monkeypatch, ways_taken, way, change):
    references, estimates = stems(3 if change is None else 2, 12000)
    if change:
        change(references, estimates)
    if change is single:
        references, estimates = references.astype('f4'), estimates.astype('f4')
    scores = WAYS[way](references, estimates)
    monkeypatch.setattr(energies, 'PRECISE', 1e300)
    explicit = WAYS[way](references, estimates)
    # without anything at high frequencies rounding could be seen; 16 bits have enough there
    first = 'filtered' if change is coloured else 'correlations'
    assert ways_taken == [first, 'filtered'] or change in (silent_source, silent_estimate)
    for got, expected in zip(scores, explicit):
        if expected is not None:
            np.testing.assert_allclose(got, expected, rtol=0, atol=1e-7)


def test_good_estimates_are_filtered_before_rounding_shows(monkeypatch, ways_taken):
    """From -20 to -280 dB of leakage and noise."""
    references, estimates = stems(2, 9000)
    for power in range(1, 15):
        better = references + 10. ** -power * (estimates - references)
        scores = bss_eval.bss_eval_images(references, better)
        with monkeypatch.context() as patched:
            patched.setattr(energies, 'PRECISE', 1e300)
            explicit = bss_eval.bss_eval_images(references, better)
        for got, expected in zip(scores[:4], explicit[:4]):
            np.testing.assert_allclose(got, expected, rtol=0, atol=1e-6)
    assert ways_taken[0] == 'correlations' and ways_taken[-2] == 'filtered'
