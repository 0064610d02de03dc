"""A few seconds of a real song with its stems, for tests and benchmarks.

"Falcon 69" by The Easton Ellises, CC BY-NC-SA 3.0, comes with the PyPI package stempeg (version 0.2.6) and is
read from there; it is not part of this project. Each stem is coded on its own and its first and last
milliseconds are artefacts, so 0.1 to 5.9 s are used and the mixture is the sum of the stems.
"""
import importlib.util
import os

import numpy as np

from deepconvsep import audio
from deepconvsep.errors import InputError

NAME = os.path.join('data', 'The Easton Ellises - Falcon 69.stem.mp4')

# stream 0 is the mixture as released
STREAMS = {'drums': 1, 'bass': 2, 'other': 3, 'vocals': 4}

RATE = 44100


def stems():
    """The stems.

    Returns
    -------
    dict of str -> ndarray of float64, shape (255780, 2)
        'drums', 'bass', 'other', 'vocals' at 44.1 kHz.

    Raises
    ------
    InputError
        When stempeg or PyAV, which decodes the file, is not installed.
    """
    package = importlib.util.find_spec('stempeg')
    if package is None or importlib.util.find_spec('av') is None:
        raise InputError('the song needs the packages stempeg and av: pip install -r requirements/test.txt')
    import av
    path = os.path.join(package.submodule_search_locations[0], NAME)
    decoded = {}
    for name, stream in STREAMS.items():
        with av.open(path) as container:
            frames = [frame.to_ndarray() for frame in container.decode(audio=stream)]
        decoded[name] = np.concatenate(frames, axis=1).T[int(0.1 * RATE):int(5.9 * RATE)].astype(float)
    return decoded


def write(folder, sources=('vocals', 'bass', 'drums', 'other')):
    """Write the mixture as ``mixture.wav`` and the stems as ``<source>.wav``, 16 bit stereo, into `folder`.

    Returns
    -------
    dict of str -> ndarray of float64
        The stems.
    """
    parts = stems()
    audio.write(os.path.join(folder, 'mixture.wav'), sum(parts.values()), RATE)
    for source in sources:
        audio.write(os.path.join(folder, source + '.wav'), parts[source], RATE)
    return parts
