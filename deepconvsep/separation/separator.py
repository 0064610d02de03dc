"""Separate a stream of any length into stems, in constant memory.

Blocks of samples go in and blocks of stems come out, in one pass: analysis, overlapping windows of frames,
batches of windows through the network, cross-fade of the masks, masks times the mixture's spectrum (its phase
is kept), synthesis. Source: P. Chandna, M. Miron, J. Janer and E. Gomez, LVA/ICA 2017, section 2.
"""
import numpy as np

from deepconvsep import audio, stft
from deepconvsep.separation import engines
from deepconvsep.separation.masking import Masking
from deepconvsep.settings import WINDOWS


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
        self.window = WINDOWS[settings.window](settings.frame_size).astype(np.float32)
        self._engine = engines.ENGINES[engine](network, params, settings, batch_size)

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
        ndarray of float32, shape (samples, stems, channels)
            As many samples in all as went in.

        Raises
        ------
        NotFinite
            When weights or sound are so large that float32 overflows; with the time.
        """
        analysis = None
        masking = Masking(self._engine, self.network, self.settings, self.batch_size, guide)
        synthesis = stft.InverseSTFT(self.window, self.settings.hop_size)
        limit = getattr(guide, 'limit', lambda first, masks: masks)
        done = frames = 0

        def masked():
            nonlocal analysis
            for block in blocks:
                block = np.asarray(block, np.float32)
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
