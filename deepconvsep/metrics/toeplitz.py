"""Normal equations of filters: symmetric systems of Toeplitz blocks, as BSS Eval solves them.

SciPy is imported where it is used: that takes longer than all else before a script knows its flags.
"""
import numpy as np

# up to so many channels LAPACK is faster than the steps of Schur's algorithm
FEW_CHANNELS = 3
# rounding grows with the condition: nearer to singular than this LAPACK's factorisation is taken
SAFE_CONDITION = 1e3 * np.finfo(float).eps


def solve(lags, products):
    """Least-squares filters, or those of minimum norm where the equations are singular in double precision.

    Parameters
    ----------
    lags : (n, n, 2 * length - 1) float64
        Correlations of n channels: ``[i, j, length - 1 + d]`` is the sum over t of ``x[i, t] * x[j, t + d]``.
    products : (n, m, length) float64
        Correlations of the channels with m signals at lags of 0 to length - 1.

    Returns
    -------
    (n, m, length) float64
        Filters of the n channels whose sum is closest to each signal.
    """
    n, m, length = products.shape
    if n > FEW_CHANNELS:
        try:
            factor = schur_factor(lags)
        except np.linalg.LinAlgError:
            factor = None
        if factor is not None and _reciprocal_condition(factor, lags) >= SAFE_CONDITION:
            right = products.transpose(2, 0, 1).reshape(length * n, m)
            return _back_substituted(factor, right).reshape(length, n, m).transpose(1, 2, 0)
        del factor
    right = products.transpose(0, 2, 1).reshape(n * length, m)
    return _solve_dense(lags, right).reshape(n, length, m).transpose(0, 2, 1)


def schur_factor(lags):
    """Cholesky factor of the equations in the order (lag, channel), in time quadratic in the number of lags.

    The generalised Schur algorithm: the matrix less itself moved down the diagonal by one block has two generators
    of n rows, and a hyperbolic rotation of these gives one row of blocks of the factor after the other. The second
    generator is rotated with the new first one, which keeps the errors of rounding as small as for Cholesky's
    method times a small factor [1]_.

    Parameters
    ----------
    lags : (n, n, 2 * length - 1) float64
        As for :func:`solve`.

    Returns
    -------
    (length * n, length * n) float64
        Upper triangular R (up to rounding below the diagonal), R' R being the matrix.

    Raises
    ------
    numpy.linalg.LinAlgError
        When the matrix is not positive definite in double precision.

    References
    ----------
    .. [1] S. Chandrasekaran, A. H. Sayed: Stabilizing the generalized Schur algorithm. SIAM J. Matrix Anal. Appl.
       17(4), 1996.

    Examples
    --------
    >>> lags = np.array([[[1., 2., 4., 2., 1.]]])
    >>> factor = schur_factor(lags)
    >>> np.round(factor.T @ factor, 12)
    array([[4., 2., 1.],
           [2., 4., 2.],
           [1., 2., 4.]])
    """
    import scipy.linalg
    n, length = len(lags), (lags.shape[2] + 1) // 2
    first = lags[:, :, length - 1::-1].transpose(0, 2, 1).reshape(n, length * n)
    factor = np.zeros((length * n, length * n))
    factor[:n] = scipy.linalg.solve_triangular(np.linalg.cholesky(first[:, :n]), first, lower=True)
    generators = np.concatenate([factor[:n, :-n], factor[:n, n:]])
    identity = np.eye(n)
    for start in range(n, length * n, n):
        # divide the second generator's first block out by the first one's
        ratio = np.linalg.solve(generators[:n, :n].T, generators[n:, :n].T).T
        left = np.linalg.cholesky(identity - ratio.T @ ratio)
        right = np.linalg.cholesky(identity - ratio @ ratio.T)
        inverse = np.linalg.inv(left)
        # and make what is left of the first one triangular
        turn = np.linalg.qr(inverse @ (generators[:n, :n] - ratio.T @ generators[n:, :n]))[0]
        kept = turn.T @ inverse
        generators[:n] = np.concatenate([kept, -kept @ ratio.T], axis=1) @ generators
        factor[start:start + n, start:] = generators[:n]
        rest = np.concatenate([-np.linalg.solve(right, ratio @ left @ turn), right.T], axis=1)
        generators = np.concatenate([generators[:n, :-n], (rest @ generators)[:, n:]])
    return factor


def _reciprocal_condition(factor, lags):
    from scipy.linalg import lapack
    return lapack.dpocon(factor.T, _norm(lags), uplo='L')[0]


def _norm(lags):
    """The largest sum of a column of the equations: the lags of a row or a column are the same."""
    length = (lags.shape[2] + 1) // 2
    return np.lib.stride_tricks.sliding_window_view(np.abs(lags).sum(axis=0), length, axis=1).sum(axis=2).max()


def _back_substituted(factor, right):
    from scipy.linalg import lapack
    return lapack.dpotrs(factor.T, right, lower=1)[0]


def _solve_dense(lags, right):
    """Solve the equations in the order (channel, lag) by Cholesky's method, or by eigenvectors if singular."""
    import scipy.linalg
    factor, info = scipy.linalg.lapack.dpotrf(gram(lags).T, lower=0, clean=0, overwrite_a=1)
    if info == 0 and scipy.linalg.lapack.dpocon(factor, _norm(lags))[0] >= np.finfo(float).eps:
        return scipy.linalg.lapack.dpotrs(factor, right, lower=0)[0]
    del factor
    values, vectors = scipy.linalg.eigh(gram(lags).T, lower=False, overwrite_a=True, check_finite=False, driver='evd')
    kept = values > np.finfo(float).eps * values[-1]
    vectors = vectors[:, kept]
    return vectors @ ((vectors.T @ right) / values[kept, None])


def gram(lags):
    """The symmetric block-Toeplitz matrix ``[(i, a), (j, b)] -> lags[i, j, length - 1 + a - b]``, j <= i only."""
    size, length = len(lags), (lags.shape[2] + 1) // 2
    matrix = np.empty((size, length, size, length))
    # window a of the reversed lags, read backwards over a, is the row a of the Toeplitz block
    rows = np.lib.stride_tricks.sliding_window_view(lags[:, :, ::-1], length, axis=2)[:, :, ::-1]
    for number, row in enumerate(rows):
        matrix[number, :, :number + 1] = row[:number + 1].transpose(1, 0, 2)
    return matrix.reshape(size * length, size * length)
