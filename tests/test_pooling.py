"""network/pooling.py: pooling and its inverse in one pass, in C and in NumPy, against the expressions of the layers."""
import numpy as np
import pytest

from deepconvsep.backend.prepare import prepare

theano = prepare(verbose=False)

import lasagne
import theano.tensor as T

from deepconvsep.network import c_source, pooling
from deepconvsep.network.layers import FrequencyPoolLayer, FrequencyUnpoolLayer

SIZE, BINS = 4, 14
SHAPE = (3, 2, 5, BINS)


def values(dtype='float64', seed=0):
    """Whole numbers, many of which tie."""
    return np.random.RandomState(seed).randint(-3, 4, SHAPE).astype(dtype)


def layers(monkeypatch, usable, way):
    """A function of an input, values of blocks and weights: maxima, unpooled values and the derivatives of a sum."""
    monkeypatch.setattr(c_source, 'usable', lambda: usable)
    given, coded, weights = T.tensor4(dtype='float64'), T.tensor4(dtype='float64'), T.tensor4(dtype='float64')
    entry = lasagne.layers.InputLayer(SHAPE, given)
    pool = FrequencyPoolLayer(entry, SIZE)
    code = lasagne.layers.InputLayer(pool.output_shape, coded)
    maxima, spread = lasagne.layers.get_output([pool, FrequencyUnpoolLayer(code, pool)])
    total = (spread * weights).sum() + (maxima ** 3).sum()
    by_code, by_input = T.grad(total, [coded, given])
    return theano.function([given, coded, weights], [maxima, spread, by_code, by_input],
                           mode=theano.Mode(way, 'fast_run'))


@pytest.mark.parametrize('way', ['py', 'c|py'])
def test_layers_are_those_of_the_expressions(monkeypatch, way):
    rs = np.random.RandomState(1)
    data = [values(), rs.normal(size=SHAPE[:3] + (BINS // SIZE,)), rs.normal(size=SHAPE)]
    found, wanted = (layers(monkeypatch, usable, way)(*data) for usable in (True, False))
    for ours, expected in zip(found, wanted):
        np.testing.assert_allclose(ours, expected, rtol=1e-12, atol=1e-12)


def test_a_gradient_of_the_gradient(monkeypatch):
    monkeypatch.setattr(c_source, 'usable', lambda: True)
    given, coded = T.tensor4(dtype='float64'), T.tensor4(dtype='float64')
    maxima, kept = pooling.BlockMaxima(SIZE, BINS)(given)
    spread = pooling.Spread(SIZE, BINS)(coded ** 2, kept)
    once = T.grad((spread ** 2).sum() + (maxima ** 3).sum(), [coded, given])
    twice = T.grad(once[0].sum() + once[1].sum(), [coded, given])
    code, data = np.random.RandomState(2).normal(size=SHAPE[:3] + (3,)), values(seed=3)
    found = theano.function([given, coded], twice)(data, code)
    blocks = data[..., :12].reshape(*SHAPE[:3], 3, SIZE)
    most = blocks.max(axis=4, keepdims=True)
    which = blocks == most
    np.testing.assert_allclose(found[0], 12 * code ** 2 * which.sum(axis=4), rtol=1e-12)
    wanted = np.zeros(SHAPE)
    # each of those that tie counts with each of the others
    wanted[..., :12] = (6 * most * which * which.sum(axis=4, keepdims=True)).reshape(*SHAPE[:3], 12)
    np.testing.assert_allclose(found[1], wanted, rtol=1e-12)


def compiled(way, dtype='float32'):
    given, coded = T.TensorType(dtype, (False,) * 4)(), T.TensorType(dtype, (False,) * 4)()
    maxima, kept = pooling.BlockMaxima(SIZE, BINS)(given)
    outputs = [maxima, kept, pooling.Spread(SIZE, BINS)(coded, kept), pooling.Gathered(SIZE, BINS)(given, kept)]
    return theano.function([given, coded], outputs, mode=theano.Mode(way, None))


@pytest.mark.parametrize('way', ['py', 'c|py'])
@pytest.mark.parametrize('dtype', ['float32', 'float64'])
def test_any_layout_and_both_types(way, dtype):
    data, code = values(dtype), np.random.RandomState(4).normal(size=SHAPE[:3] + (3,)).astype(dtype)
    function, inner = compiled(way, dtype), data[..., :12].reshape(*SHAPE[:3], 3, SIZE)
    which = inner == inner.max(axis=4, keepdims=True)
    spread = np.zeros(SHAPE, dtype)
    spread[..., :12] = (which * code[..., None]).reshape(*SHAPE[:3], 12)
    for array in (data, np.asfortranarray(data), data.transpose(1, 0, 2, 3).copy().transpose(1, 0, 2, 3),
                  np.repeat(data, 2, axis=3)[..., ::2], data[::-1].copy()[::-1]):
        found = function(array, code)
        assert [result.dtype for result in found] == [dtype, 'int8', dtype, dtype]
        np.testing.assert_array_equal(found[0], inner.max(axis=4))
        np.testing.assert_array_equal(found[1], which.reshape(*SHAPE[:3], 12))
        np.testing.assert_array_equal(found[2], spread)
        np.testing.assert_array_equal(found[3], (which * inner).sum(axis=4))


@pytest.mark.parametrize('way', ['py', 'c|py'])
@pytest.mark.parametrize('place', range(SIZE))
def test_what_is_no_number_stays_so(way, place):
    data = values('float32')
    data[1, 0, 2, 4 + place] = np.nan
    maxima, kept = compiled(way)(data, np.zeros(SHAPE[:3] + (3,), 'float32'))[:2]
    assert np.argwhere(np.isnan(maxima)).tolist() == [[1, 0, 2, 1]] and not kept[1, 0, 2, 4:8].any()


def test_other_shapes_and_types_are_refused():
    function = compiled('c|py')
    with pytest.raises(ValueError, match='other bins or blocks than expected'):
        function(values('float32')[..., :13], np.zeros(SHAPE[:3] + (3,), 'float32'))
    with pytest.raises(ValueError, match='other bins or blocks than expected'):
        function(values('float32'), np.zeros(SHAPE[:3] + (2,), 'float32'))
    with pytest.raises(ValueError, match='other bins or blocks than expected'):
        function(values('float32'), np.zeros((2,) + SHAPE[1:3] + (3,), 'float32'))
    with pytest.raises(TypeError, match='float32 or float64, then int8, got TensorType'):
        pooling.Spread(SIZE, BINS)(T.tensor4(dtype='float32'), T.tensor4(dtype='float32'))
    with pytest.raises(TypeError, match='four axes'):
        pooling.BlockMaxima(SIZE, BINS)(T.matrix())
