# PYTHON_ARGCOMPLETE_OK
"""Evaluate separated Bach10 pieces: BSS Eval sources on whole files.

    python -m evaluation.Bach10_eval_only --db Bach10 --estimates output --method CNNbach10 --output results

References: ``<db>/[Sources/]<piece>/<piece>-<bassoon|clarinet|saxphone|violin>.wav``. Estimates:
``<estimates>/[<method>/]<piece>-<source>.wav``, as the training scripts write them, or ``<piece>_<source>.wav``, as
separate_bach10.py writes them; in sub-folders or not; saxphone or saxophone. Results:
``<output>/<method>/<piece>_results.mat``, as in the original, and ``.json``.

Methods whose stems are all of Sibelius renderings, which the trainers write into the same folder, are left out and
named: Bach10_eval_only_original evaluates those.
"""
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import numpy as np

from deepconvsep import command
from deepconvsep.errors import InputError
from deepconvsep.metrics import bss_eval, program, records, stems
from examples.bach10 import recipe

logger = command.get_logger('evaluation')

SOURCES = recipe.SOURCES
CASES = ('gt', 'fast', 'slow', 'original')                # renderings of the Sibelius data set
DATA_SETS = ('Bach10', 'Bach10 Sibelius')
RULE = ('BSS Eval 3.0 sources on whole files, estimates in the order of best SIR as in the original; median and mean '
        'over tracks')


def main(argv=None):
    args = program.parser(
        'Evaluate separated Bach10 pieces (BSS Eval sources, whole files).',
        db='the Bach10 data set, or its folder Sources',
        estimates='folder with a sub-folder per method, or with the estimates of one method',
        output='where the results go, a sub-folder per method (default: beside the estimates)'
    ).parse_args(argv)
    root = recipe.piece_folder(args.db, 'Sources')
    references = {piece: {'': dict(zip(SOURCES, recipe.stem_paths(root, piece, check=False)))}
                  for piece in recipe.pieces(root)}
    return evaluate(args, references, '-_', 'Bach10_eval_only_original')


def evaluate(args, references, separators, other, chosen=('',)):
    """Evaluate pieces as every method separated them, and print the tables.

    Parameters
    ----------
    args : argparse.Namespace
    references : dict
        ``[piece][case][source]`` -> path; the case may be empty.
    separators : str
        The characters that may stand between the name of a track and that of a source.
    other : str
        The program that evaluates the stems of the other data set, Bach10 or its renderings.
    chosen : sequence of str
        The cases to evaluate; the estimates of others are no leftovers.

    Returns
    -------
    int
        The exit code.
    """
    command.enable_default_logging()
    folders = without_foreign(stems.methods(args.estimates, args.method), '' not in chosen, other)
    tracks, names = [], {}
    for method, piece in program.choose([(method, piece) for method in folders for piece in references], args.id):
        for case in chosen:
            paths = references[piece][case]
            track = '%s_%s' % (piece, case) if case else piece
            results = os.path.join(program.results_folder(args, method, folders), track + '_results')
            tracks.append(stems.Track(track, method, case, results, paths))
    for piece, cases in references.items():
        for case, paths in cases.items():
            track = '%s_%s' % (piece, case) if case else piece
            names.update({track + separator + spelling: ((case, track), source) for source in paths
                          for separator in separators for spelling in stems.spellings(source)})
    groups, code = program.evaluate_all(tracks, folders, names, stems.stem, evaluate_piece,
                                        {'metric': 'BSS Eval 3.0 sources'}, args)
    for (method, case), group in groups.items():
        program.print_table(' '.join((method, case)).strip(), RULE, group)
    return code


def without_foreign(folders, rendered, other):
    """The methods less those whose stems are all of the other data set, as their names tell; these are logged.

    Parameters
    ----------
    folders : dict
        Folder of estimates by method.
    rendered : bool
        Whether the stems of renderings are wanted, or those of the recordings.
    other : str
        The program that evaluates the others.

    Raises
    ------
    InputError
        When nothing is left.
    """
    foreign = {}
    for method, folder in folders.items():
        kinds = {_is_rendered(stems.stem(path)) for path in stems.sound_files(folder)}
        if kinds == {not rendered}:
            foreign[method] = folder
    for method in foreign:
        logger.warning('%s is left out: its stems are of %s, which %s evaluates', method, DATA_SETS[not rendered],
                       other)
    if foreign and len(foreign) == len(folders):
        raise InputError('%s holds stems of %s only, expected %s: evaluate them with %s'
                         % (next(iter(foreign.values())), DATA_SETS[not rendered], DATA_SETS[rendered], other))
    return {method: folder for method, folder in folders.items() if method not in foreign}


def _is_rendered(name):
    """Whether a stem is of a Sibelius rendering (True) or of Bach10 (False), by its name; None if of neither."""
    sources = '|'.join(spelling for source in SOURCES for spelling in stems.spellings(source))
    found = re.fullmatch(r'\d.*?(_(?:%s))?[-_](?:%s)' % ('|'.join(CASES), sources), name)
    return bool(found.group(1)) if found else None


def evaluate_piece(track, settings):
    """Scores of one piece, for :func:`program.evaluate_all`."""
    rate, nsamples, notes, _ = stems.check(track)
    sources = list(track.references)
    references, estimates = (np.stack([stems.read_mono(paths[source], nsamples) for source in sources])
                             for paths in (track.references, track.estimates))
    scores = bss_eval.bss_eval_sources(references, estimates)
    facts = {'sample_rate': rate, 'samples': nsamples, 'notes': notes + program.note_order(scores.perm, sources)}
    if settings['v4']:
        facts['v4'] = program.v4_scores(sources, references[..., None], estimates[..., None], rate)
    quiet = program.silent(references), program.silent(estimates[scores.perm])
    targets, results = {}, {'name': records.matlab_name(track.name)}
    for index, source in enumerate(sources):
        values = {'SDR': scores.SDR[index], 'SIR': scores.SIR[index], 'SAR': scores.SAR[index]}
        targets[source] = records.describe({measure: [value] for measure, value in values.items()},
                                           quiet[0][index:index + 1], quiet[1][index:index + 1])
        results[source] = {measure.lower(): value for measure, value in values.items()}
    return facts, targets, {'results': results}


if __name__ == '__main__':
    command.run(main)
