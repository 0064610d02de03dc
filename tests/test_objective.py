"""objective.py and adadelta.py: losses, gradients and updates, against the recorded ones and those of Theano."""
import dataclasses

import numpy as np
import pytest

from deepconvsep.backend.prepare import prepare

theano = prepare(verbose=False)

import lasagne
import theano.tensor as T
from recorded import RecordedNetwork

from deepconvsep.network import architecture
from deepconvsep.network.build import build
from deepconvsep.network.masks import soft_masks, source_outputs
from deepconvsep.training import objective
from examples.dsd100 import recipe as dsd100
from examples.ikala import recipe as ikala

# recorded name -> (network, loss, noise in the masks' numerator); in float32 DSD100 and iKala alone, since the others'
# graphs are compared in float64
BACH10_LOSS = objective.reconstruction(('error1', 'error2', 'error3', 'error4'))
RECORDED = {
    'dsd100_train_float64': (architecture.DSD100, dsd100.LOSS, True),
    'dsd100_train_smooth_float64': (architecture.DSD100, dsd100.LOSS, True),
    'dsd100_train_smooth': (architecture.DSD100, dsd100.LOSS, True),
    'ikala_train_float64': (architecture.IKALA, ikala.LOSS, True),
    'ikala_train_smooth': (architecture.IKALA, ikala.LOSS, True),
    'bach10_train_float64': (architecture.BACH10, BACH10_LOSS, False),
    'bach10_train_smooth_float64': (architecture.BACH10, BACH10_LOSS, False),
    'si_build_ca_float64': (architecture.SCOREINFORMED, BACH10_LOSS, False),
    'si_build_ca_1x1_float64': (architecture.SCOREINFORMED_1X1, BACH10_LOSS, False),
    'si_samp_float64': (architecture.SCOREINFORMED_ONE_BRANCH, BACH10_LOSS, False),
}


def of_recorded(name, recorded):
    """The architecture at its recorded size, its loss, and whether the noise is in the masks' numerator."""
    arch, terms, in_numerator = RECORDED[name]
    return dataclasses.replace(arch, feat_size=recorded.info['feat_size']), terms, in_numerator


def graph(name, written_out, confined=False):
    """Loss, terms, gradients and parameters of a recorded network as expressions of its input."""
    recorded = RecordedNetwork(name)
    arch, terms, in_numerator = of_recorded(name, recorded)
    assert [term.name for term in terms] == recorded.info['component_names']
    real = theano.config.floatX
    entry = T.tensor4()
    net = build(arch, entry, len(recorded.inputs))
    lasagne.layers.set_all_param_values(net, [param.astype(real) for param in recorded.params])
    mixture = entry.sum(axis=1)
    targets = [T.constant(recorded.targets[:, source].astype(real)) for source in range(recorded.targets.shape[1])]
    noise = T.constant(recorded.noise[:, 0].astype(real))
    params = lasagne.layers.get_all_params(net, trainable=True)
    limits = [T.constant(np.random.RandomState(source).uniform(0, 1, recorded.targets[:, 0].shape).astype(real))
              for source in range(len(targets))] if confined else None
    if written_out:
        loss, values, known, bias = objective.masked_loss(
            terms, net, lasagne.layers.get_output(net.input_layers), mixture, targets, noise, recorded.info['eps'],
            in_numerator, limits)
        gradients = theano.grad(None, params[:-1], known_grads=known, disconnected_inputs='ignore') + [bias]
    else:
        outputs = [output * limit for output, limit in zip(source_outputs(net), limits)] if confined else \
            source_outputs(net)
        masks = soft_masks(outputs, noise, recorded.info['eps'], in_numerator)
        total, values = objective.evaluate(terms, [mask * mixture for mask in masks], targets)
        loss = abs(total)
        gradients = theano.grad(loss, params, disconnected_inputs='ignore')
    return recorded, entry, loss, values, gradients, params


def test_confined_gradients_are_those_of_theano():
    with theano.configparser.change_flags(floatX='float64'):
        found, expected = ([np.asarray(value) for value in theano.function([entry], [loss] + values + gradients)(
            recorded.inputs)] for recorded, entry, loss, values, gradients, _ in (
                graph('si_samp_float64', written_out, confined=True) for written_out in (True, False)))
    free = graph('si_samp_float64', True)[0].values['loss0']
    assert abs(found[0] - free) > 1e-3 * free
    for one, other in zip(found, expected):
        np.testing.assert_allclose(one, other, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize('name', sorted(RECORDED))
def test_recorded_loss_gradients_and_adadelta(name):
    with theano.configparser.change_flags(floatX='float64' if 'float64' in name else 'float32'):
        recorded, entry, loss, values, gradients, params = graph(name, written_out=True)
        real = theano.config.floatX
        step = theano.function([entry], [loss] + values + gradients,
                               updates=lasagne.updates.adadelta(gradients, params))
        inputs = recorded.inputs.astype(real)
        tolerance = {'loss': 1e-9, 'gradient': 1e-8, 'one': 1e-9, 'three': 1e-9 if 'smooth' in name else 1e-4}
        if real == 'float32':
            tolerance = {'loss': 1e-6, 'gradient': 1e-4, 'one': 1e-4, 'three': None}
        for number in range(3):
            result = step(inputs)
            later = 1e-7 if real == 'float64' else 1e-5
            np.testing.assert_allclose(result[0], recorded.values['train_fn.loss_step%d' % (number + 1)],
                                       rtol=later if number else tolerance['loss'])
            if number == 0:
                np.testing.assert_allclose(result[0], recorded.values['loss0'], rtol=tolerance['loss'])
                np.testing.assert_allclose(result[1:1 + len(values)], recorded.values['components0'],
                                           rtol=tolerance['loss'])
                for index, gradient in enumerate(result[1 + len(values):]):
                    size = recorded.values['grad.l2'][index]
                    np.testing.assert_allclose(np.linalg.norm(gradient.astype(float)), size,
                                               rtol=tolerance['gradient'], atol=1e-300)
                    if size:
                        recorded.compare('grad%02d' % index, gradient, tolerance['gradient'])
                    else:
                        assert not gradient.any()
            if number in (0, 2) and tolerance['one' if number == 0 else 'three']:
                for index, param in enumerate(params):
                    recorded.compare('param%02d.after%d' % (index, number + 1), param.get_value(),
                                     tolerance['one' if number == 0 else 'three'])


@pytest.mark.parametrize('name', ['dsd100_train_float64', 'si_build_ca_float64'])
def test_the_written_out_gradient_is_the_automatic_one(name):
    with theano.configparser.change_flags(floatX='float64'):
        results = []
        for written_out in (True, False):
            recorded, entry, loss, values, gradients, _ = graph(name, written_out)
            results.append(theano.function([entry], [loss] + values + gradients)(recorded.inputs.astype('float64')))
    for ours, automatic in zip(*results):
        np.testing.assert_allclose(ours, automatic, rtol=1e-9, atol=1e-9 * np.abs(automatic).max())


def test_a_negative_total_turns_the_gradient_around():
    terms = (objective.Term('far', ((0, 1),), sign=-1),)
    with theano.configparser.change_flags(floatX='float64'):
        estimate, targets = T.tensor3(), [T.zeros((1, 1, 2)), T.constant(np.array([[[1., 3.]]]))]
        total, _ = objective.evaluate(terms, [estimate], targets)
        value, slope = theano.function([estimate], [abs(total), theano.grad(abs(total), estimate)])(np.array([[[2.,
                                                                                                                2.]]]))
    assert value == 2 and slope.ravel().tolist() == [2, -2]
