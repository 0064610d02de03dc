"""The training scripts of Bach10 and separate_bach10.py as a user runs them, on small data; the compact network."""
import dataclasses
import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from bach10_tree import make_bank, make_inputs
from conftest import ROOT

from deepconvsep import audio
from deepconvsep.formats import pickles
from deepconvsep.models import store
from deepconvsep.network import architecture
from examples.bach10 import recipe, trainCNNbach10, trainCNNrwc, trainCNNSibelius

FOLDER = 'examples/bach10/'
SEPARATE = FOLDER + 'separate_bach10.py'
PIECES = ('01-AchGottundHerr', '02-Other')
SMALL = ['--network', 'compact', '--nepochs', 1, '--batch_size', 4, '--quiet']
RATE = 44100


def succeed(done):
    assert done.returncode == 0, done.stderr
    return done


def both_pieces(rows):
    """The recorded rows of the first piece, and the same for the second with other samples."""
    return rows + [dict(row, path=row['path'].replace(*PIECES), seed=row['seed'] + 1000) for row in rows]


@pytest.fixture(scope='module')
def bach10(golden_json, tmp_path_factory):
    """Two pieces of Bach10, 1 s each, the last stem shorter than the others."""
    folder = str(tmp_path_factory.mktemp('bach10'))
    rows = both_pieces(golden_json('6_features/bach10.json')['input_files'])
    make_inputs(rows[:3] + rows[4:7], folder, length=RATE)
    make_inputs([rows[3], rows[7]], folder, length=RATE - 3000)
    return folder


@pytest.fixture(scope='module')
def sibelius(golden, golden_json, tmp_path_factory):
    """One piece of Bach10 Sibelius, 0.7 s in each of four styles, and its scores."""
    folder = str(tmp_path_factory.mktemp('sibelius') / 'tree')
    shutil.copytree(golden('6_features/bach10rwc_db'), folder)
    make_inputs(golden_json('6_features/bach10_sibelius_shifts.json')['input_files'], folder, length=30000)
    return folder


def constant_model(path, bias=(1, 2, 3, 4)):
    """A bare model of the compact network whose masks are the same everywhere: bias / sum(bias)."""
    params = [np.zeros(shape, np.float32) for shape in architecture.BACH10_COMPACT.param_shapes()]
    params[-1][:] = bias
    os.makedirs(os.path.dirname(str(path)), exist_ok=True)
    pickles.dump_arrays(str(path), params)
    return str(path)


def assert_shares(paths, mixture, shares=(.1, .2, .3, .4)):
    for path, share in zip(paths, shares):
        stem, rate = audio.read(str(path))
        assert rate == RATE
        np.testing.assert_allclose(stem[:, 0], share * mixture, atol=1e-4, err_msg=str(path))


def sum_of(paths):
    stems = recipe.read_stems(paths)
    return sum(np.pad(stem, (0, max(map(len, stems)) - len(stem))) for stem in stems)


def files_below(folder):
    return sorted(os.path.relpath(os.path.join(place, name), str(folder))
                  for place, _, names in os.walk(str(folder)) for name in names)


# --- separation ---------------------------------------------------------------------------------------

def test_separate_bach10(script, bach10, tmp_path):
    mixtures = [sum_of(recipe.stem_paths(bach10, piece)) for piece in PIECES]
    soundfile.write(str(tmp_path / 'mono.wav'), mixtures[0], RATE, 'DOUBLE')
    soundfile.write(str(tmp_path / 'stereo.flac'), np.stack([mixtures[1], 0 * mixtures[1]], axis=1) / 4, RATE)
    done = succeed(script(SEPARATE, '-i', tmp_path / 'mono.wav', tmp_path / 'stereo.flac', '-o', tmp_path / 'out',
                          '-m', constant_model(tmp_path / 'bare.pkl'), '--subtype', 'float'))
    assert '17 arrays, compact Bach10 network, window blackmanharris, overlap 25' in done.stderr
    names = ['%s_%s.wav' % (name, source) for name in ('mono', 'stereo')
             for source in ('bassoon', 'clarinet', 'saxphone', 'violin')]
    assert done.stdout.split() == [str(tmp_path / 'out' / name) for name in names]
    assert sorted(os.listdir(str(tmp_path / 'out'))) == names
    assert_shares([tmp_path / 'out' / name for name in names[:4]], mixtures[0])
    assert_shares([tmp_path / 'out' / name for name in names[4:]], mixtures[1] / 8)


def test_where_the_network_gives_nothing_the_stems_are_silent(script, bach10, tmp_path):
    source = recipe.stem_paths(bach10, PIECES[0])[0]
    succeed(script('-m', 'examples.bach10.separate_bach10', '-i', source, '-o', tmp_path / 'out',
                   '-m', constant_model(tmp_path / 'm.pkl', (0, 0, 0, 0)), '--quiet'))
    names = os.listdir(str(tmp_path / 'out'))
    assert len(names) == 4 and not any(audio.read(str(tmp_path / 'out' / name))[0].any() for name in names)


@pytest.mark.parametrize('arrays, message', [
    (architecture.DSD100.param_shapes(), 'holds 15 arrays of the DSD100 network; separate_bach10.py needs 17 (Bach10 '
                                         'network) or 17 (compact Bach10 network): use '
                                         'examples/dsd100/separate_dsd.py'),
    ([(3, 1, 1, 7)] + architecture.BACH10_COMPACT.param_shapes()[1:],
     'holds 17 arrays of an unknown network, first shapes (3, 1, 1, 7), (50,), (50,);'),
])
def test_another_model_is_named(script, bach10, tmp_path, arrays, message):
    pickles.dump_arrays(str(tmp_path / 'm.pkl'), [np.zeros(shape, np.float32) for shape in arrays])
    done = script(SEPARATE, '-i', recipe.stem_paths(bach10, PIECES[0])[0], '-o', tmp_path / 'out', '-m',
                  tmp_path / 'm.pkl')
    assert done.returncode == 1 and message in done.stderr and not (tmp_path / 'out').exists()


# --- training -----------------------------------------------------------------------------------------

def test_only_separating(script, bach10, sibelius, tmp_path):
    """--skip 1 with a model that is there: Bach10 by the sums of its stems, and Bach10 Sibelius in three tempi."""
    constant_model(tmp_path / 'models' / 'model_CNNrwc_original.pkl')
    done = succeed(script(FOLDER + 'trainCNNrwc.py', '--db', bach10, '--dbs', sibelius, '--output', tmp_path,
                          '--skip', 1, '--gt', 0, '--quiet'))
    assert '--gt has no effect in this script' in done.stderr
    written = ['CNNrwc_original/%s-%s.wav' % (piece, source) for piece in PIECES for source in recipe.SOURCES]
    rendered = ['CNNrwc_original_original/%s_%s_%s.wav' % (PIECES[0], style, source)
                for style in ('fast', 'slow', 'original') for source in recipe.INSTRUMENTS]
    assert files_below(tmp_path / 'output') == sorted(written + rendered)
    for number, piece in enumerate(PIECES):
        assert_shares([tmp_path / 'output' / name for name in written[4 * number:4 * number + 4]],
                      sum_of(recipe.stem_paths(bach10, piece)))
    for number, style in enumerate(('fast', 'slow', 'original')):
        assert_shares([tmp_path / 'output' / name for name in rendered[4 * number:4 * number + 4]],
                      sum_of(recipe.sibelius_paths(sibelius, PIECES[0], style)))


def test_only_separating_is_not_for_another_network(script, bach10, tmp_path):
    constant_model(tmp_path / 'models' / 'model_CNNbach10.pkl')
    done = script(FOLDER + 'trainCNNbach10.py', '--db', bach10, '--output', tmp_path, '--skip_train', '--network',
                  'compact', '--bottleneck', 64, '--seed', 3, '--nepochs', 2)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 3
    assert '--skip_train only separates: --nepochs, --seed are of no effect' in done.stderr
    assert '--network asks for another network than the compact Bach10 network, which' in done.stderr


def test_a_data_set_with_percent_signs_in_its_path(bach10, sibelius, tmp_path):
    os.symlink(bach10, str(tmp_path / '50%d %s'))
    paths = recipe.stem_paths(str(tmp_path / '50%d %s'), PIECES[0])
    assert len(paths) == 4 and all(map(os.path.isfile, paths))
    os.symlink(sibelius, str(tmp_path / '%%'))
    assert all(map(os.path.isfile, recipe.sibelius_paths(str(tmp_path / '%%'), PIECES[0], 'fast')))


@pytest.mark.parametrize('args, scale', [([], .2), (['--scale_factor_test', '0.25'], .25)])
def test_scale_of_the_test_songs(monkeypatch, bach10, tmp_path, args, scale):
    constant_model(tmp_path / 'models' / 'model_CNNbach10.pkl')
    seen = []
    monkeypatch.setattr('deepconvsep.separation.separator.Separator',
                        lambda network, params, settings, *more: seen.append(settings))
    monkeypatch.setattr('deepconvsep.separation.sound.separate_file', lambda *args, **more: None)
    assert trainCNNbach10.main(['--db', bach10, '--output', str(tmp_path), '--skip', '1'] + args) == 0
    assert seen == [dataclasses.replace(recipe.SETTINGS, scale_factor=scale)]


def test_oracle(script, bach10, tmp_path):
    """From sound files to a model; what it separates after training is what separate_bach10 separates."""
    succeed(script(FOLDER + 'compute_features_bach10.py', '--db', bach10, '--dtype', 'float32', '--quiet'))
    command = [FOLDER + 'trainCNNbach10.py', '--db', bach10, '--output', tmp_path, '--validation', .5] + SMALL
    done = succeed(script(*command, '--scale_factor_test', .3))
    assert 'held out: 0' in done.stderr and 'compact Bach10 network: 13 windows of 30 frames in 1 files' in done.stderr
    assert re.search(r'epoch 1/1: loss \S+ \(bassoon \S+, clarinet \S+, saxphone \S+, violin \S+\), held out',
                     done.stderr)
    assert files_below(tmp_path) == sorted(
        ['models/' + name for name in ('checkpoint_CNNbach10.npz', 'log_CNNbach10.csv', 'loss_CNNbach10.data',
                                       'loss_CNNbach10.png', 'model_CNNbach10.json', 'model_CNNbach10.pkl')]
        + ['output/CNNbach10/%s-%s.wav' % (piece, source) for piece in PIECES for source in recipe.SOURCES])
    trained = tmp_path / 'models' / 'model_CNNbach10.pkl'
    loaded = store.load(str(trained), recipe.NETWORKS, 'this test')
    assert loaded.network == architecture.BACH10_COMPACT and loaded.settings == recipe.SETTINGS

    soundfile.write(str(tmp_path / 'mix.wav'), sum_of(recipe.stem_paths(bach10, PIECES[0])), RATE, 'DOUBLE')
    succeed(script(SEPARATE, '-i', tmp_path / 'mix.wav', '-o', tmp_path / 'out', '-m', trained))
    for source in recipe.SOURCES:
        ours, _ = soundfile.read(str(tmp_path / 'output' / 'CNNbach10' / ('%s-%s.wav' % (PIECES[0], source))),
                                 dtype='int16')
        theirs, _ = soundfile.read(str(tmp_path / 'out' / ('mix_%s.wav' % source)), dtype='int16')
        assert ours.any() and len(ours) == RATE and np.abs(ours.astype(int) - theirs).max() <= 1

    again = script(*command)
    assert again.returncode == 1 and 'checkpoint_CNNbach10.npz exists: give --resume' in again.stderr


def test_sibelius(script, bach10, sibelius, tmp_path):
    succeed(script(FOLDER + 'compute_features_bach10sibelius.py', '--db', sibelius, '--dtype', 'float32', '--quiet'))
    done = succeed(script('-m', 'examples.bach10.trainCNNSibelius', '--db', bach10, '--dbs', sibelius,
                          '--output', tmp_path, '--gt', 1, *SMALL))
    assert 'compact Bach10 network: 8 windows of 30 frames in 1 files, 2 batches of 4 an epoch, seed 0' in done.stderr
    produced = files_below(tmp_path / 'output')
    assert len(produced) == 8 + 12 and 'CNNsibelius_gt/02-Other-saxphone.wav' in produced
    assert 'CNNsibelius_gt_original/01-AchGottundHerr_slow_saxophone.wav' in produced
    assert os.path.exists(str(tmp_path / 'models' / 'model_CNNsibelius_gt.pkl'))


def test_rwc_from_a_model_that_is_there(script, bach10, golden, golden_json, tmp_path):
    bank, features = str(tmp_path / 'bank'), tmp_path / 'features'
    make_bank(golden_json('6_features/bach10rwc_tree.json')['files'], bank)
    succeed(script(FOLDER + 'compute_features_bach10rwc.py', '--db', golden('6_features/bach10rwc_db'), '--rwc', bank,
                   '--sample_size', 4, '--chunk_size', 2, '--original', 0, '--feature_path', features, '--nprocs', 1))
    constant_model(tmp_path / 'out' / 'models' / 'model_CNNrwc_gt.pkl')
    done = succeed(script(FOLDER + 'trainCNNrwc.py', '--db', bach10, '--feature_path', features, '--nsamples', 2,
                          '--output', tmp_path / 'out', '--original', 0, '--overlap', 10, '--load', 1, *SMALL))
    assert 'of 30 frames in 2 files' in done.stderr
    assert files_below(tmp_path / 'out' / 'output') == sorted(
        'CNNrwc_gt/%s-%s.wav' % (piece, source) for piece in PIECES for source in recipe.SOURCES)
    trained = store.load(str(tmp_path / 'out' / 'models' / 'model_CNNrwc_gt.pkl'), recipe.NETWORKS, 'this test')
    assert trained.settings == dataclasses.replace(recipe.SETTINGS, overlap=10)
    # the model that was there had nothing but the last biases
    assert not any(param.any() for param in trained.params[:6])
    np.testing.assert_allclose(trained.params[-1], [1, 2, 3, 4], atol=.1)
    assert (trained.params[-1] != [1, 2, 3, 4]).all()


@pytest.mark.parametrize('module, args, name, epochs, folders', [
    (trainCNNbach10, [], 'CNNbach10', 20, ['DB/transforms/t3']),
    (trainCNNbach10, ['--original', '0', '--feature_path', 'x'], 'CNNbach10', 20, ['x']),
    (trainCNNSibelius, [], 'CNNsibelius_gt', 40, ['DBS/transforms/t3_synth_aug_more/gt']),
    (trainCNNSibelius, ['--gt', '0'], 'CNNsibelius_original', 40,
     ['DBS/transforms/t3_synth_aug_more/' + style for style in ('fast', 'slow', 'original')]),
    (trainCNNrwc, [], 'CNNrwc_original', 20, ['DBS/transforms/t3_rwc/%s/original' % piece for piece in PIECES]),
    (trainCNNrwc, ['--original', '0', '--model', 'm'], 'm_gt', 20,
     ['DBS/transforms/t3_rwc/%s/gt' % piece for piece in PIECES]),
])
def test_names_epochs_and_folders(monkeypatch, tmp_path, module, args, name, epochs, folders):
    for piece in PIECES:
        (tmp_path / 'dbs' / 'transforms' / 't3_rwc' / piece).mkdir(parents=True)
    seen = []
    monkeypatch.setattr('deepconvsep.training.program.run', lambda flags, *rest, **at_test: seen.append((flags, rest,
                                                                                                         at_test)))
    module.main(['--db', 'DB', '--dbs', str(tmp_path / 'dbs')] + args)
    [(flags, (used, paths), at_test)] = seen
    assert used is recipe.RECIPE and at_test == {'scale_factor': .2}
    assert [path.replace(str(tmp_path / 'dbs'), 'DBS') for path in paths] == folders
    assert (flags.model, flags.nepochs, flags.time_context, flags.overlap) == (name, epochs, 30, 25)
    assert (flags.batch_size, flags.batch_memory, flags.scale_factor, flags.skip_train) == (32, 200, .3, False)
    assert recipe.network(flags) == architecture.BACH10
    flags.network, flags.time_context = 'compact', 20
    assert recipe.network(flags).kernel == (10, 1) and recipe.network(flags).hidden == 128
    flags.bottleneck = 300
    assert recipe.network(flags).hidden == 300


@pytest.mark.parametrize('name, args, code, message', [
    ('bach10', [], 2, 'the following arguments are required: --db'),
    ('bach10', ['--db', 'DB', '--network', 'large'], 2, "invalid choice: 'large'"),
    ('bach10', ['--db', 'DB', '--scale_factor_test', '0'], 2, "got '0', expected a number above 0"),
    ('bach10', ['--db', 'DB', '--time_context', '1', '--overlap', '0'], 2, '1 is too short for the Bach10'),
    ('bach10', ['--db', 'none'], 1, 'the dataset none is not a folder that can be read'),
    ('bach10', ['--db', 'DB', '--feature_path', 'none'], 1, 'there is no folder of features none: compute them first'),
    ('bach10', ['--db', 'DB', '--dbs', 'DB'], 1, 'there is no '),
    ('Sibelius', ['--db', 'DB'], 2, 'the features are in <dbs>/transforms/t3_synth_aug_more: give --dbs, or'),
    ('Sibelius', ['--db', 'DB', '--dbs', 'none'], 1, '--dbs none is not a folder, expected that of Bach10 Sibelius'),
    ('Sibelius', ['--db', 'DB', '--dbs', 'DBS', '--gt', '2'], 2, "got '2', expected 0 or 1"),
    ('rwc', ['--db', 'DB', '--dbs', 'DBS', '--feature_path', 'none'], 1, 'cannot read the folder none'),
    ('rwc', ['--db', 'DB', '--dbs', 'DBS', '--skip', '1'], 1, 'cannot read the model DB'),
    ('rwc', ['--db', 'DB', '--skip', '1', '--model', 'a/b'], 2, "expected a name without folders"),
])
def test_mistakes_are_one_line_and_never_reach_theano(script, bach10, sibelius, tmp_path, name, args, code, message):
    (tmp_path / 'blocked').mkdir()
    (tmp_path / 'blocked' / 'theano.py').write_text('raise SystemExit("theano was imported")')
    args = [{'DB': bach10, 'DBS': sibelius}.get(arg, arg) for arg in args]
    done = script(FOLDER + 'trainCNN%s.py' % name, *args, env={'PYTHONPATH': str(tmp_path / 'blocked')})
    assert done.returncode == code and message.replace('DB', bach10) in done.stderr, done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize('name', ['separate_bach10', 'trainCNNbach10', 'trainCNNSibelius', 'trainCNNrwc'])
def test_help_without_theano(script, tmp_path, name):
    (tmp_path / 'theano.py').write_text('raise SystemExit("theano was imported")')
    done = script(FOLDER + name + '.py', '--help', env={'PYTHONPATH': str(tmp_path)})
    assert done.returncode == 0 and '--batch_size' in done.stdout and done.stderr == ''


# --- the published network ----------------------------------------------------------------------------

@pytest.mark.skipif(os.environ.get('DEEPCONVSEP_LARGE') != '1',
                    reason='writes a model of 856 MB and needs 3 GB of memory; set DEEPCONVSEP_LARGE=1')
def test_memory_of_the_published_network(tmp_path):
    """Separating with 214 million parameters, drawn at random: in memory twice while it is built, then once."""
    generator, params = np.random.default_rng(0), []
    for shape in architecture.BACH10.param_shapes():
        params.append(generator.standard_normal(shape, dtype=np.float32) * np.float32(.01))
    params[-1][:] = 100  # all outputs are positive: the masks sum to 1
    size = sum(param.nbytes for param in params) / 2 ** 20
    pickles.dump_arrays(str(tmp_path / 'm.pkl'), params)
    mixture = generator.uniform(-.3, .3, 3 * RATE)
    soundfile.write(str(tmp_path / 'mix.wav'), mixture, RATE)
    program = ('import resource, runpy, sys\nsys.argv = sys.argv[1:]\n'
               'try:\n    runpy.run_path(sys.argv[0], run_name="__main__")\n'
               'except SystemExit as stop:\n    assert not stop.code\n'
               'print("peak", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n')
    done = subprocess.run([sys.executable, '-c', program, os.path.join(ROOT, SEPARATE), '-i', str(tmp_path / 'mix.wav'),
                           '-o', str(tmp_path / 'out'), '-m', str(tmp_path / 'm.pkl')],
                          capture_output=True, text=True)
    os.unlink(str(tmp_path / 'm.pkl'))
    assert done.returncode == 0, done.stderr
    assert '17 arrays, Bach10 network' in done.stderr
    total = sum(audio.read(str(tmp_path / 'out' / name))[0][:, 0] for name in os.listdir(str(tmp_path / 'out')))
    np.testing.assert_allclose(total, mixture, atol=2e-4)
    peak = int(done.stdout.split()[-1]) / 1024
    print('model %.0f MiB, peak %.0f MiB' % (size, peak))
    assert peak < 3 * size
