"""A network's forward pass, as matrix products against Lasagne's convolution and InverseLayer, batch 32.

    python tools/benchmarks/forward.py [dsd100 ikala bach10 bach10_compact]
"""
import measure
import numpy as np

from deepconvsep import command
from deepconvsep.backend.prepare import prepare
from deepconvsep.network import architecture

theano = prepare()

import lasagne

from deepconvsep.network.build import build

NETWORKS = {'dsd100': architecture.DSD100, 'ikala': architecture.IKALA_POOLED,
            'bach10': architecture.BACH10, 'bach10_compact': architecture.BACH10_COMPACT}


def main(argv=None):
    flags = command.Parser(description=__doc__.split('\n')[0])
    flags.add_arg('networks', nargs='*', metavar='NETWORK', help='of %s (default: dsd100)' % ', '.join(NETWORKS))
    names = flags.parse_args(argv).networks or ['dsd100']
    for name in names:
        if name not in NETWORKS:
            flags.error('got the network %r, expected one of %s' % (name, ', '.join(NETWORKS)))
    for name in names:
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
    command.run(main)
