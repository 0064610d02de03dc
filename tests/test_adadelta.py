"""adadelta.py against Lasagne's and the formula; what Theano makes of it."""
import numpy as np
import pytest

from deepconvsep.backend.prepare import prepare

theano = prepare(verbose=False)

import lasagne
import theano.tensor as T

from deepconvsep.training.adadelta import adadelta


def steps(function, gradients, start):
    """The parameter and the state after each of some steps."""
    param, gradient = theano.shared(start), T.matrix()
    updates = function([gradient], [param])
    step = theano.function([gradient], [], updates=updates)
    for value in gradients:
        step(value)
        yield [variable.get_value() for variable in updates], step


@pytest.mark.parametrize('dtype', ['float32', 'float64'])
def test_steps_equal_the_formula_and_lasagne(dtype):
    rs = np.random.RandomState(0)
    with theano.configparser.change_flags(floatX=dtype):
        gradients = rs.normal(size=(5, 3, 4)).astype(dtype)
        gradients[1] = 0
        start = rs.normal(size=(3, 4)).astype(dtype)
        squares, moved, value = np.zeros((3, 4)), np.zeros((3, 4)), start.astype(float)
        tolerance = 1e-12 if dtype == 'float64' else 1e-5
        for number, ((ours, _), (theirs, _)) in enumerate(zip(steps(adadelta, gradients, start),
                                                              steps(lasagne.updates.adadelta, gradients, start))):
            gradient = gradients[number].astype(float)
            squares = .95 * squares + .05 * gradient ** 2
            step = gradient * np.sqrt(moved + 1e-6) / np.sqrt(squares + 1e-6)
            value, moved = value - step, .95 * moved + .05 * step ** 2
            for our, their, expected in zip(ours, theirs, (squares, value, moved)):
                assert our.dtype == dtype
                np.testing.assert_allclose(our, expected, rtol=tolerance, atol=tolerance * 1e-3)
                np.testing.assert_allclose(our, their, rtol=tolerance, atol=tolerance * 1e-3)


def test_all_but_the_step_works_in_place():
    if not theano.config.cxx:
        pytest.skip('nothing works in place without a compiler')
    _, step = next(steps(adadelta, np.zeros((1, 3, 4), theano.config.floatX), np.zeros((3, 4), theano.config.floatX)))
    nodes = step.maker.fgraph.toposort()
    # only the step itself needs an array: here the gradient is an input, which must not be overwritten
    assert [bool(node.op.inplace_pattern) for node in nodes].count(False) == 1
    assert len(nodes) == 4
