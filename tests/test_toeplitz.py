"""Systems of Toeplitz blocks against matrices written out."""
import numpy as np
import pytest

from deepconvsep.metrics import projection, toeplitz

LENGTH = 24


def lags_of(channels):
    """Correlations (n, n, 2 * LENGTH - 1), one sum at a time."""
    n, nsamples = channels.shape
    padded = np.pad(channels, [(0, 0), (LENGTH, LENGTH)])
    lags = np.empty((n, n, 2 * LENGTH - 1))
    for lag in range(1 - LENGTH, LENGTH):
        lags[:, :, LENGTH - 1 + lag] = channels @ padded[:, LENGTH + lag:LENGTH + lag + nsamples].T
    return lags


def delayed(channels):
    """All delays of all channels as rows, (n * LENGTH, nsamples + LENGTH - 1)."""
    return np.array([np.pad(channel, (delay, LENGTH - 1 - delay)) for channel in channels for delay in range(LENGTH)])


def products_of(channels, signals):
    padded = np.pad(signals, [(0, 0), (0, LENGTH - 1)])
    return (delayed(channels) @ padded.T).reshape(len(channels), LENGTH, len(signals)).transpose(0, 2, 1)


def low(channels, width):
    """Without high frequencies: the mean of neighbours, so often that the equations are nearly singular."""
    for _ in range(width):
        channels = channels[:, 1:] + channels[:, :-1]
    return channels


@pytest.mark.parametrize('n', range(1, 8))
def test_solutions_are_those_of_the_matrix_written_out(n):
    rng = np.random.RandomState(n)
    channels, signals = rng.randn(n, 900), rng.randn(3, 900)
    filters = toeplitz.solve(lags_of(channels), products_of(channels, signals))
    expected = np.linalg.lstsq(delayed(channels).T, np.pad(signals, [(0, 0), (0, LENGTH - 1)]).T, rcond=None)[0]
    np.testing.assert_allclose(filters, expected.reshape(n, LENGTH, 3).transpose(0, 2, 1), rtol=0, atol=1e-12)


@pytest.mark.parametrize('n', [1, 2, 5])
def test_the_factor_is_triangular_and_its_square_the_matrix(n):
    channels = np.random.RandomState(n).randn(n, 400)
    factor = toeplitz.schur_factor(lags_of(channels))
    rows = delayed(channels).reshape(n, LENGTH, -1).swapaxes(0, 1).reshape(n * LENGTH, -1)
    np.testing.assert_allclose(factor.T @ factor, rows @ rows.T, rtol=0, atol=1e-11)
    np.testing.assert_allclose(np.tril(factor, -1), 0, atol=1e-12)


def test_both_factorisations_agree_where_the_equations_are_nearly_singular(monkeypatch):
    """Up to the condition that sends them to LAPACK, the parts of the signals are the same."""
    rng = np.random.RandomState(0)
    for width in range(1, 6):
        channels = low(rng.randn(4, 3000), width)
        signals = low(rng.randn(2, 3000), width)
        lags, products = lags_of(channels), products_of(channels, signals)
        parts = []
        for few in (3, 4):
            monkeypatch.setattr(toeplitz, 'FEW_CHANNELS', few)
            filters = toeplitz.solve(lags, products)
            parts.append(filters.transpose(1, 0, 2).reshape(2, -1) @ delayed(channels))
        assert np.abs(parts[1] - parts[0]).max() < 1e-9 * np.abs(parts[0]).max()


def test_singular_equations_give_the_projection_all_the_same():
    rng = np.random.RandomState(0)
    channels, signals = rng.randn(4, 600), rng.randn(2, 600)
    channels[3, 2:], channels[3, :2], channels[0, -2:] = channels[0, :-2], 0, 0
    filters = toeplitz.solve(lags_of(channels), products_of(channels, signals))
    rows, padded = delayed(channels), np.pad(signals, [(0, 0), (0, LENGTH - 1)])
    assert np.linalg.matrix_rank(rows) < len(rows)
    expected = np.linalg.lstsq(rows.T, padded.T, rcond=1e-8)[0].T @ rows
    np.testing.assert_allclose(filters.transpose(1, 0, 2).reshape(2, -1) @ rows, expected, rtol=0, atol=1e-6)


def test_what_is_not_positive_definite_is_refused():
    lags = lags_of(np.random.RandomState(0).randn(4, 300))
    lags[:, :, LENGTH] *= 9
    lags[:, :, LENGTH - 2] *= 9
    with pytest.raises(np.linalg.LinAlgError):
        toeplitz.schur_factor(lags)


def test_many_channels_take_the_fast_way(monkeypatch):
    channels = np.random.RandomState(0).randn(4, 5000)
    monkeypatch.setattr(toeplitz, '_solve_dense', None)
    lags = projection.correlations(channels[:, None], channels[:, None])
    assert toeplitz.solve(lags[:, :4], lags[:, 4:, projection.REACH:]).shape == (4, 4, 512)
