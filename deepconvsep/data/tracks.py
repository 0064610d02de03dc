"""A dataset's files as tracks: which there are, their windows, how they are read, their statistics."""
import functools
import os
from dataclasses import fields

import numpy as np

from deepconvsep.data import contents, moments, reading
from deepconvsep.data.chunks import Chunk, Memory
from deepconvsep.data.windows import legacy_starts, window_starts
from deepconvsep.errors import InputError
from deepconvsep.features import tensors


class TrackSet:
    """What :class:`deepconvsep.data.large.LargeDataset` knows about its files.

    Parameters
    ----------
    options : Options
        Each is an attribute of the dataset too.
    scratch_path : str or None
    """

    def __init__(self, options, scratch_path=None):
        for name in ('getNum', 'loadFile', 'loadTensor'):
            if getattr(type(self), name) is not getattr(TrackSet, name):
                raise InputError('%s defines %s, which batches are not made with: convert the feature files, or cut '
                                 'windows from chunks()' % (type(self).__name__, name))
        for field in fields(options):
            setattr(self, field.name, getattr(options, field.name))
        self._scratch = reading.Scratch(scratch_path, self.tensortype) if scratch_path else None
        self.tracks, self.file_list, self.dirid = [], [], []
        self.num_points, self.total_points = [0], 0
        self._statistics = {}

    # --- files ----------------------------------------------------------------------------------------

    def updatePath(self, path_in, path_out=None):
        """Use the feature files of other folders; see the constructor."""
        self.path_transform_in = _folders(path_in)
        self.path_transform_out = self.path_transform_in if path_out is None else _folders(path_out)
        if len(self.path_transform_in) != len(self.path_transform_out):
            raise InputError('%d folders of inputs and %d of outputs, expected as many'
                             % (len(self.path_transform_in), len(self.path_transform_out)))
        found = []
        for number, (folder_in, folder_out) in enumerate(zip(self.path_transform_in, self.path_transform_out)):
            found += [(number, name) for name in reading.find_names(folder_in, folder_out, *self._endings(),
                                                                          self.exclude_list)]
        if not found:
            raise InputError('no feature file that ends in %s in %s: compute the features first%s'
                             % (self._endings()[0], ', '.join(self.path_transform_in),
                                ', or look at exclude_list' if self.exclude_list else ''))
        if 0 < self.nsamples < len(found):
            chosen = np.random.RandomState(self.seed).choice(len(found), size=self.nsamples, replace=False)
            found = [found[index] for index in sorted(chosen)]
        tracks = [self._track(name, self.path_transform_in[number], self.path_transform_out[number])
                  for number, name in found]
        for track in tracks:
            self._check(track, tracks[0])
        more = [track.outputs for track in tracks if track.outputs.shape[0] > self._rows(track)[1].stop > 1]
        if more:
            reading.logger.warning('%d of %d files, such as %s, hold %d sources, of which %d are used: set nsources',
                                   len(more), len(tracks), more[0].path, more[0].shape[0] - 1, self.nsources)
        self.tracks = tracks
        self.file_list = [os.path.basename(track.inputs.path) for track in tracks]
        self.dirid = [number for number, name in found]
        counts = [self.getNum(number) for number in range(len(tracks))]
        self.num_points = [0] + [int(total) for total in np.cumsum(counts)]
        self.total_points = self.num_points[-1]
        self._statistics = {}

    def _endings(self):
        """How the files of inputs and of outputs end."""
        return reading.TAG, reading.TAG

    def _track(self, name, folder_in, folder_out):
        """Describe the files of one track."""
        inputs = reading.Tensor.of(os.path.join(folder_in, name + self._endings()[0]))
        outputs = reading.Tensor.of(os.path.join(folder_out, name + self._endings()[1]))
        extra = None
        if self.extra_features:
            extra = reading.Tensor.of('%s_%s_.data' % (inputs.path[:-len(reading.TAG)], self.model))
        return reading.Track(name, inputs, outputs, extra=extra)

    def _check(self, track, first):
        """Check that the files of a track can be used and agree with those of the first track."""
        reading.check_magnitudes(track, self._rows(track)[1].stop, first)
        rows = max(1, len(self._starts(track)) - 1)  # the last window's own features are never used
        if track.extra and (len(track.extra.shape) != 2 or track.extra.shape[0] < rows
                            or track.extra.shape[1] != first.extra.shape[1]):
            raise InputError('%s has the shape %s, expected at least %d windows by %d, as the first file'
                             % (track.extra.path, track.extra.shape, rows, first.extra.shape[-1]))

    def _rows(self, track):
        """The rows of the input and of the output tensor of a track that are used."""
        if self.nsources > 1 or os.path.realpath(track.inputs.path) == os.path.realpath(track.outputs.path):
            return range(1), range(1, 1 + self.nsources)
        return range(1), range(1)

    def _starts(self, track, count=None):
        """First frames of the windows of a track."""
        if self.legacy:
            return legacy_starts(track.frames, self.time_context, self.overlap, count)
        return window_starts(track.frames, self.time_context, self.overlap)

    def getNum(self, id):
        """Number of examples of file number `id`."""
        return len(self._starts(self.tracks[id]))

    def contents(self):
        """Fingerprint of all feature files; see :func:`deepconvsep.data.contents.fingerprint`."""
        return contents.fingerprint(self.feature_paths())

    def feature_paths(self):
        """The feature files of all tracks, with tags, each once."""
        tensors_of = [(track.inputs, track.outputs, track.notes, track.extra) for track in self.tracks]
        return list(dict.fromkeys(tensor.path for own in tensors_of for tensor in own if tensor))

    @property
    def input_size(self):
        """Length of the last axis of the inputs."""
        return self._width('inputs')

    @property
    def output_size(self):
        """Length of the last axis of the outputs."""
        return self._width('outputs')

    def _width(self, name):
        self._need_files()
        rows, width = self._streams()[name]
        return self._arrange(name, np.empty((0, rows, width))).shape[-1]

    def _need_files(self):
        if not self.tracks:
            raise InputError('there are no features yet: give path_transform_in or call updatePath')

    @staticmethod
    def loadTensor(path, name=''):
        """Read a feature file; see :func:`deepconvsep.features.tensors.load_tensor`."""
        return tensors.load_tensor(path, name)

    @staticmethod
    def get_shape(shape_file):
        """Read a ``.shape`` file; see :func:`deepconvsep.features.tensors.get_shape`."""
        return tensors.get_shape(shape_file)

    @staticmethod
    def save_shape(shape_file, shape):
        """Write a ``.shape`` file; see :func:`deepconvsep.features.tensors.save_shape`."""
        tensors.save_shape(shape_file, shape)

    # --- one track ------------------------------------------------------------------------------------

    def _streams(self):
        """What there is per frame: {name: (rows, width)}, in the order of a batch."""
        first = self.tracks[0]
        rows_in, rows_out = self._rows(first)
        return {'inputs': (len(rows_in), first.inputs.shape[2]), 'outputs': (len(rows_out), first.outputs.shape[2])}

    @classmethod
    def _arrange(cls, name, array):
        """Lay rows side by side: (..., rows, width) to (..., rows * width)."""
        return array.reshape(array.shape[:-2] + (array.shape[-2] * array.shape[-1],))

    def _read(self, track, begin, arrays):
        """Fill `arrays` ({name: (frames, rows, width)}) with the frames of a track from `begin` on."""
        rows_in, rows_out = self._rows(track)
        reading.read_frames(self._local(track.inputs), rows_in, begin, arrays['inputs'],
                            self.mult_factor_in, self.log_in)
        reading.read_frames(self._local(track.outputs), rows_out, begin, arrays['outputs'],
                            self.mult_factor_out, self.log_out)

    def _local(self, tensor):
        return self._scratch.local(tensor) if self._scratch else tensor

    def _extra(self, track, first, last):
        """The extra features of the windows `first` to `last` of a track, shape (n, context, size)."""
        stored = tensors.load_tensor(track.extra.path)
        index = np.arange(first, last)[:, None] - np.arange(self.context)[::-1] * self.jump - 1
        return np.where(index[..., None] < 0, 0, stored[np.maximum(index, 0)])

    def loadFile(self, id, idxbegin=None, idxend=None):
        """The examples `idxbegin` to `idxend` (default: all) of file number `id`, in the order of the file.

        Returns
        -------
        list of ndarray
            As a batch. With `legacy`, examples beyond those that the original could cut are all zero, and of a file
            shorter than a window the first one is that file, whatever `idxbegin` is, as in the original.
        """
        self._need_files()
        begin = 0 if idxbegin is None else idxbegin
        end = self.getNum(id) if idxend is None else idxend
        if not 0 <= begin < end or (end > self.getNum(id) and not self.legacy):
            raise InputError('examples %d to %d of %s, expected a range within 0 to %d'
                             % (begin, end, self.file_list[id], self.getNum(id)))
        if self.legacy and self.tracks[id].frames < self.time_context:
            begin, end = 0, end - begin
        chunk, work = self._chunk_of(np.array([[id, begin, end]]), 0, end - begin, shares=1)
        for fill in work:
            fill()
        return chunk.windows()

    def _chunk_of(self, runs, first, batch_size, shares):
        """A chunk of the given runs of windows, in their order, still to be filled.

        Parameters
        ----------
        runs : ndarray of int, shape (n, 3)
            File, first window, last window + 1.
        first, batch_size : int
            See :class:`deepconvsep.data.chunks.Chunk`.
        shares : int
            In how many pieces to divide the work.

        Returns
        -------
        chunk : deepconvsep.data.chunks.Chunk
        work : list of callable
            To be called, in any order or at once, to fill it.
        """
        starts = [self._starts(self.tracks[file], end)[begin:end] for file, begin, end in runs]
        # where each run comes to lie, in frames and in windows
        frames = np.cumsum([0] + [own[-1] + self.time_context - own[0] for own in starts])
        windows = np.cumsum([0] + [len(own) for own in starts])
        shapes = {name: (frames[-1],) + shape for name, shape in self._streams().items()}
        if self.extra_features:
            shapes['features'] = windows[-1], self.context, self.tracks[0].extra.shape[1]
        memory = Memory(shapes, self.tensortype)
        arrays = memory.arrays()
        extra = arrays.pop('features', None)

        def fill(share):
            for i in share:
                track = self.tracks[runs[i][0]]
                part = {name: array[frames[i]:frames[i + 1]] for name, array in arrays.items()}
                self._read(track, int(starts[i][0]), part)
                if extra is not None:
                    extra[windows[i]:windows[i + 1]] = self._extra(track, *runs[i][1:])

        chunk = Chunk(
            epoch=None, first=first, memory=memory, arrays=arrays, features=extra, arrange=self._arrange,
            starts=np.concatenate([own - own[0] + frames[i] for i, own in enumerate(starts)]),
            origin=np.concatenate([np.column_stack([np.full(end - begin, file), np.arange(begin, end)])
                                   for file, begin, end in runs]),
            time_context=self.time_context, batch_size=batch_size)
        return chunk, [functools.partial(fill, share) for share in np.array_split(np.arange(len(runs)), shares)]

    # --- statistics -----------------------------------------------------------------------------------

    def getMean(self, inputs=True):
        """Mean of the inputs (or outputs) over all examples of an epoch, completing zeros included.

        All files are read, a piece at a time, on the first call of this or of :meth:`getStd`, :meth:`getMax`,
        :meth:`getMin`; values are those of the batches, with factor and logarithm.
        """
        return self._statistic(inputs).mean

    def getStd(self, inputs=True):
        """Standard deviation; see :meth:`getMean`."""
        return self._statistic(inputs).std

    def getMax(self, inputs=True):
        """Maximum; see :meth:`getMean`."""
        return self._statistic(inputs).maximum

    def getMin(self, inputs=True):
        """Minimum; see :meth:`getMean`."""
        return self._statistic(inputs).minimum

    def _statistic(self, inputs):
        self._need_files()
        if inputs not in self._statistics:
            self._statistics[inputs] = moments.statistics(self._pieces(inputs))
        return self._statistics[inputs]

    def _pieces(self, inputs):
        """All frames, a piece at a time, how many examples each is in, and the file that they are of."""
        rows, width = self._streams()['inputs' if inputs else 'outputs']
        step = max(1, reading.BLOCK // (rows * width))
        for track in self.tracks:
            counts, zeros = moments.coverage(self._starts(track), self.time_context, track.frames)
            tensor = track.inputs if inputs else track.outputs
            yield np.zeros((1, rows * width)), np.array([zeros]), tensor.path
            for begin in range(0, track.frames, step):
                out = np.empty((min(step, track.frames - begin), rows, width))
                reading.read_frames(self._local(tensor), self._rows(track)[0 if inputs else 1], begin, out,
                                          *((self.mult_factor_in, self.log_in) if inputs
                                            else (self.mult_factor_out, self.log_out)))
                yield out.reshape(len(out), -1), counts[begin:begin + step], tensor.path


def _folders(paths):
    """One or several folders as a list of paths without trailing separators."""
    paths = [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)
    return [os.path.normpath(os.fspath(path)) for path in paths]
