# PYTHON_ARGCOMPLETE_OK
"""Train on some of the songs of frets_on_fire, separate the others, and write the table of both beside their bounds.

    python experiment.py --out frets

Two protocols, both by song: "within" leaves one song out and trains on the others of its band; "across" trains on one
band and tests on the other. Every command is printed before it runs; what is finished is not done again. Writes
<out>/scores.json and prints the table, of the rows that were asked for.
"""
import os
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))

import numpy as np

from deepconvsep import audio, command, files, stft
from deepconvsep.errors import InputError
from deepconvsep.features import folder as feature_folder
from deepconvsep.features.tensors import MAGNITUDES, record_path, shape_path
from deepconvsep.metrics import ideal_ratio, records
from deepconvsep.recipe import song_of
from deepconvsep.training import checkpoint
from evaluation import bounds
from examples import kept
from examples.ikala import frets_on_fire, layout, recipe, untrained, variants
from examples.running import ROOT, run

HERE = os.path.dirname(os.path.abspath(__file__))

MEASURES = ('SDR', 'SIR', 'SAR', 'NSDR')

#: Flags of every training. Small batches, as in the experiments on Bach10. From --optimizer on: without them
#: the loss falls several times more slowly, see docs/real_songs.md.
TRAINING = ('--overlap', '20', '--batch_size', '8', '--batch_memory', '800', '--skip_sep', '--optimizer', 'adam',
            '--learning_rate', '0.0002', '--scale_factor', '10', '--output_bias', '1')

#: By name: flags that choose the network.
NETWORKS = {'compact': ('--network', 'compact'), 'pooled': ('--pool', '1'), 'unpooled': ('--pool', '0')}

#: By name: how the variants of clips differ that are trained on besides, see `variants`.
AUGMENTATIONS = dict({way: (way,) for way in variants.WAYS}, all=variants.WAYS)

#: What --networks takes: a network, trained on the clips, or on them and their variants.
ROWS = [network + more for network in NETWORKS for more in ['', *('+' + name for name in AUGMENTATIONS)]]

PROTOCOLS = ('within', 'across')


def main(argv=None):
    """Run the experiments of the flags `argv`; return the exit code."""
    args = parse(argv)
    command.enable_default_logging('WARNING')
    if args.untrained:
        untrained.import_librosa()
    db, output, results = (os.path.join(args.out, name) for name in ('tree', 'output', 'results'))
    if os.path.exists(os.path.join(db, layout.COUNT_FILE)):
        frets_on_fire.check(db, args.songs, args.seconds)
    else:
        run(HERE, 'frets_on_fire.py', '--out', db, '--songs', args.songs, '--seconds', args.seconds, '--quiet')
    clips = by_song(clip.name for clip in layout.clips(db))
    chosen, tested = choose_songs(args, clips)
    names = [name for some in tested.values() for name in some]
    for name in names:
        write_bounds(db, output, name)
    if args.untrained:
        run(HERE, 'untrained.py', '--db', db, '--output', output, '--methods', *args.untrained, '--clips', *names,
            '--nprocs', args.nprocs, '--quiet')
    of_method = dict.fromkeys([*bounds.METHODS, *args.untrained], tested)
    seconds, of_network = train_networks(args, db, clips, chosen, tested)
    of_method.update(of_network)
    run(ROOT, 'evaluation/evaluate_SS_iKala.py', '--db', db, '--estimates', output, '--output', results, '--method',
        *of_method, '--allow_missing', '--nprocs', args.nprocs, '--quiet', silent=True)
    scores = {method: collect(os.path.join(results, 'test_' + method), songs) for method, songs in of_method.items()}
    for method, times in seconds.items():
        scores[method]['seconds_of_training'] = times
    files.write_json(os.path.join(args.out, 'scores.json'), {
        'epochs': args.epochs, 'test_clips': args.test_clips, 'clips': len(names), 'methods': scores})
    print(format_table(scores))
    return 0


def parse(argv):
    """The flags `argv`."""
    parser = command.Parser(prog='experiment.py', description=__doc__.split('\n')[0])
    parser.add_arg('--out', type=command.path, required=True, help='folder for everything')
    parser.add_arg('--songs', type=command.path, default=frets_on_fire.INSTALLED, help='as that of frets_on_fire.py')
    parser.add_arg('--protocols', nargs='+', choices=PROTOCOLS, default=PROTOCOLS)
    parser.add_arg('--networks', nargs='*', choices=ROWS, default=['compact'], metavar='NETWORK[+VARIANTS]',
                   help='of %s; +%s: trained on variants of the clips besides'
                        % (', '.join(NETWORKS), ', +'.join(AUGMENTATIONS)))
    parser.add_arg('--untrained', nargs='*', choices=untrained.METHODS, default=[],
                   help='methods without training, which need requirements/experiments.txt')
    parser.add_arg('--folds', nargs='+', default=None, metavar='NAME',
                   help='only these: songs that are left out, bands that are trained on')
    parser.add_arg('--train_songs', nargs='+', type=command.non_negative_int, default=[0], metavar='COUNT',
                   help='a row for each: train on so many songs of those of a fold; 0: on all')
    parser.add_arg('--epochs', type=command.positive_int, default=20,
                   help='of every training; on variants as many fewer as there are more examples')
    parser.add_arg('--variants', type=command.positive_int, default=4, help='of each clip, where they are trained on')
    parser.add_arg('--test_clips', type=command.non_negative_int, default=0,
                   help='test on the first so many clips of each song; 0: on all')
    parser.add_arg('--seconds', type=command.positive_int, default=frets_on_fire.SECONDS, help='length of the clips')
    parser.add_arg('--nprocs', type=command.positive_int, default=1, help='clips evaluated at the same time')
    return parser.parse_args(argv)


def choose_songs(args, clips):
    """The folds of the flags, by protocol and number of songs to train on; and the clips to test on, by song."""
    chosen = {(protocol, count): choose(fewer(folds(list(clips), protocol), count), args.folds)
              for protocol in args.protocols for count in args.train_songs}
    tested = {song: clips[song][:args.test_clips or None] for song in clips
              if any(song in test for made in chosen.values() for _, _, test in made)}
    if not tested:
        raise InputError('--folds %s: there are %s' % (' '.join(args.folds), ', '.join(
            name for protocol in args.protocols for name, _, _ in folds(list(clips), protocol))))
    return chosen, tested


def train_networks(args, db, clips, chosen, tested):
    """Train the networks on the folds `chosen` and separate what they left out, unless that is done.

    Returns
    -------
    seconds : dict
        By method, those of its trainings, as of :func:`run_fold`.
    of_method : dict
        By method, the clips that it has separated, by song.
    """
    seconds, of_method = {}, {}
    for network in args.networks:
        features = compute_features(args, db, network.partition('+')[2])
        for (protocol, count), made in chosen.items():
            if made:
                method = '%s_%s' % (network, protocol) + ('_of_%d' % count if count else '')
                seconds[method] = [run_fold(args, db, features, network, method, *fold, clips, tested) for fold in made]
                of_method[method] = {song: tested[song] for song in tested if any(song in fold[2] for fold in made)}
    return seconds, of_method


def by_song(names):
    """Names of clips, sorted, by song.

    >>> by_song(['muldjord_chaos-god_02', 'muldjord_chaos-god_01'])
    {'muldjord_chaos-god': ['muldjord_chaos-god_01', 'muldjord_chaos-god_02']}
    """
    songs = {}
    for name in sorted(names):
        songs.setdefault(song_of(name + '__m_.data'), []).append(name)
    return songs


def folds(songs, protocol):
    """The folds of a protocol: [(name, songs to train on, songs to test on)].

    >>> folds(['a_x', 'a_y', 'b_z', 'b_w'], 'within')[0], folds(['a_x', 'a_y', 'b_z'], 'across')[0]
    (('a_x', ['a_y'], ['a_x']), ('a', ['a_x', 'a_y'], ['b_z']))
    """
    bands = {}
    for song in songs:
        bands.setdefault(song.partition('_')[0], []).append(song)
    if protocol == 'within':
        made = [(song, [other for other in band if other != song], [song]) for band in bands.values() for song in band]
    else:
        made = [(name, band, [song for song in songs if song not in band]) for name, band in bands.items()]
    for name, train, test in made:
        if not (train and test):
            raise InputError('the fold %s of "%s" has %d songs to train on and %d to test on, expected some of each: '
                             'give more songs' % (name, protocol, len(train), len(test)))
    return made


def fewer(made, count):
    """The folds, each with only so many songs to train on; with all of them when `count` is 0.

    They are those that follow the fold's name, and those at the front after the last one: in the folds of a band all
    songs are trained on equally often.

    >>> [train for _, train, _ in fewer(folds(['a_x', 'a_y', 'a_z'], 'within'), 1)]
    [['a_y'], ['a_z'], ['a_x']]
    """
    for name, train, _ in made:
        if count > len(train):
            raise InputError('--train_songs %d: the fold %s has %d songs to train on; give at most as many'
                             % (count, name, len(train)))
    return [(name, sorted(train, key=lambda song: song < name)[:count], test) if count else (name, train, test)
            for name, train, test in made]


def choose(made, names):
    """The folds of these names; all of them when `names` is None."""
    return [fold for fold in made if names is None or fold[0] in names]


def compute_features(args, db, augmentation):
    """Compute the features of the clips, or of them and their variants, unless they are there; return the folder."""
    folder = os.path.join(db, 'transforms', augmentation or 't1')
    more = ['--variants', args.variants, '--ways', *AUGMENTATIONS[augmentation]] if augmentation else []
    run(HERE, 'compute_features.py', '--db', db, '--feature_path', folder, '--float32', '--nprocs', args.nprocs,
        '--quiet', *more)
    return folder


def run_fold(args, db, features, network, method, fold, train, test, clips, tested):
    """Train and separate one fold, unless that is done; return the seconds of training, of a processor.

    Of a training that was interrupted, only those after the last interruption count.
    """
    model = '%s_%s' % (method, fold)
    network, _, augmentation = network.partition('+')
    count = args.variants if augmentation else 0
    epochs = -(-args.epochs // (1 + count))
    flags = [*NETWORKS[network], '--nepochs', str(epochs), *TRAINING]
    names = [name for song in train for clip in clips[song]
             for name in (clip, *(variants.called(clip, number) for number in range(1, count + 1)))]
    record = {'flags': flags, 'train': train, 'features': feature_folder.fingerprint(
        [os.path.join(features, name + MAGNITUDES + '.data') for name in names])}
    done = os.path.join(args.out, 'models', 'done_%s.json' % model)
    path = checkpoint.model_path(args.out, model)
    if os.path.exists(done):
        made = kept.check_done(done, dict(record, model=files.sha256(path) if os.path.exists(path) else None),
                               'give another --out, or remove it and models/*%s*' % model)
    else:
        folder = os.path.join(args.out, 'folds', model)
        link(features, folder, names)
        before = processor_seconds()
        run(HERE, 'trainCNN.py', '--db', db, '--feature_path', folder, '--output', args.out, '--model', model,
            *flags, '--resume', '--quiet')
        made = dict(record, model=files.sha256(path), seconds=round(processor_seconds() - before, 1))
        files.write_json(done, made)
    output = os.path.join(args.out, 'output', method)
    wanted = {}
    for name in (name for song in test for name in tested[song]):
        clip = os.path.join(db, layout.FOLDER, name + '.wav')
        stems = [os.path.join(output, stem + '.wav') for stem in recipe.stem_names(name, recipe.SOURCES, True)]
        made_from = {'clip': files.sha256(clip), 'model': files.sha256(path)}
        if not kept.is_current(stems, made_from):
            wanted[clip] = stems, made_from
    if wanted:
        run(HERE, 'separate_ikala.py', '-i', *wanted, '-o', output, '-m', path, '--overwrite', '--quiet', silent=True)
        for stems, made_from in wanted.values():
            kept.note(stems, made_from)
    return made.get('seconds')


def processor_seconds():
    """What the programs that this one has run took, all their threads together."""
    times = os.times()
    return times.children_user + times.children_system


def link(features, folder, names):
    """A folder with the features of these clips alone, without copying them."""
    shutil.rmtree(folder, ignore_errors=True)   # of a run that was interrupted: features may be others since
    files.make_folder(folder)
    for name in names:
        path = name + MAGNITUDES + '.data'
        for leaf in (path, shape_path(path), record_path(path)):
            os.link(os.path.join(features, leaf), os.path.join(folder, leaf))


def write_bounds(db, output, name):
    """The mixture as every stem, and what ideal ratio masks make of it, for one clip."""
    clip = os.path.join(db, layout.FOLDER, name + '.wav')
    paths = [[os.path.join(output, method, stem + '.wav') for stem in recipe.stem_names(name, recipe.SOURCES, True)]
             for method in bounds.METHODS]
    made_from = {'clip': files.sha256(clip)}
    if all(kept.is_current(both, made_from) for both in paths):
        return
    samples, rate = audio.read(clip)
    mixture, voice, music = layout.separate_channels(samples).T
    settings = recipe.SETTINGS
    masked = ideal_ratio.separate(np.stack([voice, music]), stft.blackmanharris(settings.frame_size), settings.hop_size)
    for both, estimates in zip(paths, [[mixture] * 2, masked]):
        for path, estimate in zip(both, estimates):
            files.make_folder(os.path.dirname(path))
            audio.write(path, estimate, rate, subtype='FLOAT')
        kept.note(both, made_from)


def collect(folder, tested):
    """Scores of one method: by source and measure the mean over songs, the deviation over songs, and by song.

    A song's score is the mean over its clips; NSDR, the gain over the mixture, is weighted by length besides (GNSDR).
    """
    rows, songs = {source: {} for source in recipe.SOURCES}, {}
    for song, names in tested.items():
        clips = [records.read(os.path.join(folder, name + '.json')) for name in names]
        songs[song] = {source: {measure: float(np.mean([records.decode(clip['targets'][source]['scores'][measure])
                                                         for clip in clips])) for measure in MEASURES}
                       for source in recipe.SOURCES}
        for source in recipe.SOURCES:
            rows[source].setdefault('lengths', []).append(sum(clip['samples'] for clip in clips))
    summary = {}
    for source in recipe.SOURCES:
        values = {measure: [songs[song][source][measure] for song in songs] for measure in MEASURES}
        summary[source] = {measure: {'mean': round(float(np.mean(each)), 2), 'std': round(float(np.std(each)), 2)}
                           for measure, each in values.items()}
        summary[source]['GNSDR'] = round(float(np.average(values['NSDR'], weights=rows[source]['lengths'])), 2)
    return {'sources': summary, 'songs': {song: {source: {measure: round(value, 2) for measure, value in each.items()}
                                                 for source, each in scores.items()} for song, scores in songs.items()}}


def format_table(scores):
    """The scores as Markdown: SDR / SIR / SAR, mean over the songs, and GNSDR."""
    names = {'voice': 'guitar', 'music': 'band'}
    lines = ['| | %s | seconds of training |' % ' | '.join(
        '%s SDR (deviation) / SIR / SAR | %s GNSDR' % (name, name) for name in names.values()), '|---' * 6 + '|']
    for method, each in scores.items():
        cells = []
        for source in names:
            row = each['sources'][source]
            cells += ['%.1f (%.1f) / %.1f / %.1f' % (row['SDR']['mean'], row['SDR']['std'], row['SIR']['mean'],
                                                     row['SAR']['mean']), '%.1f' % row['GNSDR']]
        times = each.get('seconds_of_training')
        cells.append('%d on average' % np.mean(times) if times else '0')
        lines.append('| %s | %s |' % (method, ' | '.join(cells)))
    return '\n'.join(lines)


if __name__ == '__main__':
    command.run(main)
