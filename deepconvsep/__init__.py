"""Monaural music source separation with convolutional autoencoders: what the scripts and the root modules run on.

- `audio`, `stft`, `formats`: sound files, their spectra, foreign files
- `features`, `data`: feature files of a dataset, training batches from them
- `score`: notes, what of a spectrogram they cover
- `network`, `backend`, `models`: the networks, Theano, weights and their settings
- `training`, `separation`: a network from data, stems from a song
- `metrics`, `report`: scores, the page that shows and plays a separation
- `recipes`: what a separation must know of each kind of music
- `recipe`: what a training must know besides
- `command`, `jobs`, `progress`, `files`, `settings`, `errors`: what all of them use
- `api`: separation from Python

:func:`separate` separates a signal, :class:`Separator` streams; both are imported when they are first used.
"""

__version__ = '0.9.0'
__all__ = ['Separator', 'separate', '__version__']


def __getattr__(name):
    if name in ('Separator', 'api', 'separate'):
        import importlib
        api = importlib.import_module('deepconvsep.api')
        return api if name == 'api' else getattr(api, name)
    raise AttributeError('module %r has no attribute %r' % (__name__, name))
