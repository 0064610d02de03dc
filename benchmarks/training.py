"""A training step, data included: matrix products on a resident chunk against Lasagne's layers fed batch by batch.

    python benchmarks/training.py [--network dsd100|ikala|bach10_compact] [--steps 20]

Both sides read the same generated features through their own way of loading, run the same loss and Adadelta.
"""
import argparse
import tempfile
import time

import measure
import numpy as np

import architecture
import backend

theano = backend.prepare()

import lasagne  # noqa: E402
import theano.tensor as T  # noqa: E402

import dataset  # noqa: E402
import features  # noqa: E402
import network  # noqa: E402
import objective  # noqa: E402
import settings  # noqa: E402
import training  # noqa: E402
from examples.dsd100 import recipe as dsd100  # noqa: E402
from examples.ikala import recipe as ikala  # noqa: E402

BATCH = 32

NETWORKS = {
    'dsd100': (architecture.DSD100, dsd100.SETTINGS, dsd100.LOSS),
    'ikala': (architecture.IKALA_POOLED, ikala.SETTINGS, ikala.LOSS),
    'bach10_compact': (architecture.BACH10_COMPACT, settings.Settings(tuple('abcd'), frame_size=4096),
                       objective.reconstruction('abcd')),
}


def literal_step(arch, chosen, terms):
    """The step as plain Lasagne and automatic differentiation make it, fed with arrays."""
    inputs, targets = T.tensor4(), T.tensor4()
    net = network.build(arch, inputs, BATCH, literal=True)
    noise = theano.shared(network.mask_noise((BATCH, arch.time_context, arch.feat_size), 0))
    masks = network.soft_masks(network.source_outputs(net), noise, 1e-8, chosen.mask_noise_in_numerator)
    sources = len(chosen.sources)
    total, values = objective.evaluate(terms, [mask * inputs[:, 0] for mask in masks],
                                       [targets[:, source] for source in range(sources)])
    params = lasagne.layers.get_all_params(net, trainable=True)
    updates = lasagne.updates.adadelta(abs(total), params)
    return theano.function([inputs, targets], [abs(total)] + values, updates=updates)


def main():
    flags = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    flags.add_argument('--network', choices=sorted(NETWORKS), default='dsd100')
    flags.add_argument('--steps', type=int, default=20)
    flags = flags.parse_args()
    arch, chosen, terms = NETWORKS[flags.network]
    sources = len(chosen.sources)
    with tempfile.TemporaryDirectory() as folder:
        frames = (flags.steps + 5) * BATCH * 5 // 4 + 30
        parts = np.random.RandomState(0).uniform(size=(sources, frames, arch.feat_size)) ** 3
        tensor = np.concatenate([parts.sum(axis=0, keepdims=True), parts])
        for song in range(4):
            features.save_tensor('%s/song%d.data' % (folder, song), tensor, '__m_', np.float32)

        def load():
            return dataset.LargeDataset(folder, batch_size=BATCH, batch_memory=10 ** 6, time_context=arch.time_context,
                                        overlap=25, nsources=sources, tensortype='float32')
        literal, data = literal_step(arch, chosen, terms), load()

        def one_literal():
            inputs, outputs = data()
            outputs = outputs.reshape(BATCH, arch.time_context, sources, arch.feat_size).transpose(0, 2, 1, 3)
            literal(inputs[:, None], outputs)

        step, chunk = training.Step(arch, chosen, terms, BATCH), next(load().chunks())
        step.load_chunk(chunk.inputs, chunk.outputs)
        batches = iter([chunk.starts[first:first + BATCH] for first in range(0, len(chunk.starts), BATCH)] * 10)
        times = []
        for run in (one_literal, lambda: step.train(next(batches))):
            for _ in range(3):
                run()
            each = []
            for _ in range(flags.steps):
                start = time.perf_counter()
                run()
                each.append(time.perf_counter() - start)
            times.append(float(np.median(each)))
        start = time.perf_counter()
        step.load_chunk(chunk.inputs, chunk.outputs)
        share = (time.perf_counter() - start) / len(chunk)
        measure.compare('training step of the %s, batch %d, on %s' % (arch.name, BATCH, theano.config.device),
                        'literal', times[0], 'ours', times[1] + share)


if __name__ == '__main__':
    main()
