"""The types of constants: of Python's numbers in expressions, and in the optimised graphs of all networks.

    python -m tests.constant_types > tests/constant_types.json      on Python 3.11 with NumPy 1.23.5
"""
import collections
import dataclasses
import json
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, ROOT)
RECORDED = os.path.join(ROOT, 'tests', 'constant_types.json')

NUMBERS = [0, 1, -1, 127, 128, -128, -129, 255, 32767, 32768, 2 ** 31 - 1, 2 ** 31, -2 ** 31 - 1, 2 ** 63 - 1,
           2 ** 63, 0.0, 0.5, 0.1, 1e-6, 1e-20, 1e-40, 1e38, 1e39, 1e300, 16777216.0, 16777217.0, -1.25,
           float('inf'), float('nan')]


def of_numbers(theano):
    """The type of each number, alone and as a tensor."""
    return {repr(number): [str(theano.scalar.convert(number).dtype), theano.tensor.constant(number).dtype]
            for number in NUMBERS}


def small(network):
    """A network of the same graph with few numbers."""
    from deepconvsep.network import architecture
    if isinstance(network, architecture.StackedArchitecture):
        return dataclasses.replace(network, feat_size=257)
    if isinstance(network, architecture.HarmonicArchitecture):
        return dataclasses.replace(network, hidden=3)
    sizes = {'feat_size': 50, 'width': 50} if network.width == network.feat_size else {'feat_size': 313}
    return dataclasses.replace(network, hidden=3, **sizes)


def of_graph(variables):
    """How often each constant is in a graph, those inside fused operations included: 'dtype shape value' to count."""
    from theano import gof
    found = collections.Counter()
    for variable in gof.graph.variables(*variables):
        if isinstance(variable, gof.Constant) and hasattr(variable.type, 'dtype'):
            shape = getattr(variable.data, 'shape', ())
            value = repr(variable.data.item()) if shape == () else ''
            found['%s %s %s' % (variable.type.dtype, list(shape), value)] += 1
        inner = getattr(getattr(getattr(variable.owner, 'op', None), 'scalar_op', None), 'fgraph', None)
        if inner is not None:
            found.update(of_graph((inner.inputs, inner.outputs)))
    return found


def of_network(theano, network, training):
    """The constants in the optimised graph of a network's masks, or of its training step."""
    import lasagne
    import numpy as np

    from deepconvsep.network import build
    from deepconvsep.network import masks as soft
    from deepconvsep.training import adadelta, objective
    tensor, size = theano.tensor, (2, network.time_context, network.feat_size)
    entry = tensor.tensor4()
    net = build.build(network, entry, 2)
    noise = theano.shared(np.ones(size, theano.config.floatX))
    updates = None
    if training:
        mixture = tensor.tensor3()
        targets = [tensor.tensor3() for _ in soft.source_outputs(net)]
        terms = objective.reconstruction(['s%d' % number for number in range(len(targets))])
        loss, values, known, bias = objective.masked_loss(
            terms, net, lasagne.layers.get_output(net.input_layers), mixture, targets, noise, 1e-8, False)
        params = lasagne.layers.get_all_params(net, trainable=True)
        gradients = theano.grad(None, params[:-1], known_grads=known, disconnected_inputs='ignore') + [bias]
        inputs, outputs, updates = [entry, mixture] + targets, [loss] + values, adadelta.adadelta(gradients, params)
    else:
        inputs, outputs = [entry], soft.soft_masks(soft.source_outputs(net), noise, 1e-8, True)
    graph = theano.function(inputs, outputs, updates=updates, on_unused_input='ignore',
                            mode=theano.Mode(linker='py', optimizer='fast_run')).maker.fgraph
    return dict(sorted(of_graph((graph.inputs, graph.outputs)).items()))


def collect(kinds=('masks', 'training')):
    """Everything, as in the recorded file."""
    from deepconvsep.backend.prepare import prepare
    theano = prepare(verbose=False)
    from deepconvsep.network import architecture
    result = {}
    for real in ('float32', 'float64'):
        with theano.configparser.change_flags(floatX=real):
            result['numbers ' + real] = of_numbers(theano)
            for network in architecture.KNOWN:
                for kind in kinds:
                    result['%s, %s, %s' % (network.name, kind, real)] = of_network(
                        theano, small(network), kind == 'training')
    return result


if __name__ == '__main__':
    json.dump(collect(), sys.stdout, indent=0, sort_keys=True)
