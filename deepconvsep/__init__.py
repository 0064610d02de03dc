"""Monaural music source separation with convolutional autoencoders: what the scripts and the root modules run on.

- `audio`, `stft`, `formats`: sound files, their spectra, foreign files
- `features`, `data`: feature files of a dataset, training batches from them
- `score`: notes, what of a spectrogram they cover
- `network`, `backend`, `models`: the networks, Theano, weights and their settings
- `training`, `separation`: a network from data, stems from a song
- `metrics`, `report`: scores, the page that shows and plays a separation
- `command`, `jobs`, `files`, `settings`, `errors`: what all of them use
"""

__version__ = '0.9.0'
