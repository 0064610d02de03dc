"""Train a network: epochs, checkpoints, resume.

Source of the recipe: P. Chandna, M. Miron, J. Janer and E. Gomez, LVA/ICA 2017, section 3; the optimiser is Adadelta
with learning rate 1, rho 0.95, epsilon 1e-6.
"""
import contextlib
import gc
import hashlib
import os
import time

import numpy as np

from deepconvsep import command, files, progress
from deepconvsep.data import contents
from deepconvsep.errors import InputError
from deepconvsep.models import store
from deepconvsep.training import checkpoint, log
from deepconvsep.training.step import Step

logger = command.get_logger('training')


class Run:
    """A training run in a folder, which can be interrupted at any time and resumed.

    Parameters
    ----------
    folder : str
        Gets ``model_<name>.pkl`` and ``.json``, ``checkpoint_<name>.npz``, ``log_<name>.csv``, ``loss_<name>.data``
        (the pickled list of losses that the original wrote) and ``loss_<name>.png``.
    name : str
    network, settings, terms
        As in :class:`deepconvsep.training.step.Step`.
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
    held_out : list of str
        Names of the songs in `validation`, to be written beside the model.
    params : list of ndarray, optional
    output_bias, learning_rate
        As in :class:`deepconvsep.training.step.Step`.
    """

    def __init__(self, folder, name, network, settings, terms, dataset, validation=None, seed=0,
                 optimizers=('adadelta',), keep_best=False, minutes=10., quiet=False, params=None, held_out=(),
                 output_bias=0., learning_rate=None):
        self.name, self.held_out = name, list(held_out)
        self.network, self.settings, self.terms = network, settings, terms
        self.dataset, self.validation, self.quiet = dataset, validation, quiet
        self.keep_best, self.minutes, self.optimizers = keep_best, minutes, optimizers
        self.paths = checkpoint.run_paths(folder, name)
        self.facts = {'network': network.to_dict(), 'settings': settings.to_dict(), 'seed': seed,
                      'optimizer': ', then '.join(optimizers), 'batch_size': dataset.batch_size,
                      'validation_examples': validation.total_points if validation else 0}
        # only what is not as it always was: checkpoints from before have none of them
        self.facts.update({name: value for name, value in
                           (('output_bias', output_bias), ('learning_rate', learning_rate)) if value})
        self.contents = {'training': dataset.contents(), 'held out': validation.contents() if validation else None}
        self.step = self._new_step(0, params)
        self.phase, self._phase_began = 0, 0
        self.history, self._sums, self._seconds = [], np.zeros(1 + len(terms)), 0.
        self._initial = _digest(params) if params else None
        self._model, self._model_is_due = None, False   # SHA-256 of the model's file, as this run wrote it

    def _new_step(self, phase, params=None):
        return Step(self.network, self.settings, self.terms, self.dataset.batch_size, self.facts['seed'],
                    self.optimizers[phase], params, self.facts.get('output_bias', 0.),
                    self.facts.get('learning_rate'))

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
                before, now = _differences(info.get('facts', {}).get(name), value)
                raise InputError('%s was written with %s = %.200s, now it is %.200s: give the same flags, or '
                                 '--overwrite' % (self.paths['checkpoint'], name, before, now))
        self._compare_contents(info)
        if self._initial and info.get('initial', self._initial) != self._initial:
            raise InputError('%s did not begin with the weights of --load: leave that out to continue the run, or give '
                             '--overwrite to start anew' % self.paths['checkpoint'])
        self._initial = info.get('initial')
        phase, self._phase_began = info.get('phase', (0, 0))
        if phase != self.phase:
            self.phase, self.step = phase, None  # the one before takes memory
            self.step = self._new_step(phase)
        self.step.set_values(params, optimizer)
        self.dataset.restore(info['data'])
        self.history, self._seconds = info['history'], info['seconds']
        self._sums = np.array(info['sums'])
        self._check_model(info)
        return True

    def start_anew(self):
        """Forget what a former run of this name left, but its model, which the first epoch replaces.

        Otherwise, were this one interrupted before its first checkpoint, the former one would be resumed.
        """
        for what in ('checkpoint', 'log', 'losses', 'plot'):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.paths[what])

    def _check_model(self, info):
        """See to it that the model is the one that the checkpoint knows, or is written again.

        It is written before the checkpoint, so that it may be ahead, or lack its settings, where a run was killed
        between both. The next epoch then writes it again, since it does the same again.
        """
        path, beside = self.paths['model'], store.settings_path(self.paths['model'])
        self._model = info.get('model')
        if not self.history:
            return
        found = files.sha256(path) if os.path.exists(path) else None
        if found is None or 'model' in info and self._model is None:
            if info['data'].get('batch') or not self.history[-1].get('best', True):
                raise InputError('%s is gone, which %s goes on from: restore it, or give --overwrite to start anew'
                                 % (path, self.paths['checkpoint']))
            self.save_model(self.history[-1])
        elif 'model' not in info:   # of an older version
            self._model = found
        elif found != self._model:
            self._model_is_due = True
            if not self._is_ahead(beside):
                self._refuse_model()
        elif not os.path.exists(beside):
            store.describe(path, found, self.network, self.settings, self._training(
                [row for row in self.history if row.get('best', True)][-1]))

    def _is_ahead(self, beside):
        """Whether the settings beside a model, if there are any, say that it is of this run's next epoch."""
        if not os.path.exists(beside):
            return True
        training = files.read_json(beside, 'the settings of a model').get('training')
        expected = {'seed': self.facts['seed'], 'features': self.contents, 'epochs': self.history[-1]['epoch'] + 1}
        return isinstance(training, dict) and all(training.get(name) == value for name, value in expected.items())

    def _refuse_model(self):
        if self._model_is_due:
            raise InputError('%s is not the model that %s knows, another took its place: restore it, or give '
                             '--overwrite to start anew' % (self.paths['model'], self.paths['checkpoint']))

    def _compare_contents(self, info):
        """Refuse to go on with features that are not what the checkpoint was trained with."""
        if 'contents' not in info:
            logger.warning('%s does not say what was in the features: that they have not changed is assumed',
                           self.paths['checkpoint'])
            return
        for kind, now in self.contents.items():
            before = info['contents'].get(kind)
            found = contents.compare(before, now) if before and now else 'same'
            if found == 'changed':
                raise InputError('the %s features are not what %s was trained with, their contents changed: compute '
                                 'them again as they were, or give --overwrite to start anew'
                                 % (kind, self.paths['checkpoint']))
            if found == 'unsure':
                logger.warning('the %s features have other dates than when %s was written, and not all of them have a '
                               'record of what they were made from: samples of them are the same', kind,
                               self.paths['checkpoint'])

    def run(self, *epochs):
        """Train from wherever the run is, up to so many epochs with each optimizer in turn.

        Raises
        ------
        InputError
            When the run has begun a later phase after another number of epochs.
        """
        total, end = sum(epochs), 0
        if self.dataset.epoch > total:
            logger.warning('%s has trained for %d epochs, and %d are asked for: nothing is trained',
                           self.paths['checkpoint'], self.dataset.epoch, total)
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
        self._refuse_model()
        log.write_table(self.paths['log'], self.history, self.terms)
        log.write_losses(self.paths['losses'], self.history, self.dataset.batch_size)
        ends = np.cumsum(epochs).tolist()
        log.plot_losses(self.paths['plot'], self.history, self.terms, '%s, %s' % (self.name, time.strftime('%Y-%m-%d')),
                        [(end, name) for end, name in zip(ends, self.optimizers[1:]) if end < len(self.history)])

    def _next_phase(self):
        """Go on with the next optimizer from the model that was kept."""
        self._model_is_due = files.sha256(self.paths['model']) != self._model
        self._refuse_model()
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
        started, saved = time.monotonic() - self._seconds, time.monotonic()
        done = dataset.state()['batch']
        with progress.Bar(batches, 'batches', 'epoch %d/%d' % (epoch + 1, epochs), self.quiet, initial=done,
                          leave=False) as bar:
            for chunk in dataset.chunks():
                self.step.load_chunk(chunk.inputs, chunk.outputs, chunk.guide)
                for number in range(len(chunk)):
                    starts = chunk.starts[number * dataset.batch_size:(number + 1) * dataset.batch_size]
                    values = self.step.train(starts)
                    if not np.isfinite(values).all():
                        self._give_up('the loss became %s' % values[0], epoch, chunk.first + number)
                    self._sums += values
                    bar.update(postfix='loss=%.4g' % (values[0] / len(starts)))
                    if time.monotonic() - saved > 60 * self.minutes and chunk.first + number + 1 < batches:
                        self._seconds = time.monotonic() - started
                        self._check_values(epoch, chunk.first + number)
                        self.save(dataset.state(number + 1))
                        saved = time.monotonic()
        self._check_values(epoch, batches - 1)
        if not self._sums.any():
            self._give_up('the loss is 0', epoch, batches - 1,
                          'there is nothing to learn: look for silent features, or raise --scale_factor')
        row = self._row(epoch, examples, time.monotonic() - started)
        self.history.append(row)
        self._sums, self._seconds = np.zeros_like(self._sums), 0.
        logger.info('%s', self.describe(row, epochs))
        # the model before the checkpoint: if only one of them is written, the epoch is done again
        if row.get('best', True):
            if not os.path.exists(self.paths['checkpoint']):
                self.save(dataset.state())   # so that a model without a checkpoint is never of a run to be resumed
            self.save_model(row)
        self._refuse_model()
        self.save(dataset.state())
        log.write_table(self.paths['log'], self.history, self.terms)

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
        for chunk in self.validation.chunks(once=True):
            self.step.load_chunk(chunk.inputs, chunk.outputs, chunk.guide)
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

    def _give_up(self, what, epoch, batch, remedy='look for damaged features, or lower --scale_factor'):
        good = self.paths['checkpoint']
        if os.path.exists(good):
            info = checkpoint.load(good)[2]['data']
            kept = 'the last good checkpoint is %s (epoch %d, batch %d)' % (good, info['epoch'] + 1, info['batch'])
        else:
            kept = 'there is no checkpoint yet'
        raise InputError('%s in epoch %d, batch %d; %s: %s' % (what, epoch + 1, batch + 1, kept, remedy))

    def save(self, data):
        """Write a checkpoint; `data` is the dataset's state that goes with the parameters."""
        params, optimizer = self.step.get_values()
        checkpoint.save(self.paths['checkpoint'], params, optimizer, {
            'facts': self.facts, 'contents': self.contents, 'data': data,
            'initial': self._initial, 'model': self._model, 'history': self.history, 'sums': self._sums.tolist(),
            'seconds': self._seconds, 'phase': [self.phase, self._phase_began]})

    def save_model(self, row):
        """Write the model with what is known about its training."""
        self._model = store.save(self.paths['model'], self.step.get_values()[0], self.network, self.settings,
                                 self._training(row))
        self._model_is_due = False

    def _training(self, row):
        """What is written beside the model of the epoch `row`."""
        return dict(self.facts, network=None, settings=None, epochs=row['epoch'], last_epoch=row,
                    features=self.contents, held_out=self.held_out)


def _differences(before, now):
    """Of two dicts the parts that are not the same, in dicts, too; other values as they are."""
    if not isinstance(before, dict) or not isinstance(now, dict):
        return before, now
    parts = {name: _differences(before.get(name), now.get(name)) for name in {**before, **now}
             if before.get(name) != now.get(name)}
    return tuple({name: pair[side] for name, pair in parts.items()} for side in (0, 1))


def _digest(params):
    """SHA-256 of weights, as hexadecimal digits."""
    digest = hashlib.sha256()
    for array in params:
        digest.update(np.ascontiguousarray(array))
    return digest.hexdigest()
