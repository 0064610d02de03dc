"""`LargeDatasetMulti`: batches of several channels, inputs and targets in files of their own."""
from deepconvsep.data import reading
from deepconvsep.data.large import LargeDataset
from deepconvsep.errors import InputError


class LargeDatasetMulti(LargeDataset):
    """:class:`LargeDataset` for recordings of several channels.

    Inputs are files ``<name>_in_m_.data`` of shape (channels_in, T, F), targets ``<name>_out_m_.data`` of shape
    (channels_out, T, F), channels_out being a multiple of channels_in: source by source, and in each channel by
    channel. A batch is inputs (n, channels_in, time_context, F), outputs (n, channels_out, time_context, F) and, when
    asked for, pitches (n, channels_out, time_context, 127), masks (n, channels_out, time_context, F), features
    (n, context, size).

    Parameters
    ----------
    prefix_in, prefix_out : str
        What stands before ``_m_.data`` in the names of the inputs and of the targets.
    batch_memory : int
        Batches in memory; here 1000 by default.
    path_transform_in, path_transform_out, **kwargs
        As :class:`LargeDataset`; `nsources` is of no effect, the files tell.

    Attributes
    ----------
    channels_in, channels_out : int

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> from deepconvsep.features import tensors
    >>> folder = tempfile.mkdtemp()
    >>> tensors.save_tensor(os.path.join(folder, 'song.data'), np.ones((2, 100, 5)), '_in_m_')
    >>> tensors.save_tensor(os.path.join(folder, 'song.data'), np.ones((6, 100, 5)), '_out_m_')
    >>> inputs, outputs = LargeDatasetMulti(folder, batch_size=4)()
    >>> inputs.shape, outputs.shape
    ((4, 2, 10, 5), (4, 6, 10, 5))
    """

    def __init__(self, path_transform_in=None, path_transform_out=None, prefix_in='in', prefix_out='out',
                 batch_memory=1000, **kwargs):
        self.prefix_in, self.prefix_out = prefix_in, prefix_out
        super().__init__(path_transform_in, path_transform_out, batch_memory=batch_memory, **kwargs)

    @property
    def channels_in(self):
        """Channels of the inputs."""
        self._need_files()
        return self.tracks[0].inputs.shape[0]

    @property
    def channels_out(self):
        """Channels of the outputs: sources by input channels."""
        self._need_files()
        return self.tracks[0].outputs.shape[0]

    def _endings(self):
        return tuple('_%s%s' % (prefix, reading.TAG) for prefix in (self.prefix_in, self.prefix_out))

    def _check(self, track, first):
        super()._check(track, first)
        for tensor, model in ((track.inputs, first.inputs), (track.outputs, first.outputs)):
            if tensor.shape[0] != model.shape[0]:
                raise InputError('%s has %d channels, but %s has %d: all files must have the same'
                                 % (tensor.path, tensor.shape[0], model.path, model.shape[0]))
        if track.outputs.shape[0] % track.inputs.shape[0]:
            raise InputError('%s has %d channels, expected a multiple of the %d of %s'
                             % (track.outputs.path, track.outputs.shape[0], track.inputs.shape[0], track.inputs.path))

    def _rows(self, track):
        return range(track.inputs.shape[0]), range(track.outputs.shape[0])

    @classmethod
    def _arrange(cls, name, array):
        """Channels before time: (n, time, channels, width) to (n, channels, time, width); frames stay as they are."""
        return array if array.ndim == 3 else array.swapaxes(1, 2).copy()
