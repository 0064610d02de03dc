# PYTHON_ARGCOMPLETE_OK
"""Evaluate separated DSD100 songs: BSS Eval images in windows of 30 s every 15 s, as SiSEC MUS 2016 did.

    python -m evaluation.DSD100_eval_only --db DSD100 --estimates separated

References: ``<db>/Sources/<Dev|Test>/<song>/{bass,drums,other,vocals}.wav``. Estimates: anywhere below
``<estimates>/[<method>/]`` in a folder called as the song (such as ``<method>/Test/<song>/``), named ``vocals.wav``, as
the separate and the training scripts write them, or ``mixture_vocals.wav``, as the original's evaluation expected;
``others`` is the same as ``other``; where Dev and Test hold songs of the same name, their folders lie in one
called Dev or Test. ``accompaniment`` is optional: without it, the sum of the three estimates is
scored. Results: ``<output>/<method>/<subset>/<song>_results.mat``, as in the original, and ``.json``.
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import numpy as np

from deepconvsep import command
from deepconvsep.metrics import bss_eval, program, published, records, stems

SOURCES = ('bass', 'drums', 'other', 'vocals')
ACCOMPANIMENT = 'accompaniment'
SUBSETS = ('Test', 'Dev')   # in the order of the numbers of the original
WINDOW, HOP = 30, 15        # s
RULE = ('BSS Eval 3.0 images, windows of 30 s every 15 s, the last partial window dropped; mean over the windows of a '
        'track, then median and mean over tracks; windows with a silent reference have no score')


def main(argv=None):
    flags = program.parser(
        'Evaluate separated DSD100 songs (BSS Eval images, windows of 30 s every 15 s).',
        db='the DSD100 data set, which holds Sources',
        estimates='folder with a sub-folder per method, or with the estimates of one method',
        output='where the results go, a sub-folder per method (default: beside the estimates)')
    flags.add_arg('--subset', choices=SUBSETS, help='only this part of the data set (default: all that is separated)')
    args = flags.parse_args(argv)
    songs = {}
    for subset in SUBSETS:
        folder = os.path.join(args.db, 'Sources', subset)
        for song in stems.folders(folder, 'a part of DSD100') if os.path.isdir(folder) else ():
            songs[subset, song] = {source: os.path.join(folder, song, source + '.wav') for source in SOURCES}
    if not songs:
        stems.folders(os.path.join(args.db, 'Sources', SUBSETS[0]),
                      'the songs of DSD100 (MUSDB18-HQ: give a folder whose Sources/Dev and Sources/Test link to '
                      'train and test)')
    folders = stems.methods(args.estimates, args.method, SUBSETS + ('Sources',) + tuple(song for _, song in songs))
    tasks = program.choose([(method, key) for method in folders for key in songs], args.id)
    tracks = [stems.Track(song, method, subset,
                          os.path.join(program.results_folder(args, method, folders), subset, song + '_results'),
                          songs[subset, song])
              for method, (subset, song) in tasks if args.subset in (None, subset)]
    names = owners(songs)
    groups, code = program.evaluate_all(
        tracks, folders, names, lambda path: song_and_stem(path, songs), evaluate_song,
        {'metric': 'BSS Eval 3.0 images', 'window_s': WINDOW, 'hop_s': HOP}, args)
    for (method, subset), group in groups.items():
        program.print_table('%s %s' % (method, subset), RULE, group)
        print('\n'.join([''] + published.comparison(group, subset)))
    return code


def song_and_stem(path, songs):
    """What tells the song and the source of an estimate: the folder above the song's counts when it names its part."""
    part, song, name = stems.folders_and_stem(path)
    return part if (part, song) in songs else '', song, name


def owners(songs):
    """For :func:`stems.pair`: song and source by what :func:`song_and_stem` gives.

    Parameters
    ----------
    songs : iterable of (str, str)
        Part and name of every song.
    """
    songs = list(songs)
    names = {}
    for subset, song in songs:
        parts = [other for other, name in songs if name == song]
        unsure = None, ('may be of %s: songs of both have this name, put the folder %s into one called %s'
                        % (' or '.join(parts), song, ' or '.join(parts)))
        for source in SOURCES + (ACCOMPANIMENT,):
            for leaf in (prefix + spelling for prefix in ('', 'mixture_') for spelling in stems.spellings(source)):
                names[subset, song, leaf] = (subset, song), source
                names['', song, leaf] = ((subset, song), source) if len(parts) == 1 else unsure
    return names


def evaluate_song(track, settings):
    """Scores of one song, for :func:`program.evaluate_all`."""
    rate, nsamples, notes, channels = stems.check(track)
    window, hop = settings['window_s'] * rate, settings['hop_s'] * rate
    bounds = bss_eval.frame_bounds(nsamples, window, hop)
    if nsamples < window:
        notes.append('shorter than a window: scored as a whole (the MATLAB code gives no score)')
    notes += ['the %s of %s is mono: both channels are taken to be the same' % (kind[:-1], source)
              for (kind, source), count in channels.items() if count < max(channels.values())]
    if ACCOMPANIMENT not in track.estimates:
        notes.append('the estimate of the accompaniment is the sum of bass, drums and other')
    targets = SOURCES + (ACCOMPANIMENT,)
    scores = {target: {measure: [] for measure in records.MEASURES} for target in targets}
    quiet = {target: ([], []) for target in targets}
    for references, estimates in _windows(track, bounds):
        # first the four sources, then voice against accompaniment
        for chosen in ([0, 1, 2, 3], [3, 4]):
            found = bss_eval.bss_eval_images(references[chosen], estimates[chosen], compute_permutation=False)
            for index, row in enumerate(chosen):
                if targets[row] == 'vocals' and len(chosen) == 2:
                    continue
                for measure in records.MEASURES:
                    scores[targets[row]][measure].append(getattr(found, measure)[index])
                quiet[targets[row]][0].append(not references[row].any())
                quiet[targets[row]][1].append(not estimates[row].any())
    facts = {'sample_rate': rate, 'samples': nsamples, 'notes': notes}
    if settings['v4']:
        references, estimates = next(_windows(track, [(0, nsamples)]))
        facts['v4'] = program.v4_scores(SOURCES, references[:4], estimates[:4], rate)
        facts['v4'].update(program.v4_scores((ACCOMPANIMENT,), references[4:2:-1], estimates[4:2:-1], rate))
    return (facts,
            {target: records.describe(scores[target], *quiet[target]) for target in targets},
            {'results': dict({'name': records.matlab_name(track.name)}, **{
                target: {measure.lower(): np.array(values) for measure, values in scores[target].items()}
                for target in targets})})


def _windows(track, bounds):
    """Yield references and estimates, (5, nsamples, nchannels) each: bass, drums, other, vocals, accompaniment."""
    names = [('references', source) for source in SOURCES]
    names += [('estimates', source) for source in SOURCES + (ACCOMPANIMENT,) if source in track.estimates]
    for signals in stems.stacked_windows([getattr(track, kind)[source] for kind, source in names], bounds):
        references, estimates = signals[:4], signals[4:]
        references = np.concatenate([references, references[:3].sum(axis=0, keepdims=True)])
        if len(estimates) == 4:
            estimates = np.concatenate([estimates, estimates[:3].sum(axis=0, keepdims=True)])
        yield references, estimates


if __name__ == '__main__':
    command.run(main)
