"""Separate a stream of any length into stems, in constant memory.

Blocks of samples go in and blocks of stems come out, in one pass: analysis, overlapping windows of frames,
batches of windows through the network, cross-fade of the masks, masks times the mixture's spectrum (its phase
is kept), synthesis. Source: P. Chandna, M. Miron, J. Janer and E. Gomez, LVA/ICA 2017, section 2.
"""
import numpy as np

from deepconvsep import audio, stft
from deepconvsep.errors import InputError
from deepconvsep.separation import crossfade, engines
from deepconvsep.settings import WINDOWS


class NotFinite(InputError):
    """The network's masks are not numbers, and no sound can be made of them."""


class Separator:
    """A network that is ready to separate.

    Parameters
    ----------
    network : architecture.Architecture
    params : list of ndarray
    settings : settings.Settings
    batch_size : int
        Windows that go through the network at once.
    engine : {'theano', 'numpy'}
        What computes; see :mod:`deepconvsep.separation.engines`.
    """

    def __init__(self, network, params, settings, batch_size=32, engine='theano'):
        self.network, self.settings, self.batch_size = network, settings, batch_size
        self.window = WINDOWS[settings.window](settings.frame_size)
        self._masks = engines.ENGINES[engine](network, params, settings, batch_size)

    def stems(self, blocks, guide=None, stereo=False, accompaniment_of=None):
        """Separate a stream.

        Parameters
        ----------
        blocks : iterable of ndarray, shape (samples, channels)
            At the settings' sample rate.
        guide : callable, optional
            ``guide(first, magnitudes)`` gives the channels of the network's input, (frames, channels, bins), from the
            scaled magnitudes, (frames, bins), of the frames from number `first` on; without it, these are the input.
            Successive calls overlap. Its method ``limit(first, masks)``, if it has one, gives what replaces the masks,
            (stems, frames, bins), of frames that follow each other.
        stereo : bool
            Apply the masks to every channel; False: to the downmix. The masks always come from the downmix.
        accompaniment_of : int, optional
            Add, as last stem, the mixture without the stem of this number.

        Yields
        ------
        ndarray of float64, shape (samples, stems, channels)
            As many samples in all as went in.

        Raises
        ------
        NotFinite
            When weights or sound are so large that float32 overflows; with the time.
        """
        analysis = None
        masking = _Masking(self._masks, self.network, self.settings, self.batch_size, guide)
        synthesis = stft.InverseSTFT(self.window, self.settings.hop_size)
        limit = getattr(guide, 'limit', lambda first, masks: masks)
        done = frames = 0

        def masked():
            nonlocal analysis
            for block in blocks:
                mono = audio.downmix(block, self.settings.downmix)[None]
                signals = np.concatenate([mono, block.T]) if stereo else mono
                analysis = analysis or stft.STFT(self.window, self.settings.hop_size, len(signals))
                yield from masking.push(analysis.push(signals))
            if analysis is not None:
                yield from masking.push(analysis.finish(), last=True)

        for spectrum, masks in masked():
            masks = limit(frames, masks)
            frames += masks.shape[1]
            if accompaniment_of is not None:
                masks = np.concatenate([masks, 1 - masks[accompaniment_of:accompaniment_of + 1]])
            # channel 0 is the downmix; behind it come, for stereo, the channels themselves
            part = synthesis.push(masks[:, None] * (spectrum[1:] if stereo else spectrum))
            # the frames reach a little beyond the end, which the analysis knows when the input has ended
            part = part[..., :max(0, analysis.length - done)]
            done += part.shape[-1]
            yield part.transpose(2, 0, 1)
        if analysis is not None:
            yield synthesis.finish()[..., :max(0, analysis.length - done)].transpose(2, 0, 1)


class _Masking:
    """Frames in, frames with their masks out."""

    def __init__(self, function, network, settings, batch_size, guide):
        self._function, self._network, self._batch_size = function, network, batch_size
        self._guide = guide or (lambda first, magnitudes: magnitudes[:, None])
        self._scale = settings.scale_factor / np.sqrt(settings.frame_size)
        self._seconds = settings.hop_size / settings.sample_rate
        # without noise in the numerator, masks are 0 where the network hears nothing
        self._least = np.finfo(np.float32).tiny if settings.mask_noise_in_numerator else 0
        self._step = network.time_context - settings.overlap
        self._overlap = settings.overlap
        self._fade = crossfade.CrossFade(network.time_context, settings.overlap)
        # frames from the start of the next window on; the windows and frames before it are done
        self._pending = None
        self._windows = 0

    def push(self, spectrum, last=False):
        """Take frames, shape (channels, frames, bins); yield (spectrum, masks) of the frames that are final."""
        self._pending = spectrum if self._pending is None else np.concatenate([self._pending, spectrum], axis=1)
        covered = (self._batch_size - 1) * self._step + self._network.time_context
        while self._pending.shape[1] >= covered:
            yield self._batch(self._batch_size)
        if last:
            frames = self._windows * self._step + self._pending.shape[1]
            left = crossfade.window_count(frames, self._network.time_context, self._overlap) - self._windows
            if left > 0:
                yield self._batch(left)
            yield self._pending, self._finite(self._fade.finish()[:, :self._pending.shape[1]])

    def _batch(self, count):
        """Run the next `count` windows, up to `batch_size`, zero-padded; return the frames they complete."""
        covered = (self._batch_size - 1) * self._step + self._network.time_context
        with np.errstate(over='ignore'):  # infinity is found in the masks
            there = (np.abs(self._pending[0, :covered]) * self._scale).astype(np.float32)
        channels = np.zeros((covered, self._network.channels, self._network.feat_size), np.float32)
        channels[:len(there)] = self._guide(self._windows * self._step, there)
        masks = self._function(channels)
        final = self._finite(np.concatenate([self._fade.push(mask) for mask in masks[:count]], axis=1))
        spectrum = self._pending[:, :count * self._step]
        self._pending = self._pending[:, count * self._step:]
        self._windows += count
        return spectrum, final[:, :spectrum.shape[1]]


    def _finite(self, masks):
        """Return the masks of the frames from the next window on; NotFinite when they are none.

        Outputs beyond float32 give NaN or, when only their sum is, masks that are all 0.
        """
        total = masks.sum(axis=0)
        fine = ((total >= self._least) & (total < np.inf)).all(axis=1)
        if not fine.all():
            raise NotFinite('the network gives no finite masks at %.2f s: the weights of the model, or the sound, are '
                            'too large for float32; get the model again, or make the sound softer'
                            % ((self._windows * self._step + int(np.argmin(fine))) * self._seconds))
        return masks
