# PYTHON_ARGCOMPLETE_OK
"""Evaluate separated iKala clips: BSS Eval sources on whole files, and its gain over the mixture (NSDR, NSIR, NSAR).

    python -m evaluation.evaluate_SS_iKala --db iKala --method fft_1024

References: ``<db>/Wavfile/<clip>.wav``, left the music and right the voice. Estimates:
``<db>/output/<method>/<clip>-voice.wav`` and ``-music.wav``, as all scripts write them. Results:
``<db>/measures/test_<method>/<clip>.mat``, as in the original, and ``.json``.

NSAR is given as in the original but means nothing: the mixture has no artifacts, so its own SAR is rounding noise.
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import numpy as np

from deepconvsep import command
from deepconvsep.errors import InputError
from deepconvsep.metrics import bss_eval, program, records, stems

SOURCES = ('voice', 'music')
RULE = ('BSS Eval 3.0 sources on whole files, estimates in the order of best SIR as in the original; N... is the gain '
        'over the mixture (NSAR means nothing: the SAR of the mixture is rounding noise); median and mean over tracks')


def main(argv=None):
    args = program.parser(
        'Evaluate separated iKala clips (BSS Eval sources, whole files, and the gain over the mixture).',
        db='the iKala data set, which holds Wavfile',
        estimates='folder with a sub-folder per method, or with the estimates of one method (default: <db>/output)',
        output='where the results go, a sub-folder test_<method> per method (default: <db>/measures)',
        estimates_required=False).parse_args(argv)
    root = os.path.join(args.db, 'Wavfile')
    stems.folders(root, 'the clips of iKala')
    clips = {stems.stem(path): dict.fromkeys(SOURCES, path) for path in stems.sound_files(root)}
    folders = stems.methods(args.estimates or os.path.join(args.db, 'output'), args.method)
    output = args.output or os.path.join(args.db, 'measures')
    tracks = [stems.Track(clip, method, '', os.path.join(output, 'test_' + method, clip), clips[clip])
              for method, clip in program.choose([(method, clip) for method in folders for clip in clips], args.id)]
    names = {'%s-%s' % (clip, source): (('', clip), source) for clip in clips for source in SOURCES}
    groups, code = program.evaluate_all(tracks, folders, names, stems.stem, evaluate_clip,
                                        {'metric': 'BSS Eval 3.0 sources, and gain over the mixture'}, args)
    for (method, _), group in groups.items():
        program.print_table(method, RULE, group)
    return code


def evaluate_clip(track, settings):
    """Scores of one clip, for :func:`program.evaluate_all`."""
    rate, nsamples, notes, _ = stems.check(track)
    clip = track.references['voice']
    both = next(stems.windows(clip, [(0, nsamples)]))
    if both.shape[1] != 2:
        raise InputError('%s has %d channels, expected 2: left the music, right the voice' % (clip, both.shape[1]))
    references = both.T[::-1]
    estimates = np.stack([stems.read_mono(track.estimates[source], nsamples) for source in SOURCES])
    mixture = np.stack([both.mean(axis=1)] * 2)
    scores = bss_eval.bss_eval_sources(references, estimates)
    before = bss_eval.bss_eval_sources(references, mixture)
    values = {}
    for measure in records.SOURCE_MEASURES:
        with np.errstate(invalid='ignore'):
            values['N' + measure] = getattr(scores, measure) - getattr(before, measure)
        values[measure] = getattr(scores, measure)
    quiet = program.silent(references), program.silent(estimates[scores.perm])
    facts = {'sample_rate': rate, 'samples': nsamples, 'notes': notes + program.note_order(scores.perm, SOURCES)}
    if settings['v4']:
        facts['v4'] = program.v4_scores(SOURCES, references[..., None], estimates[..., None], rate)
    targets = {source: records.describe({measure: value[[index]] for measure, value in values.items()},
                                        quiet[0][index:index + 1], quiet[1][index:index + 1])
               for index, source in enumerate(SOURCES)}
    return facts, targets, {measure: value[:, None] for measure, value in values.items()}


if __name__ == '__main__':
    command.run(main)
