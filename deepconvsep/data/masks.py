"""Datasets that also give what the score says: piano rolls and harmonic masks (see :mod:`deepconvsep.score.masks`)."""
import dataclasses
import os

import numpy as np

from deepconvsep.data import reading
from deepconvsep.data.large import LargeDataset
from deepconvsep.data.multi import LargeDatasetMulti
from deepconvsep.errors import InputError
from deepconvsep.features import tensors
from deepconvsep.formats import pickles
from deepconvsep.score import masks
from deepconvsep.score.masks import PITCHES


class _WithNotes:
    """What the four mask classes share: note arrays beside the magnitudes, read as rolls and masks.

    Inside, both have the shape (frames, instruments * channels, width), instrument by instrument and in each channel
    by channel; `_arrange` of the class beneath brings them into the shape of its batches.
    """

    normalize = None   # 'max' or 'sum': masks are divided by their maximum in the window, or by their sum
    note_axes = None   # numbers of axes that a note array may have

    def __init__(self, path_transform_in=None, path_transform_out=None, timbre_model_path=None, save_mask=True,
                 pitch_norm=127., nharmonics=20, pitch_code='g', batch_memory=1000, **kwargs):
        self.pitch_code = pitch_code
        self.harmonics = None
        if timbre_model_path is not None:
            self.harmonics = pickles.load_array(timbre_model_path)
            if self.harmonics.ndim != 3:
                raise InputError('%s has the shape %s, expected (instruments, MIDI numbers, harmonics)'
                                 % (timbre_model_path, self.harmonics.shape))
        super().__init__(path_transform_in, path_transform_out, save_mask=save_mask, batch_memory=batch_memory,
                         **kwargs)

    def filterSpec(self, mag, notes, start, stop):
        """Harmonic masks of a segment.

        A subclass may define others: they are asked for stretches of one or more windows, and used as they are.

        Parameters
        ----------
        mag : ndarray, shape (..., F)
            Only the number of bins F is used.
        notes : ndarray
            Note array, (instruments, notes, 2 * harmonics + 3); in the Multi classes also with channels in front.
        start, stop : int
            The frames of the file that the segment consists of.

        Returns
        -------
        ndarray of `tensortype`
            (stop - start, instruments * F); in the Multi classes (channels_out, stop - start, F).
        """
        return self._arrange('masks', self._masks(notes, start, stop, mag.shape[-1])[None])[0]

    def buildPitch(self, mag, notes, start, stop):
        """Piano rolls of a segment: 1 while a note sounds; arguments as :meth:`filterSpec`, `mag` is not used.

        Returns
        -------
        ndarray of `tensortype`
            (stop - start, instruments * 127); in the Multi classes (channels_out, stop - start, 127).
        """
        return self._arrange('pitches', self._rolls(notes, start, stop)[None])[0]

    # --- for the classes beneath ----------------------------------------------------------------------

    def _check_notes(self):
        """Unlike LargeDataset, these classes give pitches and masks."""

    def _notes_path(self, folder, name):
        return os.path.join(folder, '%s_%s_.data' % (name, self.pitch_code))

    def _track(self, name, folder_in, folder_out):
        track = super()._track(name, folder_in, folder_out)
        if not (self.pitched or self.save_mask):
            return track
        return dataclasses.replace(track, notes=reading.Tensor.of(self._notes_path(folder_in, name)))

    def _check(self, track, first):
        super()._check(track, first)
        if track.notes is None:
            return
        shape = track.notes.shape
        if len(shape) not in self.note_axes or shape[-1] < 5 or shape[-1] % 2 == 0:
            raise InputError('%s has the shape %s, expected %s axes, the last of 2 * harmonics + 3: compute the notes '
                             'again' % (track.notes.path, shape, ' or '.join(map(str, self.note_axes))))
        if shape[:-2] != first.notes.shape[:-2]:
            raise InputError('%s has the shape %s, but %s has %s: all files must have the same instruments'
                             % (track.notes.path, shape, first.notes.path, first.notes.shape))

    def _streams(self):
        streams = super()._streams()
        if self.pitched:
            streams['pitches'] = self._note_rows(), PITCHES
        if self.save_mask:
            streams['masks'] = self._note_rows(), streams['inputs'][1]
        return streams

    def _read(self, track, begin, arrays):
        super()._read(track, begin, arrays)
        if track.notes is None:
            return
        notes = tensors.load_tensor(track.notes.path)
        masks.check_notes(notes, track.notes.path)
        end = begin + len(arrays['inputs'])
        if self.pitched:
            arrays['pitches'][:] = self._of_subclass('buildPitch', notes, begin, arrays, 'pitches') \
                if self._redefines('buildPitch') else self._rolls(notes, begin, end)
        if self.save_mask:
            arrays['masks'][:] = self._of_subclass('filterSpec', notes, begin, arrays, 'masks') \
                if self._redefines('filterSpec') else self._masks(notes, begin, end, arrays['masks'].shape[-1])

    @classmethod
    def _redefines(cls, name):
        return getattr(cls, name) is not getattr(_WithNotes, name)

    def _of_subclass(self, method, notes, begin, arrays, name):
        """What a subclass makes of a segment, as (frames, rows, width)."""
        magnitudes = self._arrange('inputs', arrays['inputs'][None])[0]
        made = np.asarray(getattr(self, method)(magnitudes, notes, begin, begin + len(arrays['inputs'])))
        wanted = self._arrange(name, arrays[name][None])[0].shape
        if made.shape != wanted:
            raise InputError('%s.%s gave an array of shape %s, expected %s'
                             % (type(self).__name__, method, made.shape, wanted))
        return (made.swapaxes(0, 1) if made.ndim == 3 else made).reshape(arrays[name].shape)

    @classmethod
    def _arrange(cls, name, array):
        if name == 'masks' and cls.normalize == 'max' and array.ndim == 4 and not cls._redefines('filterSpec'):
            # only now it is known of which window to take the maximum
            array = array / array.max(axis=(1, 3), keepdims=True)
        return super()._arrange(name, array)

    # --- notes to frames ------------------------------------------------------------------------------

    floor = masks.FLOOR

    def _by_channel(self, notes):
        """Note arrays, one per channel, and the number of instruments."""
        return [notes], len(notes)

    def _note_rows(self):
        return self.tracks[0].notes.shape[0]

    def _masks(self, notes, start, stop, bins):
        channels, instruments = self._by_channel(notes)
        canvas = np.full((stop - start, instruments, len(channels), bins), self.floor, self.tensortype)
        for channel, own in enumerate(channels):
            own = own[:instruments]
            canvas[:, :len(own), channel] = masks.harmonic_canvas(
                own, start, stop, bins, self.harmonics, self.tensortype, self.floor).swapaxes(0, 1)
        if self.normalize == 'sum':
            canvas /= canvas.sum(axis=1, keepdims=True)
        return canvas.reshape(stop - start, -1, bins)

    def _rolls(self, notes, start, stop):
        channels, instruments = self._by_channel(notes)
        roll = np.zeros((stop - start, instruments, len(channels), PITCHES), self.tensortype)
        for channel, own in enumerate(channels):
            own = own[:instruments]
            roll[:, :len(own), channel] = masks.piano_roll(own, start, stop, PITCHES).reshape(
                stop - start, len(own), PITCHES)
        return roll.reshape(stop - start, -1, PITCHES)


_PARAMETERS = """
    Parameters
    ----------
    path_transform_in, path_transform_out, **kwargs
        As the class beneath.
    timbre_model_path : str, optional
        Pickle of an array (instruments, MIDI numbers, harmonics): how strong each harmonic of each MIDI number is.
        Without it all are 1.
    save_mask, pitched : bool
        Give harmonic masks (True by default), piano rolls (False by default).
    pitch_code : str
        The note arrays are the files named ``_<pitch_code>_.data`` in place of ``_m_.data``.
    batch_memory : int
        Batches in memory; here 1000 by default.
    nharmonics, pitch_norm
        Taken for compatibility, without effect: the note arrays tell, as in the original.
"""


class LargeDatasetMask1(_WithNotes, LargeDataset):
    __doc__ = """:class:`LargeDataset` with masks that are divided by their maximum within the window.

    An instrument that has no note in the window gets a mask of ones.
""" + _PARAMETERS

    normalize, note_axes = 'max', (3,)


class LargeDatasetMask2(_WithNotes, LargeDataset):
    __doc__ = """:class:`LargeDataset` with soft masks: they add up to 1 over the instruments in every frame and bin.

    Where no instrument has a note they share evenly.
""" + _PARAMETERS

    normalize, note_axes = 'sum', (3,)


class _MultiWithNotes(_WithNotes, LargeDatasetMulti):
    """Masks and rolls per source and channel. Notes without channels hold for every channel."""

    note_axes = (3, 4)
    floor = 1e-14

    def _notes_path(self, folder, name):
        return super()._notes_path(folder, name + '_')

    def _note_rows(self):
        return self.channels_out

    def _check(self, track, first):
        super()._check(track, first)
        if track.notes and len(track.notes.shape) == 4 and 1 < track.notes.shape[0] < track.inputs.shape[0]:
            raise InputError('%s has notes for %d channels, expected 1 or %d, as %s'
                             % (track.notes.path, track.notes.shape[0], track.inputs.shape[0], track.inputs.path))

    def _by_channel(self, notes):
        if notes.ndim == 3 and self.legacy:
            # as if there was one channel, so that the rows are not those of the outputs
            return [notes], self.channels_out
        if notes.ndim == 3 or len(notes) == 1:
            notes = [notes.reshape(notes.shape[-3:])] * self.channels_in
        return notes[:self.channels_in], self.channels_out // self.channels_in

    def _durations(self):
        """Frames in which each instrument plays, summed over its notes, the channels and the files."""
        self._need_files()
        if self.tracks[0].notes is None:
            raise InputError('class weights need notes: set save_mask or pitched')
        total = 0
        for track in self.tracks:
            notes = tensors.load_tensor(track.notes.path)
            frames = ((notes[..., 1] - notes[..., 0]) * (notes[..., 2] > 0)).sum(axis=-1)
            total = total + frames.reshape(-1, frames.shape[-1]).sum(axis=0)
        if not total.any():
            raise InputError('there is no note in %s nor in the other files' % self.tracks[0].notes.path)
        return total


class LargeDatasetMultiMask1(_MultiWithNotes):
    __doc__ = """:class:`LargeDatasetMulti` with masks that are divided by their maximum within the window.
""" + _PARAMETERS

    normalize = 'max'

    def getClassWeights(self):
        """Weights per instrument, ``1 - duration / longest``, clipped to 0.25 to 0.99: the rarer, the higher."""
        durations = self._durations()
        return np.clip(1 - durations / durations.max(), .25, .99)


class LargeDatasetMultiMask2(_MultiWithNotes):
    __doc__ = """:class:`LargeDatasetMulti` with soft masks: they add up to 1 over the sources of a channel.
""" + _PARAMETERS

    normalize = 'sum'

    @property
    def floor(self):
        """Strength where no harmonic is expected; higher with a timbre model, as in the original."""
        return 1e-14 if self.harmonics is None else 1e-4

    def getClassWeights(self, imin=0, imax=1.):
        """Weights per instrument: durations mapped linearly, the shortest to `imin` and the longest to `imax`.

        When all are the same, all weights are `imax`.
        """
        durations = self._durations()
        spread = durations.max() - durations.min()
        if spread == 0:
            return np.full(len(durations), float(imax))
        return imin + (durations - durations.min()) / spread * (imax - imin)
