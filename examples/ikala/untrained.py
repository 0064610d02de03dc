# PYTHON_ARGCOMPLETE_OK
"""Separate clips of iKala, or of a tree like it, with methods that need no training: what librosa has.

    pip install -r requirements/experiments.txt
    python untrained.py --db frets --output separated

Writes <output>/repet_sim/<clip>-voice.wav and -music.wav, and <output>/hpss/..., as a row beside the networks in
evaluate_SS_iKala. REPET-SIM takes for music what comes again (Z. Rafii and B. Pardo, ISMIR 2012), the median of the
frames most similar to each, at least two seconds away; hpss takes the harmonic part for the voice, and the percussive
for the music (D. Fitzgerald, DAFx 2010). Both with the transform of the networks, and soft masks that add up to 1.
"""
import functools
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))

import numpy as np

from deepconvsep import audio, command, files, jobs
from deepconvsep.errors import InputError
from examples import kept
from examples.ikala import layout, recipe

METHODS = ('repet_sim', 'hpss')

#: REPET-SIM: frames of the same sound are at least so many seconds apart.
APART = 2.


def main(argv=None):
    """Separate by the flags `argv`; return the exit code."""
    flags = command.Parser(prog='untrained.py', description=__doc__.split('\n')[0])
    flags.add_arg('--db', type=command.path, required=True, metavar='DIR', help='folder of the dataset')
    flags.add_arg('--output', type=command.path, required=True, metavar='DIR', help='gets a folder for each method')
    flags.add_arg('--methods', nargs='+', choices=METHODS, default=list(METHODS))
    flags.add_arg('--clips', nargs='+', default=None, help='only these')
    flags.add_arg('--nprocs', type=command.positive_int, default=1, help='clips at the same time')
    flags.add_arg('--quiet', action='store_true', help='no progress')
    args = flags.parse_args(argv)
    command.enable_default_logging('WARNING' if args.quiet else 'INFO')
    found = {clip.name: clip for clip in layout.clips(args.db)}
    for name in args.clips or ():
        if name not in found:
            raise InputError('%s has no clip %s, expected one of %d: check --clips' % (args.db, name, len(found)))
    import_librosa()
    clips = [found[name] for name in args.clips or found]
    return jobs.summarize([outcome for method in args.methods for outcome in jobs.run(
        functools.partial(write, args.output, method), clips, args.nprocs, unit='clip', quiet=args.quiet)])


def import_librosa():
    """The package librosa.

    Raises
    ------
    InputError
        When it is not installed.
    """
    try:
        import librosa
    except ImportError as error:
        raise InputError('the methods without training are those of librosa, which is not there (%s): '
                         'pip install -r requirements/experiments.txt' % error) from error
    return librosa


def write(output, method, clip):
    """Separate one clip with one method, unless that is done, of the clip as it is now."""
    paths = [os.path.join(output, method, name + '.wav')
             for name in recipe.stem_names(clip.name, recipe.SOURCES, True)]
    made_from = {'clip': files.sha256(clip.paths[0])}
    if kept.is_current(paths, made_from):
        return
    samples, rate = audio.read(clip.paths[0])
    files.make_folder(os.path.join(output, method))
    for path, estimate in zip(paths, separate(audio.downmix(samples, recipe.SETTINGS.downmix), rate, method)):
        audio.write(path, estimate, rate, subtype='FLOAT')
    kept.note(paths, made_from)


def separate(mixture, rate, method):
    """Voice and music of a mixture.

    Parameters
    ----------
    mixture : ndarray, shape (samples,)
    rate : int
        In Hz.
    method : {'repet_sim', 'hpss'}

    Returns
    -------
    list of ndarray of float64, shape (samples,)
        They add up to the mixture.
    """
    librosa = import_librosa()
    hop = recipe.SETTINGS.hop_size
    transform = {'n_fft': recipe.SETTINGS.frame_size, 'hop_length': hop, 'window': recipe.SETTINGS.window}
    spectrum = librosa.stft(np.asarray(mixture, float), **transform)
    magnitudes = abs(spectrum)
    if method == 'hpss':
        mask = librosa.decompose.hpss(magnitudes, mask=True)[0]
    else:
        again = librosa.decompose.nn_filter(magnitudes, aggregate=np.median, metric='cosine',
                                            width=max(1, round(APART * rate / hop)))
        again = np.minimum(again, magnitudes)
        mask = librosa.util.softmask(magnitudes - again, again, power=2)
    voice = librosa.istft(mask * spectrum, length=len(mixture), **transform)
    return [voice, mixture - voice]


if __name__ == '__main__':
    command.run(main)
