"""Scores of one separation that has just been made, against true stems: found by name, checked, read in windows."""
import os

import numpy as np

from deepconvsep import audio, command
from deepconvsep.errors import InputError
from deepconvsep.metrics import bss_eval, ideal_ratio, records, stems, tables

logger = command.get_logger('compare')

MEASURES = records.SOURCE_MEASURES
WINDOW, HOP = 30, 15   # seconds
LEAST_EXPLAINED = 0.5   # of a mixture's energy, by the sum of its true stems; a mastered mixture has more

#: The same measures, of what an ideal ratio mask makes of the mixture.
IDEAL = tuple('ideal ' + measure for measure in MEASURES)
IDEAL_RULE = 'the share of each magnitude, STFT with frames of %d samples, hop %d' % (
    ideal_ratio.FRAME, ideal_ratio.HOP)

RULE = ('BSS Eval 3.0 sources, of the mono downmix, each stem against the true one of the same name; sounds of more '
        'than %d s: mean over windows of %d s with a hop of %d s' % (WINDOW, WINDOW, HOP))


def find_references(folder, name, sources):
    """The true stems of a sound.

    Parameters
    ----------
    folder : str
        Holds, for every source, ``<source>``, ``<name>-<source>`` or ``<name>_<source>``, WAV or FLAC; or a folder
        ``<name>`` that does.
    name : str
        The file name of the sound, without extension.
    sources : sequence of str

    Returns
    -------
    dict of str to str
        Paths by source.

    Raises
    ------
    InputError
        When a source has none.
    """
    stems.folders(folder, 'a folder of true stems')
    found = {}
    for source in sources:
        names = [pattern % spelling + extension for spelling in stems.spellings(source)
                 for pattern in (name.replace('%', '%%') + '-%s', name.replace('%', '%%') + '_%s', '%s')
                 for extension in stems.EXTENSIONS]
        paths = [os.path.join(place, leaf) for place in (os.path.join(folder, name), folder) for leaf in names]
        found[source] = next(filter(os.path.isfile, paths), None)
        if found[source] is None:
            raise InputError('%s has no true stem of the %s of %s, expected %s or %s'
                             % (folder, source, name, paths[0], paths[-2]))
    return found


def check(mixture, references):
    """The sample rate and the length that a mixture and its stems, true or separated, share.

    Returns
    -------
    rate, nsamples : int

    Raises
    ------
    InputError
        When a file cannot be read, has another rate, or another length (by more than 4096 samples).
    """
    headers = {}
    for path in [mixture] + list(references.values()):
        with audio.Reader(path) as reader:
            headers[path] = reader.rate, reader.frames
    rate, frames = headers[mixture]
    for path, (other_rate, other_frames) in headers.items():
        if other_rate != rate or abs(other_frames - frames) > stems.LONGEST_TAIL or not other_frames:
            raise InputError('%s has %d samples at %d Hz and %s %d at %d Hz, expected the same (and some): give the '
                             'stems of this very file' % (path, other_frames, other_rate, mixture, frames, rate))
    return rate, min(length for _, length in headers.values())


def score(mixture, estimates, references, downmix='mean'):
    """Scores of the stems of one sound, and of the mixture itself in the place of every stem.

    True stems whose sum is not like the mixture are said in the log.

    Parameters
    ----------
    mixture : str
    estimates, references : dict of str to str
        Paths by source, the same sources.
    downmix : {'mean', 'sum'}
        How the channels of the mixture become one; those of stems are averaged.

    Returns
    -------
    dict
        ``[source][measure]``: dB, for SDR, SIR, SAR, ``mixture SDR``, and those of `IDEAL`, of
        :func:`ideal_ratio.separate`; NaN where nothing sounds.
    """
    rate, nsamples = check(mixture, references)
    bounds = bss_eval.frame_bounds(nsamples, WINDOW * rate, HOP * rate)
    paths = [mixture] + [estimates[source] for source in references] + list(references.values())
    values = {source: {measure: [] for measure in MEASURES + ('mixture SDR',) + IDEAL}
              for source in references}
    products = np.zeros((2, 2))
    for pieces in zip(*[stems.windows(path, bounds) for path in paths]):
        whole = audio.downmix(pieces[0], downmix)
        separated, true = np.split(np.stack([audio.downmix(piece) for piece in pieces[1:]]), 2)
        both = np.stack([whole, true.sum(axis=0)]).astype(float)
        products += both @ both.T
        scores = bss_eval.bss_eval_sources(true, separated, compute_permutation=False)._asdict()
        before = bss_eval.bss_eval_sources(true, np.broadcast_to(whole, true.shape), compute_permutation=False)
        scores['mixture SDR'] = before.SDR
        ideal = bss_eval.bss_eval_sources(true, ideal_ratio.separate(true), compute_permutation=False)._asdict()
        scores.update({'ideal ' + measure: ideal[measure] for measure in MEASURES})
        for index, source in enumerate(references):
            for measure, windows in values[source].items():
                # without a true stem there is no score, whatever the formulas give
                windows.append(scores[measure][index] if true[index].any() else np.nan)
    warn_of_others(mixture, references, products)
    return {source: {measure: tables.over_windows(windows) for measure, windows in measures.items()}
            for source, measures in values.items()}


def warn_of_others(mixture, paths, products, kind='true'):
    """Say in the log that the sum of some stems is not like the mixture.

    Parameters
    ----------
    mixture : str
    paths : dict of str to str
        The stems by source.
    products : ndarray, (2, 2)
        The inner products of the mixture and the sum.
    kind : str
        What the stems are called.
    """
    explained = products[0, 1] ** 2 / max(products[0, 0] * products[1, 1], np.finfo(float).tiny)
    if explained < LEAST_EXPLAINED and products.all():
        logger.warning('the sum of the %s stems, %s ..., explains %.0f %% of the energy of %s, expected nearly all: '
                       'are they those of another sound, or at other times?', kind, next(iter(paths.values())),
                       100 * explained, mixture)


def encode(scores):
    """Scores of :func:`score` as JSON values: null for NaN, text for infinity, as in the records of tracks."""
    return {source: {measure: records.encode([value])[0] for measure, value in measures.items()}
            for source, measures in scores.items()}
