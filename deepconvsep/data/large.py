"""`LargeDataset`: shuffled training batches from feature files that need not fit into memory."""
import functools
import hashlib
import os
import weakref

import numpy as np

from deepconvsep.data import windows
from deepconvsep.data.chunks import ReadAhead
from deepconvsep.data.options import Options, whole
from deepconvsep.data.tracks import TrackSet
from deepconvsep.errors import InputError

LONGEST_RUN = 32   # windows read at one go: at overlap 25 of 30, 185 frames are read for 32 windows of 30
RUNS = 64          # but a chunk is made of at least so many runs, so that a batch mixes many places and files


class LargeDataset(TrackSet):
    """Batches of overlapping windows, shuffled across all files, each window exactly once per epoch.

    Feature files are those of :mod:`deepconvsep.features.tensors` whose names end in ``_m_.data``: tensors of shape
    (1 + sources, T, F), the mixture first. All of them are checked here, before any work; they are read in the
    background while the batches before are being used.

    There are three ways to use it, which share one position in the data:

    - ``for inputs, outputs in train:`` is one epoch (the rest of it, when some batches were taken before);
    - ``train()``, ``next(train)`` or ``train.next()`` give the next batch, epoch after epoch without end;
    - ``for chunk in train.chunks():`` is one epoch too, in pieces to keep on a device
      (:class:`deepconvsep.data.chunks.Chunk`).

    **Windows.** A window is `time_context` frames; they start every ``time_context - overlap`` frames. Frames left
    over at the end are covered by one more window, completed with zeros; so is a file shorter than a window.
    The last batch of an epoch holds what is left: it may be smaller than `batch_size`.

    **Memory.** At most ``batch_memory * batch_size`` examples' worth, whatever the dataset's size: if the dataset
    has no more, it is read once and kept; otherwise two chunks of half that size, one in use and one being read
    (at least one batch each). In fact it is less, because overlapping frames are stored once: about a fifth at
    overlap 25 of 30. A batch itself, and a read buffer of a megabyte per thread, come on top.

    **Shuffling.** Runs of up to 32 consecutive windows (fewer where a chunk would have less than 64 runs), cut at
    places that change each epoch, are dealt at random to the chunks, and the windows of a chunk are permuted.
    A batch thus mixes windows of many files, but windows of one run meet in the same chunk. A dataset that fits
    into memory is shuffled without this restriction. The order depends on `seed`, the epoch, the files,
    `batch_size` and `batch_memory`, and on nothing else: not on `nprocs`, not on timing.

    Parameters
    ----------
    path_transform_in : str or list of str, optional
        Folders of the features; without it there are no files until :meth:`updatePath` is called.
    path_transform_out : str or list of str, optional
        Folders of the targets, as many, holding files of the same names. Default: the same folders and files,
        the mixture being the input and rows 1 to `nsources` the targets. From another folder, targets are rows 1
        to `nsources` as well, or row 0 when `nsources` is 1.
    exclude_list : list of str
        Songs to leave out: every file whose name is an entry, or starts with an entry and ``_``.
    nsamples : int
        When above 0: use only so many files, drawn by `seed`.
    batch_size : int
        Examples per batch; reduced to the number of examples where there are fewer.
    batch_memory : int
        Batches in memory.
    time_context : int
        Frames per window; -1 stands for 10.
    overlap : int
        Frames shared by neighbouring windows; when above `time_context`, half of that is taken.
    tensortype : type or str
        Type of the batches: float (64 bits, as in the original), or ``'float32'``.
    scratch_path : str, optional
        Folder on a fast disk: feature files are copied there (as float32 if the batches are) when they are first
        read, and read from there ever after.
    extra_features : bool
        Also give features per window, from the files named ``_<model>_.data`` in place of ``_m_.data``, of shape
        (windows, size): the batches end with (n, context, size), the entries of the `context` windows before, at
        a distance of `jump` windows, the latest last, zero before the first window.
    model, context : str, int
        See `extra_features`.
    jump : int
        See `extra_features`; when below 1, as many windows as do not overlap.
    log_in, log_out : bool
        Take ``log10(1 + x)`` of inputs, outputs.
    mult_factor_in, mult_factor_out : float
        Factors for inputs and outputs, applied after the logarithm.
    nsources : int
        Number of targets.
    pitched, save_mask : bool
        Give piano rolls and harmonic masks: only in the subclasses that read notes.
    nprocs : int
        Threads that read.
    sampleRate, pitch_norm
        Taken for compatibility, without effect, as in the original.
    seed : int
        For the order and for `nsamples`.
    legacy : bool
        Cut as the original did (fewer windows, see :func:`deepconvsep.data.windows.legacy_starts`); order, epochs and
        completeness remain those described here. In the MultiMask classes, notes without channels are laid out as the
        original did, too: as those of a single channel.

    Attributes
    ----------
    file_list, dirid : list
        File names, and for each the number of its folder.
    epoch : int
        Number of the current epoch, from 0.
    batch_size, batch_memory, iteration_size, total_points : int
        Examples per batch, batches in memory, batches per epoch (``len``), examples.
    num_points : list of int
        Cumulative number of examples before each file, and in all.
    input_size, output_size : int
        Last axis of inputs and outputs: F and nsources * F.

    Raises
    ------
    InputError
        For an argument out of range, and, naming the file, for a feature file or shape that is missing, truncated,
        or does not agree with the others.

    Examples
    --------
    >>> import os, tempfile
    >>> from deepconvsep.features import tensors
    >>> folder = tempfile.mkdtemp()
    >>> tensors.save_tensor(os.path.join(folder, 'song.data'), np.ones((3, 100, 5)), '__m_')
    >>> train = LargeDataset(folder, batch_size=4, time_context=10, overlap=5, nsources=2, tensortype='float32')
    >>> len(train), train.total_points
    (5, 19)
    >>> [(inputs.shape, outputs.shape) for inputs, outputs in train][-1]
    ((3, 10, 5), (3, 10, 10))
    >>> train.epoch
    1
    """

    def __init__(self, path_transform_in=None, path_transform_out=None, sampleRate=44100, exclude_list=(), nsamples=0,
                 batch_size=64, batch_memory=8000, time_context=-1, overlap=5, tensortype=float, scratch_path=None,
                 extra_features=False, model='', context=5, log_in=False, log_out=False, mult_factor_in=1.,
                 mult_factor_out=1., nsources=2, pitched=False, save_mask=False, pitch_norm=127, nprocs=2, jump=0,
                 seed=0, legacy=False):
        super().__init__(Options(
            exclude_list=exclude_list, nsamples=nsamples, time_context=time_context, overlap=overlap,
            tensortype=tensortype, extra_features=extra_features, model=model,
            context=context, jump=jump, log_in=log_in, log_out=log_out, mult_factor_in=mult_factor_in,
            mult_factor_out=mult_factor_out, nsources=nsources, seed=seed, legacy=legacy), scratch_path)
        self.pitched, self.save_mask = bool(pitched), bool(save_mask)
        self._check_notes()
        self.nprocs = whole('nprocs', nprocs, 1)
        self._batch_size = whole('batch_size', batch_size, 1)
        self._batch_memory = whole('batch_memory', batch_memory, 1)
        self._ahead = ReadAhead(self.nprocs)
        self.epoch = 0
        self._start_over()
        if path_transform_in is not None:
            self.updatePath(path_transform_in, path_transform_out)

    def _check_notes(self):
        """Refuse what this class cannot give."""
        if self.pitched or self.save_mask:
            raise InputError('pitched and save_mask need notes: use LargeDatasetMask1, LargeDatasetMask2, '
                             'LargeDatasetMultiMask1 or LargeDatasetMultiMask2')

    def updatePath(self, path_in, path_out=None):
        """Use the feature files of other folders, see the constructor; the current epoch starts over."""
        super().updatePath(path_in, path_out)
        self._start_over()

    def __len__(self):
        """Batches per epoch, the last and possibly smaller one included."""
        return -(-self.total_points // self.batch_size)

    iteration_size = property(__len__)

    @property
    def batch_size(self):
        """Examples per batch, no more than there are; without files, what was given."""
        return min(self._batch_size, self.total_points) if self.total_points else self._batch_size

    @batch_size.setter
    def batch_size(self, batch_size):
        self.updateBatch(batch_size)

    @property
    def batch_memory(self):
        """Batches in memory at most, no more than there are; without files, what was given."""
        return min(self._batch_memory, len(self)) if self.total_points else self._batch_memory

    def updateBatch(self, batch_size):
        """Change the batch size; the current epoch starts over."""
        self._batch_size = whole('batch_size', batch_size, 1)
        self._start_over()

    # --- batches --------------------------------------------------------------------------------------

    def __call__(self):
        """The next batch, [inputs, outputs(, pitches)(, masks)(, features)]; after the last comes the next epoch.

        Shapes (n, time_context, input_size), (n, time_context, output_size), for pitches
        (n, time_context, 127 * instruments), for masks (n, time_context, F * instruments) and for features
        (n, context, size).
        """
        chunk = self._current()
        batch = chunk.batch(self._batch - chunk.first)
        self._move(self._batch + 1)
        return batch

    next = iterate = batches = __next__ = __call__

    def __iter__(self):
        """The batches up to the end of the current epoch."""
        epoch = self.epoch
        while self.epoch == epoch:
            yield self()

    def chunks(self, once=False):
        """The chunks up to the end of the current epoch, each with the batches not yet taken.

        While a chunk is in use the position stays in front of it: ``state(k)`` is the state after its first k
        batches. The next chunk but one is begun when nobody holds this one any more, neither the chunk nor one of its
        arrays: a for loop lets go of it in time, a list of all chunks holds the whole epoch.

        Parameters
        ----------
        once : bool
            No other epoch follows at once: nothing of it is read ahead, and no chunk is kept at the end but where
            there is one only.

        Yields
        ------
        deepconvsep.data.chunks.Chunk
        """
        epoch = self.epoch
        while self.epoch == epoch:
            # no name here may hold on to the chunk
            yield self._current(once).after(self._batch % self._chunk_batches)
            self._move((self._batch // self._chunk_batches + 1) * self._chunk_batches)
        if once:
            self._chunk = None

    def set_epoch(self, epoch):
        """Go to the beginning of an epoch."""
        self.epoch, self._batch = whole('epoch', epoch, 0), 0

    def _move(self, batch):
        self._batch = batch
        if self._batch >= len(self):
            self.epoch, self._batch = self.epoch + 1, 0

    # --- state ----------------------------------------------------------------------------------------

    def state(self, done=0):
        """The position, to be stored as JSON and given to :meth:`restore`: the batch that comes next.

        Parameters
        ----------
        done : int
            Batches already used of the chunk that :meth:`chunks` gave last.
        """
        batch = self._batch + done
        epoch, batch = (self.epoch + 1, 0) if batch >= len(self) else (self.epoch, batch)
        return dict(self._settings(), seed=self.seed, epoch=epoch, batch=batch)

    def restore(self, state):
        """Continue at a position given by :meth:`state`: the same batches follow as would have followed there.

        Raises
        ------
        InputError
            When the state is of another dataset or of other settings.
        """
        settings = self._settings()
        different = ['%s was %s and is %s' % (name, state.get(name), settings[name])
                     for name in settings if state.get(name) != settings[name]]
        if different:
            raise InputError('cannot continue: %s' % ', '.join(different))
        position = (whole('seed', state.get('seed', -1), 0, 2 ** 32 - 1), whole('epoch', state.get('epoch', -1), 0),
                    whole('batch', state.get('batch', -1), 0, len(self) - 1))
        self.seed, self.epoch, self._batch = position

    def _settings(self):
        """What the order of the batches depends on, apart from seed and epoch."""
        names = '\n'.join('%d/%s %d' % (number, name, count) for number, name, count
                          in zip(self.dirid, self.file_list, self.num_points[1:]))
        return {'files': hashlib.sha256(os.fsencode(names)).hexdigest()[:16], 'examples': self.total_points,
                'time_context': self.time_context, 'overlap': self.overlap, 'batch_size': self.batch_size,
                'batch_memory': self.batch_memory}

    def close(self):
        """End the reading threads; they start again when needed."""
        self._following = None
        self._ahead.close()

    # --- chunks ---------------------------------------------------------------------------------------

    def _start_over(self):
        self._ahead.cancel()
        self._batch = 0
        self._chunk = self._resident = self._plan = self._lifetime = self._following = None
        fits = self.total_points <= self._batch_memory * self.batch_size
        self._chunk_batches = len(self) if fits else max(1, self._batch_memory // 2)

    def _current(self, once=False):
        """The chunk that holds the current batch; begins to read the one after it, `once` within the epoch only."""
        self._need_files()
        number = self._batch // self._chunk_batches
        key = (self.seed, self.epoch, number)
        if self._chunk is None or self._chunk_key != key:
            order = self._planned(self.seed, self.epoch).order(number)
            if self._chunk_batches >= len(self):
                if self._resident is None:
                    self._resident = self._ahead.take(key, self._prepare)
                chunk = self._resident
            else:
                chunk = self._ahead.take(key, self._prepare)
                last = (number + 1) * self._chunk_batches >= len(self)
                following = (self.seed, self.epoch + 1, 0) if last else (self.seed, self.epoch, number + 1)
                self._read_on(None if last and once else following)
                self._lifetime = weakref.ref(chunk.memory)
            self._chunk_key, self._chunk = key, chunk.shuffled(self.epoch, order)
        return self._chunk

    def _read_on(self, key):
        """Begin to read a chunk, as soon as the one before the current one has been let go, by its user as well."""
        self._following = key
        before = self._lifetime and self._lifetime()
        if before is None:
            self._begin(key)
        elif key is not None:
            before.when_freed(functools.partial(self._begin, key))

    def _begin(self, key):
        # a chunk that was let go late must not stop the reading of what is needed by then
        if key is not None and key == self._following:
            self._ahead.start(key, self._prepare)

    def _planned(self, seed, epoch):
        """The plan of an epoch; the last one is kept."""
        plan = self._plan   # another thread may replace it
        if plan is None or plan[0] != (seed, epoch):
            chunk_size = self._chunk_batches * self.batch_size
            run = max(1, min(LONGEST_RUN, chunk_size // RUNS))
            plan = (seed, epoch), windows.EpochPlan(np.diff(self.num_points), chunk_size, run, seed, epoch)
            self._plan = plan
        return plan[1]

    def _prepare(self, key):
        """Make room for a chunk, and list the work that fills it, in a few equal shares per thread."""
        seed, epoch, number = key
        runs = self._planned(seed, epoch).runs(number)
        return self._chunk_of(runs, number * self._chunk_batches, self.batch_size, shares=4 * self.nprocs)
