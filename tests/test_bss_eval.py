"""BSS Eval against the MATLAB code (recorded), mir_eval, closed forms, and a plain restatement with `lstsq`."""
import concurrent.futures
import json
import os
import subprocess
import sys

import numpy as np
import pytest
import scipy.signal
from conftest import GOLDEN, ROOT

from deepconvsep.errors import InputError
from deepconvsep.metrics import bss_eval, projection

L = projection.FILTER_LENGTH

with open(os.path.join(GOLDEN, '8_evaluation', 'bss_eval.json')) as source:
    RECORDED = json.load(source)


@pytest.fixture(scope='module')
def signals(golden):
    with np.load(golden('8_evaluation/bss_eval.npz')) as recorded:
        return dict(recorded)


@pytest.mark.parametrize('case', RECORDED, ids=[case['name'] for case in RECORDED])
def test_scores_of_the_matlab_code(case, signals):
    references, estimates = (signals['%s.%s' % (case['name'], key)] / 32768. for key in 'se')
    expected = {measure: np.array(case[measure], float) for measure in ('SDR', 'ISR', 'SIR', 'SAR') if measure in case}
    sources = case['function'] == 'bss_eval_sources'
    if case['name'] == 'mono2_silent_estimate':
        # the recorded order is an artefact of how MATLAB's max treats NaN: give the estimates in that order
        scores = bss_eval.bss_eval_sources(references, estimates[::-1], compute_permutation=False)
    elif sources:
        scores = bss_eval.bss_eval_sources(references, estimates)
    else:
        scores = bss_eval.bss_eval_images(references, estimates, case['function'] == 'bss_eval_images')
    assert set(expected) == ({'SDR', 'SIR', 'SAR'} if sources else {'SDR', 'ISR', 'SIR', 'SAR'})
    for measure, values in expected.items():
        got = getattr(scores, measure)
        large = values > 60
        np.testing.assert_allclose(got[~large], values[~large], rtol=0, atol=1e-6, err_msg=measure)
        np.testing.assert_allclose(got[large], values[large], rtol=0, atol=1e-2, err_msg=measure)
    if 'perm' in case and case['name'] != 'mono2_silent_estimate':
        assert [int(index) + 1 for index in scores.perm] == [float(place) for place in case['perm']]


def test_a_silent_estimate_does_not_upset_the_order_of_the_others():
    references = np.random.RandomState(1).randn(3, 4000)
    estimates = references[[2, 0, 1]] + 0.1 * references
    estimates[0] = 0
    scores = bss_eval.bss_eval_sources(references, estimates)
    assert list(scores.perm) == [1, 2, 0]
    assert np.isnan(scores.SDR[2]) and np.isfinite(scores.SDR[:2]).all()


# --- closed forms -----------------------------------------------------------------------------------------

def pulses(count, nsamples=8192):
    """Unit pulses further apart than the filters reach: delays of one are orthogonal to those of another."""
    sources = np.zeros((count, nsamples))
    sources[np.arange(count), 2 * L * np.arange(count) + 5] = 1.
    return sources


def db(ratio):
    return 10 * np.log10(ratio)


def test_closed_form_of_sources():
    sources = pulses(3)
    own, leak, noise = 0.8, 0.2, 0.05
    scores = bss_eval.bss_eval_sources(sources[:2], own * sources[:2] + leak * sources[1::-1] + noise * sources[2])
    np.testing.assert_allclose(scores.SDR, db(own ** 2 / (leak ** 2 + noise ** 2)), atol=1e-9)
    np.testing.assert_allclose(scores.SIR, db(own ** 2 / leak ** 2), atol=1e-9)
    np.testing.assert_allclose(scores.SAR, db((own ** 2 + leak ** 2) / noise ** 2), atol=1e-9)
    assert scores.ISR is None


def test_closed_form_of_images():
    left, right, other_left, other_right, noise = pulses(5, 12000)
    references = np.stack([np.stack([left, right], 1), np.stack([other_left, other_right], 1)])
    gain, leak, artifact = 0.9, 0.1, 0.02
    estimates = gain * references + leak * references[::-1] + artifact * noise[:, None]
    scores = bss_eval.bss_eval_images(references, estimates)
    np.testing.assert_allclose(scores.SDR, db(1 / ((1 - gain) ** 2 + leak ** 2 + artifact ** 2)), atol=1e-9)
    np.testing.assert_allclose(scores.ISR, db(1 / (1 - gain) ** 2), atol=1e-9)
    np.testing.assert_allclose(scores.SIR, db(gain ** 2 / leak ** 2), atol=1e-9)
    np.testing.assert_allclose(scores.SAR, db((gain ** 2 + leak ** 2) / artifact ** 2), atol=1e-9)


def test_a_filter_of_512_taps_is_no_error_and_one_more_delay_is():
    source = pulses(1)
    assert bss_eval.bss_eval_sources(source, np.roll(source, L - 1, axis=1)).SDR[0] > 250
    assert bss_eval.bss_eval_sources(source, np.roll(source, L, axis=1)).SDR[0] < -250


def test_a_perfect_estimate_is_a_large_number_and_not_nan():
    references = np.random.RandomState(2).randn(2, 20000, 2)
    scores = bss_eval.bss_eval_images(references, references)
    assert np.isposinf(scores.SDR).all()
    for values in (scores.ISR, scores.SIR, scores.SAR):
        assert (values > 200).all()


# --- a plain restatement, with minimum-norm solutions -----------------------------------------------------

SHORT = 40   # taps, to keep the explicit matrices of the restatement small


@pytest.fixture
def short_filters(monkeypatch):
    monkeypatch.setattr(projection, 'FILTER_LENGTH', SHORT)
    monkeypatch.setattr(projection, 'REACH', SHORT - 1)
    monkeypatch.setattr(projection, 'BLOCK', 1024 - 2 * (SHORT - 1))
    monkeypatch.setattr(projection, 'FFT', 1024)


def plain_projection(channels, estimate):
    """Least squares on the explicit matrix of delayed channels; singular values below 1.5e-8 (the root of the
    precision, as eigenvalues of the normal equations are their squares) count as zero."""
    nsamples = len(estimate)
    delayed = np.zeros((nsamples + SHORT - 1, len(channels) * SHORT))
    for index, channel in enumerate(channels):
        for delay in range(SHORT):
            delayed[delay:delay + nsamples, index * SHORT + delay] = channel
    target = np.concatenate([estimate, np.zeros(SHORT - 1)])
    return delayed @ np.linalg.lstsq(delayed, target, rcond=np.finfo(float).eps ** 0.5)[0]


def plain_images(references, estimates):
    """SDR, ISR, SIR, SAR of (nsrc, nsamples, nchan) arrays without permutation."""
    nsrc, nsamples, nchan = references.shape
    channels = references.transpose(0, 2, 1)
    rows = []
    for source in range(nsrc):
        true = np.pad(channels[source], [(0, 0), (0, SHORT - 1)])
        estimate = np.pad(estimates[source].T, [(0, 0), (0, SHORT - 1)])
        own = np.array([plain_projection(channels[source], estimates[source, :, c]) for c in range(nchan)])
        both = np.array([plain_projection(channels.reshape(-1, nsamples), estimates[source, :, c])
                         for c in range(nchan)])
        with np.errstate(divide='ignore', invalid='ignore'):
            rows.append([db((true ** 2).sum() / ((estimate - true) ** 2).sum()),
                         db((true ** 2).sum() / ((own - true) ** 2).sum()),
                         db((own ** 2).sum() / ((both - own) ** 2).sum()),
                         db((both ** 2).sum() / ((estimate - both) ** 2).sum())])
    return np.array(rows).T


def stems(nsrc=2, nsamples=1800, seed=3):
    rng = np.random.RandomState(seed)
    references = rng.randn(nsrc, nsamples, 2)
    return references, 0.9 * references + 0.2 * references[::-1] + 0.1 * rng.randn(nsrc, nsamples, 2)


def assert_plain(references, estimates, atol=1e-6):
    scores = bss_eval.bss_eval_images(references, estimates, compute_permutation=False)
    np.testing.assert_allclose(np.array(scores[:4]), plain_images(references, estimates), rtol=0, atol=atol)
    return scores


def test_the_plain_restatement(short_filters):
    assert_plain(*stems())


def test_a_silent_source_leaves_the_scores_of_the_others(short_filters):
    references, estimates = stems(3, 2400)
    references[1] = 0
    scores = assert_plain(references, estimates)
    assert np.isneginf(scores.SDR[1]) and np.isnan(scores.ISR[1]) and np.isneginf(scores.SIR[1])
    assert np.isfinite(np.array(scores[:4])[:, [0, 2]]).all()


def test_the_only_source_that_sounds_has_no_interference():
    references, estimates = stems()
    references[1] = 0
    assert np.isposinf(bss_eval.bss_eval_images(references, estimates, compute_permutation=False).SIR[0])


@pytest.mark.parametrize('gain', [1., -1., 0.37])
def test_a_mono_source_in_two_channels_is_singular_and_scored(short_filters, gain):
    references, estimates = stems()
    references[0, :, 1] = gain * references[0, :, 0]
    assert_plain(references, estimates)


def test_sources_that_are_filters_of_each_other_are_singular_and_scored(short_filters):
    references, estimates = stems()
    references[1, 1:, 1] = references[0, :-1, 0]     # the same but for one delay: all delays but one in common
    references[1, 0, 1] = references[0, -1, 0] = 0
    assert_plain(references, estimates)


def test_sources_without_high_frequencies(short_filters):
    """Singular in double precision, without silence or copies."""
    rng = np.random.RandomState(4)
    low = scipy.signal.butter(12, 0.2, output='sos')
    references = scipy.signal.sosfilt(low, rng.randn(2, 9000, 2), axis=1)
    estimates = references + 0.2 * references[::-1] + 0.01 * rng.randn(2, 9000, 2)
    assert_plain(references, estimates, atol=0.1)   # which eigenvalues are zero is itself a matter of rounding


# --- windows ----------------------------------------------------------------------------------------------

@pytest.mark.filterwarnings('ignore::FutureWarning')
@pytest.mark.parametrize('window,hop', [(20000, 10000), (3000, 1500), (800, 400), (9000, 3000), (5000, 5000)])
def test_frames_are_scored_as_signals_of_their_own(window, hop):
    """Whose second half is the next one's first, or not."""
    generator = np.random.RandomState(0)
    references = generator.randn(2, 31000 if window > 1000 else 3000, 1 if window < 1000 else 2)
    references[0] *= np.linspace(0, 1, references.shape[1])[:, None]
    estimates = references + .3 * references[::-1] + .1 * generator.randn(*references.shape)
    framewise = bss_eval.bss_eval_images_framewise(references, estimates, window, hop)
    bounds = bss_eval.frame_bounds(references.shape[1], window, hop)
    assert len(bounds) > 1
    for number, (start, stop) in enumerate(bounds):
        alone = bss_eval.bss_eval_images(references[:, start:stop], estimates[:, start:stop], False)
        for every, one in zip(framewise[:4], alone[:4]):
            np.testing.assert_allclose(every[:, number], one, atol=1e-7)


def test_framewise_as_mir_eval():
    mir_eval = pytest.importorskip('mir_eval')
    references, estimates = stems(2, 12000, seed=5)   # the last window ends with the signal
    scores = bss_eval.bss_eval_images_framewise(references, estimates, 6000, 3000)
    expected = mir_eval.separation.bss_eval_images_framewise(references, estimates, 6000, 3000)
    assert scores.SDR.shape == (2, 3)
    np.testing.assert_allclose(np.array(scores), np.array(expected), rtol=0, atol=1e-8)


@pytest.mark.filterwarnings('ignore::FutureWarning')
def test_permutation_as_mir_eval():
    mir_eval = pytest.importorskip('mir_eval')
    rng = np.random.RandomState(6)
    references = rng.randn(4, 5000)
    estimates = references[[3, 1, 0, 2]] + 0.1 * rng.randn(4, 4) @ references + 0.1 * rng.randn(4, 5000)
    scores = bss_eval.bss_eval_sources(references, estimates)
    expected = mir_eval.separation.bss_eval_sources(references, estimates)
    np.testing.assert_allclose(np.array([scores.SDR, scores.SIR, scores.SAR, scores.perm]), np.array(expected),
                               rtol=0, atol=1e-8)


def test_windows_are_scored_alone_and_the_last_partial_one_is_dropped():
    references, estimates = (array.astype('f4') for array in stems(2, 7900))
    scores = bss_eval.bss_eval_images_framewise(references, estimates, 4000, 2000)
    assert scores.SDR.shape == (2, 2)
    alone = bss_eval.bss_eval_images(references[:, 2000:6000], estimates[:, 2000:6000], compute_permutation=False)
    for measure in range(4):
        np.testing.assert_allclose(scores[measure][:, 1], alone[measure], atol=1e-9)


def test_a_song_shorter_than_the_window_is_one_frame():
    references, estimates = stems()
    scores = bss_eval.bss_eval_images_framewise(references, estimates, 100000, 50000)
    whole = bss_eval.bss_eval_images(references, estimates, compute_permutation=False)
    np.testing.assert_array_equal(scores.SDR[:, 0], whole.SDR)
    assert scores.SDR.shape == (2, 1)


def test_blocks_do_not_change_the_scores(monkeypatch):
    references, estimates = stems(2, 30000)
    scores = bss_eval.bss_eval_images(references, estimates)
    for name in ('BATCH_CORRELATED', 'BATCH_FILTERED'):
        monkeypatch.setattr(projection, name, 1)
    np.testing.assert_allclose(np.array(bss_eval.bss_eval_images(references, estimates)), np.array(scores), atol=1e-9)


def test_arguments_are_left_as_they_are():
    references, estimates = stems()
    before = references.copy(), estimates.copy()
    bss_eval.bss_eval_images(references, estimates)
    np.testing.assert_array_equal(references, before[0])
    np.testing.assert_array_equal(estimates, before[1])


def test_bad_arguments():
    good = np.ones((2, 100))
    with pytest.raises(InputError, match=r'shape \(2, 100\) and estimates \(2, 99\), expected the same'):
        bss_eval.bss_eval_sources(good, good[:, :99])
    with pytest.raises(InputError, match=r'references have shape \(100,\), expected \(nsrc, nsamples\)'):
        bss_eval.bss_eval_sources(good[0], good[0])
    with pytest.raises(InputError, match=r'expected \(nsrc, nsamples, nchannels\)'):
        bss_eval.bss_eval_images(good, good)
    with pytest.raises(InputError, match=r'expected \(nsrc, nsamples, nchannels\)'):
        bss_eval.bss_eval_images_framewise(good, good, 50, 25)
    with pytest.raises(InputError, match='window is 50 and hop 0, expected at least 1 sample each'):
        bss_eval.bss_eval_images_framewise(good[..., None], good[..., None], 50, 0)
    with pytest.raises(InputError, match='estimates hold NaN or infinite samples'):
        bss_eval.bss_eval_sources(good, good * np.nan)


@pytest.mark.parametrize('threads', [2, 5])
def test_the_number_of_threads_changes_nothing(monkeypatch, threads):
    references = np.random.RandomState(0).randn(2, 100000, 2)
    estimates = references + .3 * np.random.RandomState(1).randn(2, 100000, 2)
    whole, framewise, pools = [], [], []
    executor = concurrent.futures.ThreadPoolExecutor
    monkeypatch.setattr(concurrent.futures, 'ThreadPoolExecutor', lambda count: pools.append(count) or executor(count))
    for number in (1, threads):
        pools.clear()
        monkeypatch.setattr(projection, 'WORKERS', number)
        whole.append(np.array(bss_eval.bss_eval_images(references, estimates)))
        framewise.append(np.array(bss_eval.bss_eval_images_framewise(references, estimates, 30000, 15000)))
        assert max(pools) == number
    np.testing.assert_allclose(whole[1], whole[0], atol=1e-9)
    np.testing.assert_allclose(framewise[1], framewise[0], atol=1e-9)


@pytest.mark.parametrize('given,workers', [('3', 3), ('4,2', 4), ('0', None), ('', None), ('many', None)])
def test_threads_are_those_of_the_environment(given, workers):
    program = ('from deepconvsep import process; process.cores = lambda: 7\n'
               'from deepconvsep.metrics import projection; print(projection.WORKERS)')
    env = {**os.environ, 'OMP_NUM_THREADS': given}
    assert int(subprocess.check_output([sys.executable, '-c', program], env=env, cwd=ROOT)) == (workers or 7)


def test_the_order_of_soundfile_is_refused():
    """It would take memory for as many sources as there are samples."""
    with pytest.raises(InputError, match=r'shape \(9000, 2\), expected \(nsrc, nsamples\), .*: transpose them'):
        bss_eval.bss_eval_sources(np.ones((9000, 2)), np.ones((9000, 2)))
