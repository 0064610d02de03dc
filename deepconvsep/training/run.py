"""Train a network: compile, epochs, checkpoints, resume.

The data of a chunk stay on the device, each frame once, and a batch is cut there by the numbers of its first
frames: what travels per step is a few hundred bytes. Source of the recipe: P. Chandna, M. Miron, J. Janer and
E. Gomez, LVA/ICA 2017, section 3; the optimiser is Adadelta with learning rate 1, rho 0.95, epsilon 1e-6.
"""
import csv
import gc
import io
import os
import pickle
import time

import numpy as np

from deepconvsep import command, files, progress
from deepconvsep.backend.prepare import prepare
from deepconvsep.errors import InputError
from deepconvsep.models import store
from deepconvsep.training import checkpoint

theano = prepare(verbose=False, seconds=90)

import lasagne
import theano.tensor as T

from deepconvsep.network import build as layers
from deepconvsep.training import objective
from deepconvsep.training.adadelta import adadelta

logger = command.get_logger('training')

OPTIMIZERS = {'adadelta': adadelta, 'adam': lasagne.updates.adam}

# parameters beyond which memory counts more than the time it takes to get it
LARGE = 1 << 24


class Step:
    """The compiled training step, and the evaluation of the loss without one.

    Parameters
    ----------
    network : architecture.Architecture
    settings : settings.Settings
    terms : tuple of objective.Term
        The loss; targets are numbered like the network's outputs.
    batch_size : int
    seed : int
        For the initial parameters and the masks' noise.
    optimizer : {'adadelta', 'adam'}
    params : list of ndarray, optional
        What the parameters start from; copied. Default: drawn by the seed.
    """

    def __init__(self, network, settings, terms, batch_size, seed=0, optimizer='adadelta', params=None):
        self.batch_size, self.time_context = batch_size, network.time_context
        frames, bins, sources = network.time_context, network.feat_size, len(settings.sources)
        self._inputs = theano.shared(np.zeros((1, bins), theano.config.floatX))
        # of a score-informed network: the mixture times each mask, multiplied once and not at every step
        self._filtered = theano.shared(np.zeros((1, network.channels * bins), theano.config.floatX)) \
            if network.channels > 1 else None
        # one array per source: elementwise operations are several times faster on arrays without gaps
        self._outputs = [theano.shared(np.zeros((1, bins), theano.config.floatX)) for _ in range(sources)]
        starts = T.lvector('starts')
        rows = (starts[:, None] + T.arange(frames)[None, :]).reshape((batch_size * frames,))
        mixture = self._inputs[rows].reshape((batch_size, frames, bins))
        targets = [output[rows].reshape((batch_size, frames, bins)) for output in self._outputs]

        lasagne.random.set_rng(np.random.RandomState(seed))
        seen = mixture.dimshuffle(0, 'x', 1, 2) if self._filtered is None else \
            self._filtered[rows].reshape((batch_size, frames, network.channels, bins)).dimshuffle(0, 2, 1, 3)
        self.net = layers.build(network, seen, batch_size, params=params and [np.array(value) for value in params])
        noise = theano.shared(layers.mask_noise((batch_size, frames, bins), seed))
        loss, values, known, bias_gradient = objective.masked_loss(
            terms, self.net, lasagne.layers.get_output(self.net.input_layers), mixture, targets, noise,
            settings.mask_eps, settings.mask_noise_in_numerator)
        self.params = lasagne.layers.get_all_params(self.net, trainable=True)
        inner = [param for param in self.params if param is not self.net.b]
        gradients = theano.grad(None, inner, known_grads=known, disconnected_inputs='ignore')
        updates = OPTIMIZERS[optimizer](gradients + [bias_gradient], inner + [self.net.b])
        self.optimizer = [variable for variable in updates if variable not in self.params]
        # taking buffers from the system anew costs small networks a third of the time; for the published Bach10 network
        # that is nothing beside the products, and keeping them from step to step would take gigabytes
        large = sum(map(np.prod, network.param_shapes())) > LARGE
        mode = theano.compile.get_default_mode().clone(link_kwargs={'allow_gc': large})
        self._train = theano.function([starts], [loss] + values, updates=updates, mode=mode)
        self._evaluate = None
        self._evaluation = ([starts], [loss] + values, mode)

    def load_chunk(self, inputs, outputs, masks=None):
        """Put the frames of a chunk on the device.

        A window of silence goes behind them: it adds nothing to loss and gradient, and fills up a last batch.

        Parameters
        ----------
        inputs, outputs : ndarray, shape (frames, bins), (frames, sources * bins)
        masks : ndarray, shape (frames, channels * bins), optional
            Of a score-informed network: what the channels of its input are filtered with.
        """
        bins = inputs.shape[1]
        for variable, frames in zip([self._inputs] + self._outputs,
                                    [inputs] + np.split(outputs, len(self._outputs), axis=1)):
            device = self._room(len(inputs), bins)
            device[:len(inputs)] = frames
            variable.set_value(device, borrow=True)
        if self._filtered is not None:
            device = self._room(len(inputs), masks.shape[1])
            for first in range(0, masks.shape[1], bins):
                np.multiply(inputs, masks[:, first:first + bins], out=device[:len(inputs), first:first + bins])
            self._filtered.set_value(device, borrow=True)
        self._silence = len(inputs)

    def _room(self, frames, width):
        return np.zeros((frames + self.time_context, width), theano.config.floatX)

    def train(self, starts):
        """One step on the windows that start at the frames `starts`, at most `batch_size` of them.

        Returns
        -------
        ndarray of float64
            The loss before the step, then its terms; sums over the windows.
        """
        return np.array(self._train(self._padded(starts)), float)

    def evaluate(self, starts):
        """The loss and its terms, without a step."""
        if self._evaluate is None:
            inputs, outputs, mode = self._evaluation
            self._evaluate = theano.function(inputs, outputs, mode=mode)
        return np.array(self._evaluate(self._padded(starts)), float)

    def _padded(self, starts):
        padded = np.full(self.batch_size, self._silence, np.int64)
        padded[:len(starts)] = starts
        return padded

    def get_values(self):
        """Parameters and optimiser state: two lists of ndarray, to be used before the next step.

        They are not copied where they are in this process's memory already: with the optimiser's, the parameters of
        the published Bach10 network take 2.6 GB.
        """
        return ([param.get_value(borrow=True) for param in self.params],
                [state.get_value(borrow=True) for state in self.optimizer])

    def set_values(self, params, optimizer=None):
        """Set the parameters and, if given, the optimiser state; arrays that can be written to are taken over, not copied."""
        for variable, value in zip(self.params + (self.optimizer if optimizer else []), params + (optimizer or [])):
            if variable.get_value(borrow=True).shape != value.shape:
                raise InputError('the stored state does not fit the network: array of %s, expected %s'
                                 % (value.shape, variable.get_value(borrow=True).shape))
            variable.set_value(np.require(value, variable.dtype, 'W'), borrow=True)


class Run:
    """A training run in a folder, which can be interrupted at any time and resumed.

    Parameters
    ----------
    folder : str
        Gets ``model_<name>.pkl`` and ``.json``, ``checkpoint_<name>.npz``, ``log_<name>.csv``, ``loss_<name>.data``
        (the pickled list of losses that the original wrote) and ``loss_<name>.png``.
    name : str
    network, settings, terms
        As in :class:`Step`.
    dataset : dataset.LargeDataset
    validation : dataset.LargeDataset, optional
        Songs that are held out: the model of the epoch with the lowest loss on them is kept.
    seed : int
    optimizers : tuple of {'adadelta', 'adam'}
        One per phase of the training; every phase but the first begins with the model that was kept.
    keep_best : bool
        Without `validation`, keep the model of the epoch with the lowest training loss; otherwise the last.
    minutes : float
        A checkpoint is written at every end of an epoch and after so many minutes.
    quiet : bool
        No progress bar.
    params : list of ndarray, optional
        As in :class:`Step`.
    """

    def __init__(self, folder, name, network, settings, terms, dataset, validation=None, seed=0,
                 optimizers=('adadelta',), keep_best=False, minutes=10., quiet=False, params=None):
        self.network, self.settings, self.terms = network, settings, terms
        self.dataset, self.validation, self.quiet = dataset, validation, quiet
        self.keep_best, self.minutes, self.optimizers = keep_best, minutes, optimizers
        self.paths = run_paths(folder, name)
        self.facts = {'network': network.to_dict(), 'settings': settings.to_dict(), 'seed': seed,
                      'optimizer': ', then '.join(optimizers), 'batch_size': dataset.batch_size,
                      'validation_examples': validation.total_points if validation else 0}
        self.step = self._new_step(0, params)
        self.phase, self._phase_began = 0, 0
        self.history, self._sums, self._seconds = [], np.zeros(1 + len(terms)), 0.

    def _new_step(self, phase, params=None):
        return Step(self.network, self.settings, self.terms, self.dataset.batch_size, self.facts['seed'],
                    self.optimizers[phase], params)

    def resume(self):
        """Continue from the checkpoint. False when there is none.

        Raises
        ------
        InputError
            When it is damaged, or of other settings or data.
        """
        if not os.path.exists(self.paths['checkpoint']):
            return False
        params, optimizer, info = checkpoint.load(self.paths['checkpoint'])
        for name, value in self.facts.items():
            if info.get('facts', {}).get(name) != value:
                raise InputError('%s was written with %s = %.200s, now it is %.200s: give the same flags, or --overwrite'
                                 % (self.paths['checkpoint'], name, info.get('facts', {}).get(name), value))
        phase, self._phase_began = info.get('phase', (0, 0))
        if phase != self.phase:
            self.phase, self.step = phase, None  # the one before takes memory
            self.step = self._new_step(phase)
        self.step.set_values(params, optimizer)
        self.dataset.restore(info['data'])
        self.history, self._seconds = info['history'], info['seconds']
        self._sums = np.array(info['sums'])
        return True

    def run(self, *epochs):
        """Train from wherever the run is, up to so many epochs with each optimizer in turn.

        Raises
        ------
        InputError
            When the run has begun a later phase after another number of epochs.
        """
        total, end = sum(epochs), 0
        for phase, count in enumerate(epochs):
            if self.phase < phase:
                self._next_phase()
            if self.phase == phase and self._phase_began != end:
                raise InputError('%s went on with %s after %d epochs, expected %d: give the same number of epochs, or '
                                 '--overwrite' % (self.paths['checkpoint'], self.optimizers[phase],
                                                  self._phase_began, end))
            end += count
            while self.phase == phase and self.dataset.epoch < end:
                self._epoch(total)
        self.write_losses()

    def _next_phase(self):
        """Go on with the next optimizer from the model that was kept."""
        kept = store.load(self.paths['model'], (self.network,), 'this run')
        logger.info('going on with %s from epoch %d', self.optimizers[self.phase + 1], kept.training['epochs'])
        self.step = None  # before the next one takes memory
        gc.collect()
        self.phase, self._phase_began = self.phase + 1, self.dataset.epoch
        self.step = self._new_step(self.phase)
        self.step.set_values(kept.params)
        # before the model is replaced: a run that is killed later begins the phase with the same model
        self.save(self.dataset.state())

    def _epoch(self, epochs):
        epoch, dataset = self.dataset.epoch, self.dataset
        examples, batches = dataset.total_points, len(dataset)
        started, saved = time.time() - self._seconds, time.time()
        done = dataset.state()['batch']
        with progress.Bar(batches, 'batches', 'epoch %d/%d' % (epoch + 1, epochs), self.quiet, initial=done,
                          leave=False) as bar:
            for chunk in dataset.chunks():
                self.step.load_chunk(chunk.inputs, chunk.outputs, chunk.masks)
                for number in range(len(chunk)):
                    starts = chunk.starts[number * dataset.batch_size:(number + 1) * dataset.batch_size]
                    values = self.step.train(starts)
                    if not np.isfinite(values).all():
                        self._give_up('the loss became %s' % values[0], epoch, chunk.first + number)
                    self._sums += values
                    bar.update(postfix='loss=%.4g' % (values[0] / len(starts)))
                    if time.time() - saved > 60 * self.minutes and chunk.first + number + 1 < batches:
                        self._seconds = time.time() - started
                        self._check_values(epoch, chunk.first + number)
                        self.save(dataset.state(number + 1))
                        saved = time.time()
        self._check_values(epoch, batches - 1)
        row = self._row(epoch, examples, time.time() - started)
        self.history.append(row)
        self._sums, self._seconds = np.zeros_like(self._sums), 0.
        logger.info('%s', self.describe(row, epochs))
        # the model before the checkpoint: if only one of them is written, the epoch is done again
        if row.get('best', True):
            self.save_model(row)
        self.save(dataset.state())
        self.write_log()

    def _row(self, epoch, examples, seconds):
        means = self._sums / examples
        row = {'epoch': epoch + 1, 'loss': means[0], 'seconds': seconds, 'examples_per_second': examples / seconds}
        row.update({term.name: value for term, value in zip(self.terms, means[1:])})
        if self.validation:
            row['validation'] = self.validate()
        if self.validation or self.keep_best:
            measure = 'validation' if self.validation else 'loss'
            row['best'] = bool(row[measure] < min([old[measure] for old in self.history], default=np.inf))
        return row

    def validate(self):
        """The loss per example on the songs that are held out."""
        total = 0.
        self.validation.set_epoch(0)
        examples = self.validation.total_points  # of this epoch; the next one may have others
        for chunk in self.validation.chunks():
            self.step.load_chunk(chunk.inputs, chunk.outputs, chunk.masks)
            for first in range(0, len(chunk.starts), self.dataset.batch_size):
                total += self.step.evaluate(chunk.starts[first:first + self.dataset.batch_size])[0]
        return total / examples

    def describe(self, row, epochs):
        """One line about an epoch; losses are per example."""
        terms = ', '.join('%s %.4g' % (term.name, row[term.name]) for term in self.terms)
        held_out = ', held out %.4g' % row['validation'] if 'validation' in row else ''
        held_out += ' (best)' if row.get('best') else ''
        return 'epoch %d/%d: loss %.6g (%s)%s, %.1f s, %.0f examples/s' % (
            row['epoch'], epochs, row['loss'], terms, held_out, row['seconds'], row['examples_per_second'])

    def _check_values(self, epoch, batch):
        """The loss is that before the step: what the last one did is not in any."""
        if not all(np.isfinite(array).all() for arrays in self.step.get_values() for array in arrays):
            self._give_up('the weights or the averages of the optimizer became infinite or NaN', epoch, batch)

    def _give_up(self, what, epoch, batch):
        good = self.paths['checkpoint']
        if os.path.exists(good):
            info = checkpoint.load(good)[2]['data']
            kept = 'the last good checkpoint is %s (epoch %d, batch %d)' % (good, info['epoch'] + 1, info['batch'])
        else:
            kept = 'there is no checkpoint yet'
        raise InputError('%s in epoch %d, batch %d; %s: look for damaged features, or lower --scale_factor'
                         % (what, epoch + 1, batch + 1, kept))

    def save(self, data):
        """Write a checkpoint; `data` is the dataset's state that goes with the parameters."""
        params, optimizer = self.step.get_values()
        checkpoint.save(self.paths['checkpoint'], params, optimizer, {
            'facts': self.facts, 'data': data, 'history': self.history, 'sums': self._sums.tolist(),
            'seconds': self._seconds, 'phase': [self.phase, self._phase_began]})

    def save_model(self, row):
        """Write the model with what is known about its training."""
        store.save(self.paths['model'], self.step.get_values()[0], self.network, self.settings,
                   dict(self.facts, network=None, settings=None, epochs=row['epoch'], last_epoch=row))

    def write_log(self):
        """Write the table of epochs, whole."""
        text = io.StringIO()
        rows = csv.DictWriter(text, list(self.history[0]), lineterminator='\n')
        rows.writeheader()
        rows.writerows(self.history)
        with files.atomic_path(self.paths['log']) as temporary, open(temporary, 'w') as out:
            out.write(text.getvalue())

    def write_losses(self):
        """Write the list of losses as the original did, and their plot."""
        losses = [float(row['loss']) for row in self.history]
        with files.atomic_path(self.paths['losses']) as temporary, open(temporary, 'wb') as out:
            pickle.dump(losses, out, protocol=2)
        with files.atomic_path(self.paths['plot']) as temporary:
            plot_losses(self.history, self.terms, temporary)


def run_paths(folder, name):
    """The files of a run, by what they are."""
    names = {'model': 'model_%s.pkl', 'checkpoint': 'checkpoint_%s.npz', 'log': 'log_%s.csv', 'losses': 'loss_%s.data',
             'plot': 'loss_%s.png'}
    return {what: os.path.join(folder, pattern % name) for what, pattern in names.items()}


def plot_losses(history, terms, path):
    """Draw the loss, its terms and the held-out loss over the epochs as a PNG file."""
    import matplotlib
    matplotlib.use('Agg')
    import matplotlib.pyplot as plt
    figure, axes = plt.subplots(figsize=(7, 4.5))
    epochs = [row['epoch'] for row in history]
    axes.plot(epochs, [row['loss'] for row in history], color='black', linewidth=2, label='loss')
    for term in terms:
        axes.plot(epochs, [row[term.name] for row in history], linewidth=1, label=term.name)
    if history and 'validation' in history[0]:
        axes.plot(epochs, [row['validation'] for row in history], color='black', linestyle='--', label='held out')
    axes.set(xlabel='epoch', ylabel='squared error per example', yscale='log')
    axes.legend(fontsize='small', ncol=2)
    axes.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(path, format='png', dpi=120)
    plt.close(figure)
