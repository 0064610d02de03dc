"""A network's forward pass, as matrix products against Lasagne's convolution and InverseLayer, batch 32.

    python tools/benchmarks/forward.py [dsd100 ikala bach10 bach10_compact]
"""
import sys

import measure
import numpy as np

from deepconvsep.backend.prepare import prepare
from deepconvsep.network import architecture

theano = prepare()

import lasagne

from deepconvsep.network.build import build

NETWORKS = {'dsd100': architecture.DSD100, 'ikala': architecture.IKALA_POOLED,
            'bach10': architecture.BACH10, 'bach10_compact': architecture.BACH10_COMPACT}


def main(names):
    for name in names or ['dsd100']:
        arch = NETWORKS[name]
        inputs = np.random.RandomState(0).uniform(size=(32, 1, 30, arch.feat_size)).astype(theano.config.floatX)
        times, outputs, params = [], [], None
        for literal in (True, False):
            entry = theano.tensor.tensor4()
            net = build(arch, entry, 32, literal=literal)
            params = params or lasagne.layers.get_all_param_values(net)
            lasagne.layers.set_all_param_values(net, params)
            function = theano.function([entry], lasagne.layers.get_output(net))
            outputs.append(function(inputs))
            times.append(measure.seconds(lambda: function(inputs), device=theano.config.device))
        error = np.abs(outputs[0] - outputs[1]).max() / np.abs(outputs[0]).max()
        assert error < 2e-5, error
        measure.compare('forward pass of the %s, 32 windows, on %s' % (arch.name, theano.config.device),
                        'literal', times[0], 'ours', times[1])


if __name__ == '__main__':
    main(sys.argv[1:])
