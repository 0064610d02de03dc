"""Train on some of the songs of frets_on_fire, separate the others, and write the table of both beside their bounds.

    python experiment.py --out frets

Two protocols, both by song: "within" leaves one song out and trains on the others of its band; "across" trains on one
band and tests on the other. Every command is printed before it runs; what is finished is not done again. Writes
<out>/scores.json and prints the table.
"""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))

import numpy as np

from deepconvsep import audio, command, files, stft
from deepconvsep.errors import InputError
from deepconvsep.metrics import records
from deepconvsep.recipe import song_of
from evaluation import bounds
from examples.ikala import frets_on_fire, layout, recipe
from examples.running import ROOT, run
from transform import transformFFT

HERE = os.path.dirname(os.path.abspath(__file__))

MEASURES = ('SDR', 'SIR', 'SAR', 'NSDR')

#: Flags of every training. Small batches, as in the experiments on Bach10.
TRAINING = ('--overlap', '20', '--batch_size', '8', '--batch_memory', '800', '--skip_sep')

#: By name: flags that choose the network.
NETWORKS = {'compact': ('--network', 'compact'), 'pooled': ('--pool', '1'), 'unpooled': ('--pool', '0')}

PROTOCOLS = ('within', 'across')


def main(argv=None):
    """Run the experiments of the flags `argv`; return the exit code."""
    parser = command.Parser(prog='experiment.py', description=__doc__.split('\n')[0])
    parser.add_arg('--out', required=True, help='folder for everything')
    parser.add_arg('--songs', default=frets_on_fire.INSTALLED, help='as that of frets_on_fire.py')
    parser.add_arg('--protocols', nargs='+', choices=PROTOCOLS, default=PROTOCOLS)
    parser.add_arg('--networks', nargs='+', choices=sorted(NETWORKS), default=['compact'])
    parser.add_arg('--epochs', type=command.positive_int, default=20, help='of every training')
    parser.add_arg('--test_clips', type=command.non_negative_int, default=0,
                   help='test on the first so many clips of each song; 0: on all')
    parser.add_arg('--seconds', type=command.positive_int, default=frets_on_fire.SECONDS, help='length of the clips')
    parser.add_arg('--nprocs', type=command.positive_int, default=1, help='clips evaluated at the same time')
    args = parser.parse_args(argv)
    db, output, results = (os.path.join(args.out, name) for name in ('tree', 'output', 'results'))
    if not os.path.exists(os.path.join(db, layout.COUNT_FILE)):
        run(HERE, 'frets_on_fire.py', '--out', db, '--songs', args.songs, '--seconds', args.seconds,
            '--quiet')
    run(HERE, 'compute_features.py', '--db', db, '--float32', '--nprocs', args.nprocs, '--quiet')
    clips = by_song(clip.name for clip in layout.clips(db))
    tested = {song: names[:args.test_clips or None] for song, names in clips.items()}
    for name in (name for names in tested.values() for name in names):
        write_bounds(db, output, name)
    seconds = {}
    for network in args.networks:
        for protocol in args.protocols:
            method = '%s_%s' % (network, protocol)
            seconds[method] = [run_fold(args, db, method, *fold, clips, tested)
                               for fold in folds(list(clips), protocol)]
    run(ROOT, 'evaluation/evaluate_SS_iKala.py', '--db', db, '--estimates', output, '--output', results, '--method',
        *bounds.METHODS, *seconds, '--allow_missing', '--nprocs', args.nprocs, '--quiet', silent=True)
    scores = {method: collect(os.path.join(results, 'test_' + method), tested) for method in
              list(bounds.METHODS) + list(seconds)}
    for method, times in seconds.items():
        scores[method]['seconds_of_training'] = times
    files.write_json(os.path.join(args.out, 'scores.json'), {
        'epochs': args.epochs, 'test_clips': args.test_clips, 'clips': sum(map(len, tested.values())),
        'methods': scores})
    print(format_table(scores))
    return 0


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


def run_fold(args, db, method, fold, train, test, clips, tested):
    """Train and separate one fold, unless that is done; return the seconds of training."""
    model, folder = '%s_%s' % (method, fold), os.path.join(args.out, 'folds', '%s_%s' % (method, fold))
    flags = [*NETWORKS[method.partition('_')[0]], '--nepochs', str(args.epochs), *TRAINING]
    done = os.path.join(args.out, 'models', 'done_%s.json' % model)
    record = {'flags': flags, 'train': train}
    if os.path.exists(done):
        made = files.read_json(done, 'what a model was trained with')
        if any(made.get(key) != value for key, value in record.items()):
            raise InputError('%s was made with other flags or songs: give another --out, or remove it and models/*%s*'
                             % (done, model))
    else:
        link(os.path.join(db, 'transforms', 't1'), folder, [name for song in train for name in clips[song]])
        start = time.monotonic()
        run(HERE, 'trainCNN.py', '--db', db, '--feature_path', folder, '--output', args.out, '--model', model,
            *flags, '--resume', '--quiet')
        made = dict(record, seconds=round(time.monotonic() - start, 1))
        files.write_json(done, made)
    output = os.path.join(args.out, 'output', method)
    names = [name for song in test for name in tested[song]]
    todo = [name for name in names if not all(
        os.path.exists(os.path.join(output, stem + '.wav')) for stem in recipe.stem_names(name, recipe.SOURCES, True))]
    if todo:
        run(HERE, 'separate_ikala.py', '-i', *[os.path.join(db, layout.FOLDER, name + '.wav') for name in todo],
            '-o', output, '-m', os.path.join(args.out, 'models', 'model_%s.pkl' % model), '--overwrite', '--quiet',
            silent=True)
    return made.get('seconds')


def link(features, folder, names):
    """A folder with the features of these clips alone, without copying them."""
    files.make_folder(folder)
    for name in names:
        for ending in ('__m_.data', '__m_.shape'):
            path = os.path.join(folder, name + ending)
            if not os.path.exists(path):
                os.link(os.path.join(features, name + ending), path)


def write_bounds(db, output, name):
    """The mixture as every stem, and what ideal ratio masks make of it, for one clip."""
    samples, rate = audio.read(os.path.join(db, layout.FOLDER, name + '.wav'))
    mixture, voice, music = layout.separate_channels(samples).T
    paths = [[os.path.join(output, method, stem + '.wav') for stem in recipe.stem_names(name, recipe.SOURCES, True)]
             for method in bounds.METHODS]
    if all(os.path.exists(path) for both in paths for path in both):
        return
    settings = recipe.SETTINGS
    masked = bounds.ideal_ratio_masked(np.stack([voice, music]), transformFFT(
        frameSize=settings.frame_size, hopSize=settings.hop_size, sampleRate=settings.sample_rate,
        window=stft.blackmanharris))
    for both, estimates in zip(paths, [[mixture] * 2, masked]):
        for path, estimate in zip(both, estimates):
            files.make_folder(os.path.dirname(path))
            audio.write(path, estimate, rate, subtype='FLOAT')


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
