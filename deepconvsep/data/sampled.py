"""Training data of which every epoch sees other files: a few of many, drawn anew."""
import numpy as np

from deepconvsep.errors import InputError


class SampledDataset:
    """Some of the files of a dataset, others in every epoch, to be used for training like the dataset itself.

    Parameters
    ----------
    load : callable
        ``load(nsamples=..., seed=...)`` gives a :class:`deepconvsep.data.large.LargeDataset`, or one of its subclasses.
    nsamples : int
        Files per epoch.
    seed : int
        For the files and their order.
    batch_size : int

    Attributes
    ----------
    epoch : int
        Number of the current epoch, from 0.
    total_points : int
        Examples of the current epoch.
    file_list : list of str
        Files of the current epoch.
    tracks : list of deepconvsep.data.reading.Track
        All files.
    """

    def __init__(self, load, nsamples, seed, batch_size):
        self._load, self._nsamples, self.seed, self.batch_size = load, nsamples, seed, batch_size
        self._everything = load(nsamples=0, seed=seed)
        self.input_size, self.tracks = self._everything.input_size, self._everything.tracks
        self._data = None
        self.set_epoch(0)

    def set_epoch(self, epoch):
        """Go to the beginning of an epoch."""
        if self._data is not None:
            self._data.close()
        seed = int(np.random.SeedSequence([self.seed, epoch]).generate_state(1)[0])
        self.epoch, self._data = epoch, self._load(nsamples=self._nsamples, seed=seed)

    total_points = property(lambda self: self._data.total_points)
    file_list = property(lambda self: self._data.file_list)

    def __len__(self):
        """Batches of the current epoch."""
        return len(self._data)

    def chunks(self):
        """The chunks up to the end of the current epoch; see :meth:`deepconvsep.data.large.LargeDataset.chunks`."""
        yield from self._data.chunks(once=True)   # the next epoch has other files
        self.set_epoch(self.epoch + 1)

    def state(self, done=0):
        """The position, as :meth:`deepconvsep.data.large.LargeDataset.state`."""
        inner = self._data.state(done)
        return dict(self._everything.state(), files_per_epoch=self._nsamples, epoch=self.epoch + inner['epoch'],
                    batch=inner['batch'])

    def restore(self, state):
        """Continue at a position given by :meth:`state`."""
        self._everything.restore(dict(state, epoch=0, batch=0))
        if state.get('files_per_epoch') != self._nsamples:
            raise InputError('cannot continue: files_per_epoch was %s and is %s'
                             % (state.get('files_per_epoch'), self._nsamples))
        self.seed = state['seed']
        self.set_epoch(state['epoch'])
        self._data.restore(dict(self._data.state(), batch=state['batch']))

    def contents(self):
        """Fingerprint of all files, as :meth:`deepconvsep.data.large.LargeDataset.contents`."""
        return self._everything.contents()

    def feature_paths(self):
        """As :meth:`deepconvsep.data.large.LargeDataset.feature_paths`, of all files."""
        return self._everything.feature_paths()

    def close(self):
        """End the reading threads."""
        self._data.close()
