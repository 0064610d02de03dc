"""Separation from Python: of a signal in memory, or of a stream."""
import numbers
import os
from types import SimpleNamespace

import numpy as np

from deepconvsep import command, recipes
from deepconvsep.errors import InputError
from deepconvsep.models import known, store
from deepconvsep.score import read_score
from deepconvsep.score.guide import ScoreGuide
from deepconvsep.separation import engines
from deepconvsep.separation.sound import HIGHEST_RATE, LOWEST_RATE, at_rate

logger = command.get_logger('separate')

#: Samples of a signal in memory that go into the stream at once.
BLOCK = 1 << 16
#: More channels than that are taken for samples in the wrong order.
MOST_CHANNELS = 256


class Separator:
    """A model that is ready to separate signals.

    Parameters
    ----------
    model : str or os.PathLike
        The path of a model, ``.pkl`` or ``.npz``, or the name of one that ships. Default: `bach10_compact`, which
        separates chorales into bassoon, clarinet, saxophone and violin.
    engine : {'theano', 'numpy'}, optional
        What computes; see :func:`deepconvsep.separation.engines.choose`. Default: Theano, or NumPy where that or its
        compiler is missing.
    batch_size : int
        Windows that go through the network at once.
    method : {'network', 'nmf', 'network+nmf'}
        What separates, as ``--method`` of the scripts: the network alone, or, for the models of chorales, a
        factorisation of the whole piece, alone (with scores only) or started from the network's stems. The
        factorisations give their first samples when all of the piece is there.

    Attributes
    ----------
    sources : tuple of str
        What the model separates into.
    network : architecture.Architecture
    settings : settings.Settings

    Raises
    ------
    InputError
        When the model, or Theano where it is asked for, is not there, the model is damaged, or does not go with the
        method, and for an engine or a batch size that is none.

    Examples
    --------
    >>> import numpy as np
    >>> separator = Separator('bach10_compact', engine='numpy')
    >>> separator.sources
    ('bassoon', 'clarinet', 'saxphone', 'violin')
    >>> blocks = np.random.RandomState(0).uniform(-.1, .1, (4, 4800, 2))
    >>> sum(len(stems['violin']) for stems in separator.stream(blocks, 48000))
    19200
    """

    def __init__(self, model=recipes.DEFAULT_MODEL, engine=None, batch_size=32, method='network'):
        loaded = store.load(known.locate(os.fspath(model)), None, 'deepconvsep')
        self._recipe = recipes.of_model(loaded)
        self.network, self.settings = loaded.network, loaded.settings or self._recipe.legacy_settings
        self.sources = self.settings.sources
        if method not in self._recipe.methods:
            raise InputError('the method is %r, expected for the %s one of: %s'
                             % (method, loaded.network.name, ', '.join(self._recipe.methods)))
        if not isinstance(batch_size, numbers.Integral) or batch_size < 1:
            raise InputError('the batch size is %r, expected a whole number above 0' % (batch_size,))
        if engine is not None:
            engines.choose(engine)
        choice = SimpleNamespace(method=method, engine=engine, batch_size=batch_size)
        self._separator = self._recipe.separator(loaded, self.settings, choice)

    def stream(self, blocks, rate, stereo=False, scores=None):
        """Separate a stream, in one pass and constant memory (`method` network).

        Parameters
        ----------
        blocks : iterable of ndarray, shape (samples,) or (samples, channels)
            Floating point, full scale is 1.
        rate : int
            Sample rate in Hz, 1000 to 655350.
        stereo : bool
            Apply the masks to every channel; False: stems of the downmix, which is the model's.
        scores : list of str, optional
            Files of the scores, in the order of the sources: a score-informed model needs them, others take none.

        Yields
        ------
        dict of str to ndarray of float64, shape (samples,), or (samples, channels) with `stereo`
            By source, the next part of each stem; as many samples in all as went in.

        Raises
        ------
        InputError
            When the rate is none, the scores do not fit the model, or the sound holds NaN or infinity.
        """
        rate, guide, blocks = _whole_rate(rate), self._guide(scores), iter(blocks)
        first = next(blocks, None)
        if first is None:
            return
        if not np.ndim(first):
            raise InputError('got %.60r as a block, expected (samples,) or (samples, channels): give a list of blocks, '
                             'or a whole signal to separate()' % first)
        channels = 1 if np.ndim(first) == 1 else np.shape(first)[1]
        first = self._checked(first, channels)

        def all_blocks():
            yield first
            for block in blocks:
                yield self._checked(block, channels)

        for part in at_rate(self._separator, all_blocks(), rate, channels, guide, stereo):
            part = part.astype(float, copy=False)
            yield {source: part[:, number] if stereo else part[:, number, 0]
                   for number, source in enumerate(self.sources)}
        for warning in guide.warnings() if guide else ():
            logger.warning('%s', warning)

    def separate(self, audio, rate, stereo=False, scores=None):
        """Separate a signal: :meth:`stream` of a whole array, whose stems come whole."""
        audio = np.asarray(audio)
        if not audio.ndim:
            raise InputError('got %.60r, expected samples, (samples,) or (samples, channels): read the file first'
                             % audio.item())
        if not len(audio):
            _whole_rate(rate)
            self._guide(scores)
            none = self._checked(audio, 1 if audio.ndim == 1 else audio.shape[1])
            shape = none.shape if stereo else (0,)
            return {source: np.zeros(shape) for source in self.sources}
        parts = list(self.stream((audio[start:start + BLOCK] for start in range(0, len(audio), BLOCK)), rate, stereo,
                                 scores))
        return {source: np.concatenate([part[source] for part in parts]) for source in self.sources}

    def _guide(self, scores):
        if (self.settings.score is None) != (scores is None):
            raise InputError('the %s %s' % (self.network.name, 'takes no scores' if scores is not None else
                                            'needs scores: give a file for each of ' + ', '.join(self.sources)))
        if scores is None:
            return None
        if self.settings.score.timbre:
            raise InputError('the model was trained with a timbre model: separate with %s and --timbre_model_path'
                             % self._recipe.script)
        if len(scores) != len(self.sources):
            raise InputError('got %d scores, expected one for each of %s' % (len(scores), ', '.join(self.sources)))
        return ScoreGuide([read_score(path) for path in scores], self.settings)

    @staticmethod
    def _checked(block, channels):
        block = np.asarray(block)
        if block.dtype.kind != 'f':
            raise InputError('got samples of type %s, expected floating point with full scale 1: divide integers by '
                             'their largest value' % block.dtype)
        if block.ndim == 1:
            block = block[:, None]
        if block.ndim != 2 or block.shape[1] != channels:
            raise InputError('got samples of shape %s, expected (samples,) or (samples, channels), with the same '
                             'channels in every block' % (block.shape,))
        if not 0 < channels <= MOST_CHANNELS:
            raise InputError('got samples of shape %s, %d channels, expected (samples, channels), 1 to %d channels: '
                             'transpose them' % (block.shape, channels, MOST_CHANNELS))
        if not np.isfinite(block).all():
            raise InputError('the sound holds NaN or infinity, expected finite samples: repair it')
        return block.astype(float, copy=False)


def _whole_rate(rate):
    """A sample rate as an int."""
    if not isinstance(rate, numbers.Real) or not LOWEST_RATE <= rate <= HIGHEST_RATE or rate != int(rate):
        raise InputError('the sample rate is %r, expected a whole number of Hz, %d to %d'
                         % (rate, LOWEST_RATE, HIGHEST_RATE))
    return int(rate)


def separate(audio, rate, model=recipes.DEFAULT_MODEL, stereo=False, scores=None, engine=None, method='network'):
    """Separate a signal into its sources.

    Parameters
    ----------
    audio : ndarray, shape (samples,) or (samples, channels)
        Floating point, full scale is 1.
    rate : int
        Sample rate in Hz, 1000 to 655350.
    model, engine, method
        As of :class:`Separator`.
    stereo, scores
        As of :meth:`Separator.stream`.

    Returns
    -------
    dict of str to ndarray of float64, shape (samples,), or (samples, channels) with `stereo`
        By source.

    Raises
    ------
    InputError
        As of :class:`Separator` and of its method.

    Examples
    --------
    >>> import numpy as np
    >>> chord = sum(np.sin(2 * np.pi * pitch * np.arange(44100) / 44100) for pitch in (220, 277, 330)) / 4
    >>> stems = separate(chord, 44100, model='bach10_compact', engine='numpy')
    >>> list(stems), stems['violin'].shape
    (['bassoon', 'clarinet', 'saxphone', 'violin'], (44100,))
    """
    return Separator(model, engine, method=method).separate(audio, rate, stereo, scores)
