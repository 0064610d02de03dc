# PYTHON_ARGCOMPLETE_OK
"""Run the experiments of the SMC 2017 paper on open data, with one family of samples held out, and write their table.

    python experiment.py --out open --held_out fluid

Synthesizes the data, computes the features, trains the compact network on each kind of training data, separates the ten
chorales that the held-out family plays, by the network (<model>) and by the factorisation that starts from its stems
(<model>+nmf), evaluates them beside their bounds, and writes the means over the ten as <out>/<held out>/scores.json
and as a table. Every command is printed before it runs; what is finished is not done
again. Needs about 15 GB for the features of one experiment at a time; they are removed when it has trained.
"""
import os
import shutil
import sys
from types import SimpleNamespace

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))

from deepconvsep import command, files, process
from deepconvsep.features import folder as record
from deepconvsep.metrics import records, tables
from deepconvsep.models import store
from deepconvsep.recipes import bach10
from deepconvsep.separation.sound import separate_file
from deepconvsep.training import checkpoint
from examples import kept
from examples.bach10 import recipe, stems
from examples.bach10.synthesize import RECORDED
from examples.running import ROOT, run

HERE = os.path.dirname(os.path.abspath(__file__))

#: The families of samples. The bank opl3, FM synthesis, came later: the published tables are without it.
BANKS = ('fluid', 'freepats', 'timgm6mb')

MEASURES = records.SOURCE_MEASURES

#: Flags of every training. Small batches: in the same time the loss fell further than with 32 windows.
TRAINING = ('--network', 'compact', '--batch_size', '8', '--batch_memory', '800', '--overlap', '20',
            '--scale_factor_test', str(recipe.SETTINGS.scale_factor), '--resume')

#: By name: script that computes features, its data and flags; script that trains, its flags and epochs, which are
#: chosen so that all see about as many windows; the name of its models.
EXPERIMENTS = {
    'oracle': ('compute_features_bach10.py', ('Bach10',), (), 'trainCNNbach10.py', (), 10, 'CNNbach10'),
    'sibelius': ('compute_features_bach10sibelius.py', ('Sibelius',), ('--gt', '0', '--sample_size', '1'),
                 'trainCNNSibelius.py', ('--gt', '0'), 1, 'CNNsibelius_original'),
    'rwc': ('compute_features_bach10rwc.py', ('Sibelius', 'RWC'), ('--sample_size', '3'), 'trainCNNrwc.py', (), 1,
            'CNNrwc_original'),
}


def main(argv=None):
    """Run the experiments of the flags `argv`; return the exit code."""
    parser = command.Parser(prog='experiment.py', description=__doc__.split('\n')[0])
    parser.add_arg('--out', type=command.path, required=True, help='folder for everything')
    parser.add_arg('--held_out', required=True, choices=sorted([*BANKS, RECORDED]),
                   help='bank that plays the test recordings; the others, but never %s, play the training data'
                        % RECORDED)
    parser.add_arg('--recorded', type=command.path, metavar='DIR', default=os.curdir,
                   help='for --held_out %s: folder of the archives of real notes (default: this one)' % RECORDED)
    parser.add_arg('--experiments', nargs='+', choices=sorted(EXPERIMENTS), default=sorted(EXPERIMENTS))
    parser.add_arg('--number', type=command.positive_int, default=24, help='chorales to train on')
    parser.add_arg('--test_number', type=command.positive_int, default=10, help='chorales to test on, of the ten')
    parser.add_arg('--beats', type=command.positive_float, default=None, help='only so many quarter notes of each')
    parser.add_arg('--epochs', type=command.positive_int, default=None,
                   help='of every training (default: %s)' % ', '.join('%s %d' % (name, plan[5])
                                                                      for name, plan in EXPERIMENTS.items()))
    parser.add_arg('--nprocs', type=command.positive_int, default=process.spare_cores())
    args = parser.parse_args(argv)
    folder = os.path.join(args.out, args.held_out)
    data = {name: os.path.join(folder, name) for name in ('Bach10', 'Sibelius', 'RWC')}
    output, results = os.path.join(folder, 'output'), os.path.join(folder, 'results')
    files.make_folder(folder)
    record.check_record(folder, {name: getattr(args, name) for name in ('number', 'test_number', 'beats')},
                        name='experiment.json', remedy='choose another --out', what='an experiment')
    synthesize(args, data)
    for name in args.experiments:
        run_experiment(args, folder, data, *EXPERIMENTS[name])
        factorize(data['Bach10'], folder, EXPERIMENTS[name][-1])
    run(ROOT, 'evaluation/bounds.py', '--db', data['Bach10'], '--output', output, '--nprocs', args.nprocs, '--quiet')
    run(ROOT, 'evaluation/Bach10_eval_only.py', '--db', data['Bach10'], '--estimates', output, '--output', results,
        '--nprocs', args.nprocs, '--quiet', silent=True)
    scores = collect(results, os.listdir(output))
    files.write_json(os.path.join(folder, 'scores.json'), {'held_out': args.held_out, 'means': scores})
    print(format_table(scores))
    return 0


def synthesize(args, data):
    """Make the three trees."""
    others = [bank for bank in BANKS if bank != args.held_out]
    source = ['--recorded', os.path.abspath(args.recorded)] if args.held_out == RECORDED else []
    common = ['--nprocs', args.nprocs, '--quiet'] + (['--beats', args.beats] if args.beats else [])
    run(HERE, 'synthesize.py', 'bach10', '--out', data['Bach10'], '--banks', args.held_out,
        '--number', args.test_number, *source, *common)
    run(HERE, 'synthesize.py', 'sibelius', '--out', data['Sibelius'], '--banks', *others, '--chorales', 'training',
        '--number', args.number, *common)
    run(HERE, 'synthesize.py', 'rwc', '--out', data['RWC'], '--banks', *others, *common)


def run_experiment(args, folder, data, compute, sources, flags, train, train_flags, epochs, model):
    """Compute features and train, unless that is done."""
    done = os.path.join(folder, 'models', 'done_%s' % model)
    path = checkpoint.model_path(folder, model)
    made = {'epochs': args.epochs or epochs,
            'data': kept.digest_folders([data[name] for name in ('Bach10', *sources)])}
    if os.path.exists(done):
        kept.check_done(done, dict(made, model=files.sha256(path) if os.path.exists(path) else None),
                        'choose another --out, or remove it, models/*%s* and output/%s' % (model, model))
        return
    features = os.path.join(folder, 'features', model)
    trees = ['--db', data[sources[0]]] + (['--rwc', data[sources[1]]] if len(sources) > 1 else [])
    run(HERE, compute, *trees, *flags, '--feature_path', features, '--dtype', 'float32', '--nprocs', args.nprocs,
        '--quiet')
    run(HERE, train, '--db', data['Bach10'], '--feature_path', features, '--output', folder, '--quiet',
        '--nepochs', args.epochs or epochs, *train_flags, *TRAINING)
    shutil.rmtree(features)
    # trained, and the ten chorales are separated
    files.write_json(done, dict(made, model=files.sha256(path)))


def factorize(db, folder, model):
    """Separate the chorales by the factorisation that starts from the network's stems, but those that are there."""
    loaded = store.load(checkpoint.model_path(folder, model), recipe.NETWORKS, 'this program')
    method, model_digest = 'network+nmf', files.sha256(loaded.path)
    separator = bach10.separator(loaded, loaded.settings, SimpleNamespace(method=method, batch_size=32, engine=None))
    for _ in stems.separate_pieces(
            db, os.path.join(folder, 'output', model + '+nmf'),
            lambda paths: {'files': kept.digest(paths), 'model': model_digest, 'method': method},
            lambda paths, outputs: separate_file(separator, paths, outputs, quiet=True)):
        pass


def collect(results, methods):
    """Means over the pieces: ``[method][instrument][measure]``, in dB; of these methods, not of any that is gone."""
    means = {}
    for method in sorted(set(os.listdir(results)).intersection(methods)):
        for row in tables.summarize(records.read_all(os.path.join(results, method))):
            means.setdefault(method, {}).setdefault(row['target'], {})[row['measure']] = round(row['mean'], 2)
    return means


def format_table(means):
    """The means as Markdown: SDR / SIR / SAR, an instrument a column.

    Examples
    --------
    >>> print(format_table({'mixture': {'violin': {'SDR': -5., 'SIR': -5., 'SAR': 150.}}}))
    | | violin | mean SDR |
    |---|---|---|
    | mixture | -5.0 / -5.0 / 150.0 | -5.0 |
    """
    targets = sorted({target for method in means.values() for target in method})
    lines = ['| | %s | mean SDR |' % ' | '.join(targets), '|---' * (len(targets) + 2) + '|']
    for method, scores in means.items():
        cells = [' / '.join('%.1f' % scores[target][measure] for measure in MEASURES) for target in targets]
        mean = sum(scores[target]['SDR'] for target in targets) / len(targets)
        lines.append('| %s | %s | %.1f |' % (method, ' | '.join(cells), mean))
    return '\n'.join(lines)


if __name__ == '__main__':
    command.run(main)
