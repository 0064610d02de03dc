"""training/fused.py: the loss and its gradient in one pass, in C and in NumPy, against the expressions of Theano."""
import numpy as np
import pytest

from deepconvsep.backend.prepare import prepare

theano = prepare(verbose=False)

import theano.tensor as T

from deepconvsep.training import fused, objective
from deepconvsep.training.objective import Term
from examples.dsd100 import recipe as dsd100
from examples.ikala import recipe as ikala

BINS, LENGTH, WINDOWS, FRAMES = 37, 6, 4, 50
AWAY = (Term('own', ((0, 0), (1, 1)), .5), Term('other', ((0, 1), (1, 0)), 2., -1), Term('said', ((1, 1),), 3., 0))
# terms, and for each source its channel and bias
CASES = {
    'reconstruction': (objective.reconstruction('abcd'), [(0, 0), (1, 1), (2, 2), (3, 3)]),
    'dsd100': (dsd100.LOSS, [(0, 0), (1, 1), (2, 2), (1, 3)]),
    'ikala': (ikala.LOSS, [(0, 0), (1, 1)]),
    'pushed away': (AWAY, [(1, 2), (0, 0)]),
    'the second is only reported': ((Term('own', ((0, 0),)), Term('said', ((1, 1),), 3., 0)), [(0, 0), (1, 1)]),
}


class Net:
    """What the losses ask of a network: its bias and channels."""

    def __init__(self, bias, sources):
        self.b, self.sources = bias, sources

    def channels(self, inputs):
        return inputs, self.sources


def data(case, dtype, confined, seed=0):
    rs, sources = np.random.RandomState(seed), CASES[case][1]
    channels = [rs.normal(size=(WINDOWS, LENGTH, BINS)) for _ in range(1 + max(channel for channel, _ in sources))]
    bias = rs.normal(size=1 + max(number for _, number in sources)) / 10
    frames = [rs.uniform(size=(FRAMES, BINS)) for _ in range(1 + len(sources))]
    frames[0][7] = 0
    if confined:
        frames.append(np.concatenate([frames[0] * rs.uniform(0, 1, frames[0].shape) for _ in sources], axis=1))
    starts = np.array([3, 44, 0, 5])
    noise = rs.uniform(.1, 1, (WINDOWS, LENGTH, BINS))
    return [array.astype(dtype) for array in (bias, noise)] + [starts] + [
        array.astype(dtype) for array in frames + channels]


def compiled(case, dtype, confined, in_numerator, way, eps=1e-3):
    """A function of :func:`data`: the loss, its terms, the derivatives by bias and channels."""
    terms, sources = CASES[case]
    entries = [T.as_tensor_variable(value).type() for value in data(case, dtype, confined)]
    bias, noise, starts = entries[:3]
    count = 1 + len(sources) + confined
    frames, channels = entries[3:3 + count], entries[3 + count:]
    net = Net(bias, sources)
    if way == 'expressions':
        rows = (starts[:, None] + T.arange(LENGTH)[None, :]).reshape((-1,))
        cut = [array[rows].reshape((WINDOWS, LENGTH, -1)) for array in frames]
        limits = None
        if confined:
            limits = [T.maximum(cut[-1][:, :, j * BINS:(j + 1) * BINS] / (cut[0] + objective.SILENCE),
                                objective.LEAST_LIMIT) for j in range(len(sources))]
        result = objective.masked_loss(terms, net, channels, cut[0], cut[1:1 + len(sources)], noise, eps, in_numerator,
                                       limits)
        linker = 'py'
    else:
        result = fused.masked_loss(terms, net, channels, frames, starts, noise, eps, in_numerator)
        linker = way
    loss, values, known, by_bias = result
    return theano.function(entries, [loss] + values + [by_bias] + [known[channel] for channel in channels],
                           mode=theano.Mode(linker, 'fast_run'), on_unused_input='ignore')


@pytest.mark.parametrize('way', ['py', 'c|py'])
@pytest.mark.parametrize('confined', [False, True])
@pytest.mark.parametrize('in_numerator', [False, True])
@pytest.mark.parametrize('case', CASES)
def test_all_values_are_those_of_the_expressions(case, in_numerator, confined, way):
    for dtype, tolerance in (('float64', 1e-9), ('float32', 2e-4)):
        with theano.configparser.change_flags(floatX=dtype):
            run, expected = (compiled(case, dtype, confined, in_numerator, each) for each in (way, 'expressions'))
        for seed in (0, 1):   # the second call finds the first one's arrays
            given = data(case, dtype, confined, seed)
            for one, other in zip(run(*given), expected(*given)):
                assert np.asarray(one).dtype == np.asarray(other).dtype
                np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance * (1e-3 + abs(other).max()))


@pytest.mark.parametrize('way', ['py', 'c|py'])
def test_a_negative_sum_turns_the_gradient_round(way):
    given, run = data('pushed away', 'float64', False), compiled('pushed away', 'float64', False, True, way)
    given[4][:], given[5][:] = 0, given[3] * 10    # so far from the other's target that the sum is negative
    loss, own, other, said, *gradients = run(*given)
    assert own < other and np.isclose(loss, other - own) and said > 0
    moved = [array.copy() for array in given]
    for channel, gradient in zip(moved[-2:], gradients[1:]):
        channel -= 1e-6 * gradient / abs(gradient).max()
    assert run(*moved)[0] < loss


@pytest.mark.parametrize('way', ['py', 'c|py'])
def test_arrays_with_gaps(way):
    given, run = data('dsd100', 'float32', False), compiled('dsd100', 'float32', False, True, way)
    expected = [np.array(value) for value in run(*given)]
    wide = [np.repeat(array, 2, axis=-1)[..., ::2] for array in given]
    lying = [array if array.ndim < 3 else np.ascontiguousarray(array.transpose(1, 0, 2)).transpose(1, 0, 2)
             for array in given]
    for others in (wide, lying):
        for one, other in zip(run(*others), expected):
            np.testing.assert_allclose(one, other, rtol=1e-6)


@pytest.mark.parametrize('way', ['py', 'c|py'])
@pytest.mark.parametrize('place', [0, 3, 5, 9])
def test_what_is_no_number_stays_so(way, place):
    given = data('dsd100', 'float32', False)
    given[place][..., 0] = np.nan
    assert np.isnan(compiled('dsd100', 'float32', False, True, way)(*given)[0])


@pytest.mark.parametrize('way', ['py', 'c|py'])
def test_the_operation_refuses_what_does_not_fit(way):
    run, given = compiled('dsd100', 'float32', True, True, way), data('dsd100', 'float32', True)
    for place, other in [(1, given[1][:, :5]), (2, given[2][:3]), (2, given[2] + 1), (2, given[2] - 1),
                         (4, given[4][:49]), (5, given[5][:, :36]), (8, given[8][:, :100]), (9, given[9][:3])]:
        changed = list(given)
        changed[place] = other
        with pytest.raises(ValueError, match='differ in windows, frames or bins'):
            run(*changed)


def test_the_operation_refuses_other_types():
    operation = fused.MaskedLoss(*CASES['ikala'], 1e-3, True, False)
    given = data('ikala', 'float32', False)
    with pytest.raises(TypeError, match='the third one int64'):
        operation(*given[:2], given[2].astype(np.int32), *given[3:])
    with pytest.raises(TypeError, match='expected tensors of'):
        operation(*given[:-1])
    with pytest.raises(TypeError, match='all others float32 or float64'):
        operation(given[0].astype(float), *given[1:])
