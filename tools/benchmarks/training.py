"""A training step, data included: matrix products on a resident chunk against Lasagne's layers fed batch by batch.

    python tools/benchmarks/training.py [--network dsd100|ikala|bach10_compact|bach10] [--batch_size 32] [--steps 20]

Both sides read the same generated features through their own way of loading, run the same loss and Adadelta, and take
turns, so that other work on the machine slows both; on a CPU the time is its own. The published Bach10 network is held
twice, once for each side: about 12 GB at batch 8; --skip_literal for ours alone.
"""
import argparse
import resource
import tempfile

import measure
import numpy as np

from deepconvsep.backend.prepare import prepare
from deepconvsep.network import architecture

theano = prepare()

import lasagne
import theano.tensor as T

import dataset
from deepconvsep.features import tensors
from deepconvsep.network.build import build
from deepconvsep.network.masks import mask_noise, soft_masks, source_outputs
from deepconvsep.training import objective
from deepconvsep.training.step import Step
from examples.bach10 import recipe as bach10
from examples.dsd100 import recipe as dsd100
from examples.ikala import recipe as ikala

NETWORKS = {
    'dsd100': (architecture.DSD100, dsd100.SETTINGS, dsd100.LOSS),
    'ikala': (architecture.IKALA_POOLED, ikala.SETTINGS, ikala.LOSS),
    'bach10': (architecture.BACH10, bach10.SETTINGS, bach10.LOSS),
    'bach10_compact': (architecture.BACH10_COMPACT, bach10.SETTINGS, bach10.LOSS),
}


def literal_step(arch, chosen, terms, batch):
    """The step as plain Lasagne and automatic differentiation make it, fed with arrays."""
    inputs, targets = T.tensor4(), T.tensor4()
    net = build(arch, inputs, batch, literal=True)
    noise = theano.shared(mask_noise((batch, arch.time_context, arch.feat_size), 0))
    masks = soft_masks(source_outputs(net), noise, 1e-8, chosen.mask_noise_in_numerator)
    sources = len(chosen.sources)
    total, values = objective.evaluate(terms, [mask * inputs[:, 0] for mask in masks],
                                       [targets[:, source] for source in range(sources)])
    params = lasagne.layers.get_all_params(net, trainable=True)
    updates = lasagne.updates.adadelta(abs(total), params)
    return theano.function([inputs, targets], [abs(total)] + values, updates=updates)


def main():
    flags = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    flags.add_argument('--network', choices=sorted(NETWORKS), default='dsd100')
    flags.add_argument('--batch_size', type=int, default=32)
    flags.add_argument('--steps', type=int, default=20)
    flags.add_argument('--skip_literal', action='store_true')
    flags = flags.parse_args()
    arch, chosen, terms = NETWORKS[flags.network]
    batch, sources = flags.batch_size, len(chosen.sources)
    with tempfile.TemporaryDirectory() as folder:
        frames = (flags.steps + 5) * batch * 5 // 4 + 30
        parts = np.random.RandomState(0).uniform(size=(sources, frames, arch.feat_size)) ** 3
        tensor = np.concatenate([parts.sum(axis=0, keepdims=True), parts])
        for song in range(4):
            tensors.save_tensor('%s/song%d.data' % (folder, song), tensor, '__m_', np.float32)

        def load():
            return dataset.LargeDataset(folder, batch_size=batch, batch_memory=10 ** 6, time_context=arch.time_context,
                                        overlap=25, nsources=sources, tensortype='float32')
        step, chunk = Step(arch, chosen, terms, batch), next(load().chunks())
        step.load_chunk(chunk.inputs, chunk.outputs)
        batches = iter([chunk.starts[first:first + batch] for first in range(0, len(chunk.starts), batch)] * 10)
        sides = [lambda: step.train(next(batches))]
        if not flags.skip_literal:
            literal, data = literal_step(arch, chosen, terms, batch), load()

            def one_literal():
                inputs, outputs = data()
                outputs = outputs.reshape(batch, arch.time_context, sources, arch.feat_size).transpose(0, 2, 1, 3)
                literal(inputs[:, None], outputs)
            sides.append(one_literal)
        times, now = [[] for _ in sides], measure.clock(theano.config.device)
        for _ in range(flags.steps + 3):
            for run, each in zip(sides, times):
                start = now()
                run()
                each.append(now() - start)
        start = now()
        step.load_chunk(chunk.inputs, chunk.outputs)
        share = (now() - start) / len(chunk)
    ours, *others = [float(np.median(each[3:])) for each in times]
    title = 'training step of the %s, batch %d, on %s' % (arch.name, batch, device())
    if others:
        measure.compare(title, 'literal', others[0], 'ours', ours + share)
    else:
        print('%s: %.4g s, peak %.2f GB' % (title, ours + share,
                                            resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6))


def device():
    """The device that Theano uses, by name if it has one."""
    if theano.config.device == 'cpu':
        return 'cpu'
    from theano.gpuarray.type import get_context
    return '%s (%s)' % (theano.config.device, get_context(None).devname)


if __name__ == '__main__':
    main()
