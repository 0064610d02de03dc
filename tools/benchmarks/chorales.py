"""All ways to separate the chorales of Bach10 beside their bounds: stems, their scores, and a table of the means.

    python tools/benchmarks/chorales.py --db open/fluid/Bach10 --out open/fluid

Methods: `score`, the masks of the coarse scores alone; `free`, the score-free network; `free+nmf`, a factorisation with
the notes that are heard in its stems; `network` and `confined`, the score-informed network without and with the score's
masks on its own; `nmf` and `network+nmf`; `bounds`, the mixture itself and ideal ratio masks. Stems go to
<out>/output/<method>/<piece>-<source>.wav, scores to <out>/results, means and standard deviations over the pieces to
<out>/chorales.json. Stems that were made from the same sounds, scores, model and flags are kept; with --separate_only,
nothing else is made.
"""
import copy
import functools
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

import numpy as np

from deepconvsep import audio, command, files
from deepconvsep.metrics import records, tables
from deepconvsep.models import known, store
from deepconvsep.recipes import bach10 as free
from deepconvsep.recipes import bach10_scoreinformed as informed
from deepconvsep.separation.sound import separate_file
from evaluation import Bach10_eval_only, bounds
from examples import kept
from examples.bach10 import recipe as data
from examples.bach10 import stems

#: By method: the recipe, and flags of its separation.
METHODS = {'score': (informed, {'confine': True}), 'free': (free, {'method': 'network'}),
           'free+nmf': (free, {'method': 'network+nmf'}),
           'network': (informed, {'method': 'network', 'confine': False}),
           'confined': (informed, {'method': 'network', 'confine': True}),
           'nmf': (informed, {'method': 'nmf'}), 'network+nmf': (informed, {'method': 'network+nmf'})}
BOUNDS = 'bounds'
#: Flags that decide about the stems, besides the model.
DECIDING = ('scores', 'score_ending', 'score_tempo', 'score_offset', 'confine', 'method')
MEASURES = records.SOURCE_MEASURES


def main(argv=None):
    """Separate and evaluate by the flags `argv`; return the exit code."""
    flags = command.Parser(prog='chorales.py', description=__doc__.split('\n')[0])
    flags.add_arg('--db', type=command.path, required=True, metavar='DIR', help='the pieces of Bach10')
    flags.add_arg('--out', type=command.path, required=True, metavar='DIR',
                  help='folder for stems and scores; it is created')
    flags.add_arg('--methods', nargs='+', choices=[*METHODS, BOUNDS], default=[*METHODS, BOUNDS])
    flags.add_arg('--free_model', default=free.DEFAULT_MODEL, metavar='MODEL', help='the score-free network')
    flags.add_arg('--model', default=informed.DEFAULT_MODEL, metavar='MODEL', help='the score-informed network')
    flags.add_arg('--batch_size', type=command.positive_int, default=32, help='windows per call of a network')
    flags.add_arg('--separate_only', action='store_true', help='do not score the stems')
    informed.add_guide_flags(flags)
    flags.set_defaults(engine=None)
    args = flags.parse_args(argv)
    output, results = os.path.join(args.out, 'output'), os.path.join(args.out, 'results')
    for method in args.methods:
        if method == BOUNDS:
            bounds.main(['--db', args.db, '--output', output, '--quiet'])
        else:
            separate(method, args, os.path.join(output, method))
    if not args.separate_only:
        code = Bach10_eval_only.main(['--db', args.db, '--estimates', output, '--output', results, '--quiet'])
        if code:
            return code
        scores = collect(results, output, data.pieces(args.db))
        files.write_json(os.path.join(args.out, 'chorales.json'), scores)
        print(table(scores))
    return 0


def separate(method, args, folder):
    """Separate all pieces by a method, but those whose stems are there and would become the same."""
    recipe, own = METHODS[method]
    args = copy.copy(args)
    vars(args).update(own)
    name = args.free_model if recipe is free else args.model
    loaded = store.load(known.locate(name), recipe.NETWORKS, 'this program')
    separator = None

    def stems_of(paths, outputs):
        nonlocal separator
        guide = recipe.SEPARATION.guide(paths, loaded.settings, args)
        if method == 'score':
            score_masked(paths, guide, outputs)
        else:
            separator = separator or recipe.SEPARATION.separator(loaded, loaded.settings, args)
            separate_file(separator, paths, outputs, guide, quiet=True)
    for outputs in stems.separate_pieces(args.db, folder, functools.partial(describe, recipe, method, args, loaded),
                                         stems_of):
        print('\n'.join(outputs), flush=True)


def describe(recipe, method, args, loaded, paths):
    """What the stems of a piece are made from."""
    scores = informed.score_paths(paths, args) if recipe is informed else []
    timbre = [args.timbre_model_path] if args.timbre_model_path else []
    return {'files': kept.digest([*paths, *scores, *timbre]), 'method': method,
            'model': files.sha256(loaded.path), 'settings': loaded.settings.to_dict() if loaded.settings else None,
            'flags': {name: getattr(args, name, None) for name in DECIDING}}


def score_masked(paths, guide, outputs):
    """Write what the masks of a score alone make of a mixture."""
    transform, mixture = data.transform(), sum(data.read_stems(paths))
    magnitude, phase = transform.compute_file(mixture, phase=True)
    masks = guide.limit(0, np.full((len(outputs), *magnitude.shape), 1 / len(outputs)))
    for mask, path in zip(masks, outputs):
        audio.write(path, transform.compute_inverse(mask * magnitude, phase)[:len(mixture)], data.SAMPLE_RATE)


def collect(results, output, pieces):
    """``[method][instrument][measure]``: mean and standard deviation over the pieces, in dB, and the mean SDRs.

    Of the methods in `output` and of these pieces: there may be results of others, whose stems are gone.
    """
    scores = {}
    for method in sorted(set(os.listdir(results)).intersection(os.listdir(output))):
        tracks = [track for track in records.read_all(os.path.join(results, method)) if track['track'] in pieces]
        found = scores[method] = {'pieces': len(tracks)}
        for row in tables.summarize(tracks):
            found.setdefault(row['target'], {})[row['measure']] = [round(row['mean'], 2), round(row['sd'], 2)]
        means = [np.mean([tables.over_windows(records.decode(target['scores']['SDR']))
                          for target in track['targets'].values()]) for track in tracks]
        found['mean SDR'] = [round(float(np.mean(means)), 2), round(float(np.std(means)), 2)]
    return scores


def table(scores):
    """The scores as Markdown, from the worst method to the best: SDR / SIR / SAR, an instrument a column.

    Examples
    --------
    >>> print(table({'nmf': {'pieces': 2, 'violin': {'SDR': [8.3, 1.], 'SIR': [15.7, 1.], 'SAR': [9.4, 1.]},
    ...                      'mean SDR': [8.3, 1.]}}))
    | | violin | mean SDR |
    |---|---|---|
    | nmf | 8.3 / 15.7 / 9.4 | 8.3 ± 1.0 |
    """
    targets = sorted({target for found in scores.values() for target in found} - {'pieces', 'mean SDR'})
    lines = ['| | %s | mean SDR |' % ' | '.join(targets), '|---' * (len(targets) + 2) + '|']
    for method, found in sorted(scores.items(), key=lambda item: item[1]['mean SDR']):
        cells = [' / '.join('%.1f' % found[target][measure][0] for measure in MEASURES) for target in targets]
        lines.append('| %s | %s | %.1f ± %.1f |' % (method, ' | '.join(cells), *found['mean SDR']))
    return '\n'.join(lines)


if __name__ == '__main__':
    command.run(main)
