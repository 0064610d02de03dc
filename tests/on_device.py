"""Runs recorded networks on the device that THEANO_FLAGS selects: on_device.py OUTPUT.npz NAME.

Writes the loss, its terms and the gradients, the network's outputs, and the losses of three training steps on a
small resident chunk. Run as a program by test_gpu.py, because the device of a process is chosen once.
"""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.dirname(HERE), HERE]

from deepconvsep.backend.prepare import prepare

theano = prepare(verbose=False)

import lasagne
import numpy as np


def zero_results_of_clblast():
    """Clear what products are written to: CLBlast multiplies it by zero, which leaves the NaN of fresh memory."""
    from theano.gpuarray.basic_ops import GpuAllocEmpty
    from theano.gpuarray.blas import GpuDot22

    def clearing(operation, product):
        made = operation.c_code

        def c_code(self, node, name, inputs, outputs, sub):
            code = made(self, node, name, inputs, outputs, sub)
            clear = 'GpuArray_memset(&%s->ga, 0);\n' % outputs[0]
            return code.replace(product, clear + product) if product else code + clear

        operation.c_code = c_code
        # not shared with devices that need no clearing
        operation.c_code_cache_version = lambda self: (5, 20)

    clearing(GpuAllocEmpty, None)
    clearing(GpuDot22, 'if (pygpu_blas_rgemm')


def main(path, name):
    if theano.config.device.startswith('opencl'):
        zero_results_of_clblast()
    import test_objective

    from deepconvsep.network.build import build
    from deepconvsep.settings import Settings
    from deepconvsep.training.step import Step

    recorded, entry, loss, values, gradients, params = test_objective.graph(name, written_out=True)
    arrays = theano.function([entry], [loss] + values + gradients)(recorded.inputs.astype('float32'))
    results = {'gradient%02d' % number: array for number, array in enumerate(arrays)}

    arch, terms, in_numerator = test_objective.of_recorded(name, recorded)
    net = build(arch, entry, len(recorded.inputs), params=[param.astype('float32') for param in recorded.params])
    results['outputs'] = theano.function([entry], lasagne.layers.get_output(net))(recorded.inputs.astype('float32'))

    sources = recorded.targets.shape[1]
    chosen = Settings(tuple('abcd')[:sources], frame_size=2 * arch.feat_size - 2, mask_eps=0.1,
                                              mask_noise_in_numerator=in_numerator)
    step = Step(arch, chosen, terms, 4, params=[param.astype('float32') for param in recorded.params])
    rs = np.random.RandomState(0)
    parts = rs.uniform(size=(sources, 60, arch.feat_size)).astype('float32')
    step.load_chunk(parts.sum(axis=0), np.concatenate(list(parts), axis=1))
    results['steps'] = np.array([step.train(np.array(starts)) for starts in ([0, 7, 30], [5, 1, 2, 3], [9, 8, 7])])
    np.savez(path, **{key: np.asarray(value) for key, value in results.items()})


if __name__ == '__main__':
    main(*sys.argv[1:])
