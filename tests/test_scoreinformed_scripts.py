"""Score-informed training and separation as a user runs them, from open data to stems; and what is wrong is named."""
import dataclasses
import json
import os
import pickle
import re
import shutil

import numpy as np
import pytest
import soundfile

from deepconvsep import audio
from deepconvsep.errors import InputError
from deepconvsep.formats import pickles
from deepconvsep.models import store
from deepconvsep.network import architecture
from deepconvsep.score import write_score
from examples.bach10 import recipe as data
from examples.bach10 import soundfonts
from examples.bach10_scoreinformed import recipe

FOLDER = 'examples/bach10_scoreinformed/'
SEPARATE = FOLDER + 'separate_bach10.py'
PIECES = ('01-AchGottundHerr', '02-AchLiebenChristen')
BANK = 'timgm6mb'
RATE = 44100


def succeed(done):
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope='module')
def trees(tmp_path_factory):
    """Open data: two beginnings of pieces of Bach10, one of another chorale, samples; and mixtures of the pieces."""
    for module in ('music21', 'mido'):
        pytest.importorskip(module, reason='%s is not installed (requirements/scores.txt)' % module)
    try:
        soundfonts.check([BANK])
    except InputError as error:
        pytest.skip(str(error))
    from examples.bach10 import synthesize
    root = tmp_path_factory.mktemp('open')
    common = ['--banks', BANK, '--quiet', '--nprocs', '2']
    for args in (['bach10', '--number', '2', '--beats', '20'],
                 ['sibelius', '--chorales', 'training', '--number', '1', '--beats', '8'],
                 ['rwc', '--note_seconds', '1']):
        assert synthesize.main(args + ['--out', str(root / args[0])] + common) == 0
    (root / 'mixtures').mkdir()
    for piece in PIECES:
        stems = data.read_stems(data.stem_paths(str(root / 'bach10'), piece))
        soundfile.write(str(root / 'mixtures' / (piece + '.wav')), sum(stems), RATE, 'DOUBLE')
    return root


def mixture_of(trees, piece):
    return soundfile.read(str(trees / 'mixtures' / (piece + '.wav')))[0]


def quality(trees, folder, pattern, piece):
    """Mean signal-to-distortion ratio of the stems in dB, plain: everything that differs is distortion."""
    values = []
    for source, true in zip(data.SOURCES, data.read_stems(data.stem_paths(str(trees / 'bach10'), piece))):
        found = soundfile.read(os.path.join(str(folder), pattern % (piece, source)))[0]
        assert len(found) == len(true)
        values.append(10 * np.log10((true ** 2).sum() / ((found - true) ** 2).sum()))
    return np.mean(values)


@pytest.fixture(scope='module')
def trained(trees, tmp_path_factory):
    """The compact network after a few epochs on one piece: features, training, separation of Bach10, as
    subprocesses."""
    import subprocess
    import sys

    from conftest import ROOT
    out = tmp_path_factory.mktemp('trained')

    def run(name, *args):
        done = subprocess.run([sys.executable, os.path.join(ROOT, FOLDER + name + '.py')] + [str(arg) for arg in args],
                              cwd=str(out), capture_output=True, text=True)
        return succeed(done)
    run('compute_features_bach10rwc', '--db', trees / 'sibelius', '--rwc', trees / 'rwc', '--sample_size', 4,
        '--original',
        0, '--dtype', 'float32', '--feature_path', out / 'features', '--quiet')
    done = run('trainCNNrwc', '--db', trees / 'bach10', '--feature_path', out / 'features', '--output', out,
               '--network',
               'compact', '--nepochs', 5, '--overlap', 20, '--batch_size', 16, '--quiet')
    return out, done


def test_the_whole_chain(trees, trained):
    out, done = trained
    assert 'compact score-informed Bach10 network' in done.stderr and 'epoch 6/6: loss' in done.stderr
    assert re.search(r'going on with adam from epoch \d', done.stderr)
    loaded = store.load(str(out / 'models' / 'model_CNNrwc_se1_gt.pkl'), recipe.NETWORKS, 'this test')
    assert loaded.network == architecture.SCOREINFORMED_COMPACT
    assert loaded.settings == dataclasses.replace(recipe.SETTINGS, overlap=20)
    assert loaded.settings.score.legacy is False and loaded.training['optimizer'] == 'adadelta, then adam'
    for piece in PIECES:
        found = quality(trees, out / 'output' / 'CNNrwc_se1_gt', '%s-%s.wav', piece)
        mixture = mixture_of(trees, piece)
        untouched = np.mean([10 * np.log10((true ** 2).sum() / ((mixture - true) ** 2).sum())
                             for true in data.read_stems(data.stem_paths(str(trees / 'bach10'), piece))])
        assert found > untouched + 4, 'nothing was separated'
    assert 'does not match' not in done.stderr


def test_aligned_coarse_and_wrong_scores(script, trees, trained, tmp_path):
    """The score decides what is separated; a score of another piece is told, one that is aligned a little worse is
    not."""
    piece, other = PIECES
    flags = ['-i', trees / 'mixtures' / (piece + '.wav'), '-m', trained[0] / 'models' / 'model_CNNrwc_se1_gt.pkl',
             '--quiet']
    found = {}
    for name, more in {'aligned': ['--scores', trees / 'bach10', '--score_ending', '_g'],
                       'coarse': ['--scores', trees / 'bach10' / piece],
                       'wrong': ['--scores', trees / 'bach10' / other]}.items():
        done = succeed(script(SEPARATE, *flags, '-o', tmp_path / name, *more))
        assert done.stdout.split() == [str(tmp_path / name / ('%s_%s.wav' % (piece,
                                                                             source))) for source in data.SOURCES]
        assert ('the score does not match the sound' in done.stderr) == (name == 'wrong'), done.stderr
        found[name] = quality(trees, tmp_path / name, '%s_%s.wav', piece)
    # after a few epochs on a few seconds the stems are poor, but they follow the score
    assert min(found['aligned'], found['coarse']) > found['wrong'] + .5, found


def test_scores_beside_the_input_and_in_other_formats(script, trees, trained, tmp_path):
    """MIDI, and the default folder: the same stems as with the text score."""
    import music21
    piece = PIECES[0]
    shutil.copy(str(trees / 'mixtures' / (piece + '.wav')), str(tmp_path / 'x.wav'))
    for name in data.INSTRUMENTS:
        notes = data.read_scores(str(trees / 'bach10' / piece), '_g')[data.INSTRUMENTS.index(name)]
        if name == 'violin':
            stream = music21.stream.Stream([music21.tempo.MetronomeMark(number=60)])
            for onset, offset, midi in notes:
                note = music21.note.Note(midi)
                note.quarterLength = round((offset - onset) * 480) / 480  # at 60 a minute a quarter is a second
                stream.insert(round(onset * 480) / 480, note)
            stream.write('midi', str(tmp_path / 'violin_b.mid'))
        else:
            write_score(str(tmp_path / (name + '_b.txt')), notes)
    done = succeed(script('-m', 'examples.bach10_sourceseparation.separate_bach10', '-i', tmp_path / 'x.wav', '-o',
                          tmp_path / 'out', '-m', trained[0] / 'models' / 'model_CNNrwc_se1_gt.pkl', '--quiet'))
    assert 'does not match' not in done.stderr
    shutil.copytree(str(tmp_path / 'out'), str(tmp_path / 'stems'))
    for source in data.SOURCES:
        os.rename(str(tmp_path / 'stems' / ('x_%s.wav' % source)), str(tmp_path / 'stems' / ('%s_%s.wav' % (piece,
                                                                                                            source))))
    expected = quality(trees, trained[0] / 'output' / 'CNNrwc_se1_gt', '%s-%s.wav', piece)
    assert abs(quality(trees, tmp_path / 'stems', '%s_%s.wav', piece) - expected) < 1


def test_missing_scores_are_named_before_any_work(script, trees, trained, tmp_path):
    (tmp_path / 'blocked').mkdir()
    (tmp_path / 'blocked' / 'theano.py').write_text('raise SystemExit("theano was imported")')
    done = script(SEPARATE, '-i', trees / 'mixtures' / (PIECES[0] + '.wav'), '-o', tmp_path / 'out', '-m',
                  trained[0] / 'models' / 'model_CNNrwc_se1_gt.pkl', env={'PYTHONPATH': str(tmp_path / 'blocked')})
    assert done.returncode == 1
    assert 'there is no score %s (nor .csv, .mid' % (trees / 'mixtures' / 'bassoon_b.txt') in done.stderr
    assert 'or give its folder with --scores' in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_timbre_model_goes_with_its_model(script, trees, trained, tmp_path):
    """Training and separating with one; the name of the model tells; without it, or with another, there is an error."""
    strength = np.random.RandomState(0).uniform(.1, 1, size=(4, 128, 20))
    for name, value in {'timbre': strength, 'another': 2 * strength}.items():
        with open(str(tmp_path / (name + '.pkl')), 'wb') as out:
            pickle.dump(value, out, protocol=2)
    done = succeed(script(FOLDER + 'trainCNNrwc_samp.py', '--db', trees / 'bach10', '--feature_path',
                          trained[0] / 'features', '--output', tmp_path, '--network', 'compact', '--nepochs', 2,
                          '--overlap', 0, '--batch_size', 4, '--nsamples', 1, '--quiet', '--timbre_model_path',
                          tmp_path / 'timbre.pkl', '--skip_sep'))
    assert 'epoch 2/2: loss' in done.stderr and 'adam' not in done.stderr
    weights = str(tmp_path / 'models' / 'model_CNNrwc_se1_samp_gt_tm.pkl')
    command = [SEPARATE, '-i', trees / 'mixtures' / (PIECES[0] + '.wav'), '--scores', trees / 'bach10', '-m', weights,
               '--quiet', '-o', tmp_path / 'out']
    for more in ([], ['--timbre_model_path', tmp_path / 'another.pkl']):
        done = script(*command, *more)
        assert done.returncode == 1 and 'the model was trained with a timbre model (SHA-256 ' in done.stderr
    succeed(script(*command, '--timbre_model_path', tmp_path / 'timbre.pkl'))
    command[command.index(weights)] = trained[0] / 'models' / 'model_CNNrwc_se1_gt.pkl'
    done = script(*command, '--overwrite', '--timbre_model_path', tmp_path / 'timbre.pkl')
    assert done.returncode == 1 and 'the model was trained without a timbre model: leave out' in done.stderr


def test_trained_on_pieces_as_they_are_and_confined(script, trees, tmp_path):
    """The features of Bach10's own script; the score's masks are a part of the training, and of the model."""
    succeed(script(FOLDER + 'compute_features_bach10.py', '--db', trees / 'bach10', '--feature_path', tmp_path / 'f',
                   '--dtype', 'float32', '--quiet'))
    losses = {}
    for more in (('--bottleneck', 96), ('--confine',)):
        done = succeed(script(FOLDER + 'trainCNNrwc.py', '--db', trees / 'bach10', '--feature_path', tmp_path / 'f',
                              '--output', tmp_path / 'out', '--network', 'compact', '--nepochs', 0, '--nepochs_adam', 2,
                              '--learning_rate', .0005, '--overlap', 0, '--batch_size', 4, '--output_bias', .1,
                              '--skip_sep', '--overwrite', *more, '--quiet'))
        loaded = store.load(str(tmp_path / 'out' / 'models' / 'model_CNNrwc_se1.pkl'), recipe.NETWORKS, 'this test')
        confined = '--confine' in more
        assert loaded.settings.score.confine == confined and loaded.training['optimizer'] == 'adam'
        assert loaded.network.hidden == (128 if confined else 96)
        assert 'going on with adam' not in done.stderr
        losses[confined] = [float(value) for value in re.findall(r'loss (\S+) ', done.stderr)]
    other = script(FOLDER + 'trainCNNrwc.py', '--db', trees / 'bach10', '--feature_path', tmp_path / 'f', '--output',
                   tmp_path / 'out', '--network', 'compact', '--bottleneck', 96, '--load', 1, '--skip_sep')
    assert other.returncode == 2 and 'give the --time_context and --bottleneck that it was trained with' in other.stderr
    # from the first step on the score leaves less to learn
    assert len(losses[True]) == 2 and losses[True][0] < .8 * losses[False][0], losses


def test_the_harmonic_network_from_notes_to_stems(script, trees, tmp_path):
    """Trained on what it separates: by both engines the same stems, and a better score makes no worse ones."""
    succeed(script(FOLDER + 'compute_features_bach10.py', '--db', trees / 'bach10', '--feature_path', tmp_path / 'f',
                   '--dtype', 'float32', '--quiet'))
    done = succeed(script(FOLDER + 'trainCNNrwc.py', '--db', trees / 'bach10', '--feature_path', tmp_path / 'f',
                          '--output', tmp_path, '--network', 'harmonic', '--nepochs', 0, '--nepochs_adam', 10,
                          '--time_context', 40, '--overlap', 20, '--batch_size', 2, '--bottleneck', 16, '--quiet'))
    losses = [float(value) for value in re.findall(r'loss (\S+) ', done.stderr)]
    assert len(losses) == 10 and losses[-1] < .8 * losses[0], losses
    loaded = store.load(str(tmp_path / 'models' / 'model_CNNrwc_se1.pkl'), recipe.NETWORKS, 'this test')
    assert loaded.network == dataclasses.replace(architecture.SCOREINFORMED_HARMONIC, time_context=40, hidden=16)
    assert loaded.settings.score.notes and not loaded.settings.score.confine
    piece = PIECES[0]
    mixture = mixture_of(trees, piece)
    untouched = np.mean([10 * np.log10((true ** 2).sum() / ((mixture - true) ** 2).sum())
                         for true in data.read_stems(data.stem_paths(str(trees / 'bach10'), piece))])
    assert quality(trees, tmp_path / 'output' / 'CNNrwc_se1', '%s-%s.wav', piece) > untouched + 6
    found = {}
    for engine in ('theano', 'numpy'):
        succeed(script(SEPARATE, '-i', trees / 'mixtures' / (piece + '.wav'), '-o', tmp_path / engine, '-m',
                       loaded.path, '--scores', trees / 'bach10', '--engine', engine, '--quiet'))
        found[engine] = [soundfile.read(str(tmp_path / engine / ('%s_%s.wav' % (piece, source))))[0]
                         for source in data.SOURCES]
    np.testing.assert_allclose(found['theano'], found['numpy'], atol=1e-4)


def test_features_of_the_original_are_trained_on(script, trees, trained, tmp_path):
    """They have no records, and their notes are as those of the published models; where only the notes' record is
    missing, the features are not the original's."""
    features = tmp_path / 'features'
    shutil.copytree(trained[0] / 'features', features)
    (features / recipe.NOTES_FILE).unlink()

    def train():
        return script(FOLDER + 'trainCNNrwc.py', '--db', trees / 'bach10', '--feature_path', features, '--output',
                      tmp_path, '--network', 'compact', '--nepochs', 1, '--nepochs_adam', 0, '--overlap', 20,
                      '--batch_size', 16, '--skip_sep', '--quiet')
    refused = train()
    assert refused.returncode == 1 and 'there is no %s' % (features / recipe.NOTES_FILE) in refused.stderr
    for path in features.rglob('*.json'):
        path.unlink()
    assert ('there is no %s: the notes are taken for those of the original, widened by 0.2 s'
            % (features / recipe.NOTES_FILE)) in succeed(train()).stderr
    loaded = store.load(str(tmp_path / 'models' / 'model_CNNrwc_se1_gt.pkl'), recipe.NETWORKS, 'this test')
    assert loaded.settings.score == recipe.LEGACY_SETTINGS.score


def test_without_training_the_model_that_is_there_is_taken(script, trees, trained, tmp_path):
    """Of the timing that its features had, which are gone."""
    for end in ('.pkl', '.json'):
        (tmp_path / 'models').mkdir(exist_ok=True)
        shutil.copy(str(trained[0] / 'models' / ('model_CNNrwc_se1_gt' + end)),
                    str(tmp_path / 'models' / ('model_CNNrwc_se1_original' + end)))
    succeed(script(FOLDER + 'trainCNNrwc.py', '--db', trees / 'bach10', '--output', tmp_path, '--network', 'compact',
                   '--skip_train', '--quiet'))
    assert os.listdir(str(tmp_path / 'output')) == ['CNNrwc_se1_original']


# --- models -------------------------------------------------------------------------------------------

def bare(path, network):
    """A model without settings, as the original's: zeros but for the last biases."""
    params = [np.zeros(shape, np.float32) for shape in network.param_shapes()]
    params[-1][:] = np.arange(1, len(params[-1]) + 1)
    pickles.dump_arrays(str(path), params)
    return str(path)


def test_models_are_told_apart(tmp_path):
    for network, count in {architecture.SCOREINFORMED_1X1: 22, architecture.SCOREINFORMED_1X1_FOUR_BRANCHES: 22,
                           architecture.SCOREINFORMED_COMPACT: 17}.items():
        loaded = store.load(bare(tmp_path / 'm.pkl', network), recipe.NETWORKS, 'this test')
        assert loaded.network == network and len(loaded.params) == count and loaded.settings is None
    sizes = {network.name: (len(network.param_shapes()), network.param_shapes()[-1]) for network in recipe.NETWORKS[:3]}
    assert list(sizes.values()) == [(17, (4,)), (17, (16,)), (11, (4,))]
    assert architecture.identify(architecture.SCOREINFORMED.param_shapes()) is architecture.SCOREINFORMED
    with pytest.raises(InputError, match='holds 17 arrays of the compact Bach10 network; x needs .*: use '
                                         'examples/bach10/'):
        store.load(bare(tmp_path / 'm.pkl', architecture.BACH10_COMPACT), recipe.NETWORKS, 'x')
    with pytest.raises(InputError, match=': use examples/bach10_scoreinformed/separate_bach10.py'):
        store.load(bare(tmp_path / 'm.pkl', architecture.SCOREINFORMED_1X1), data.NETWORKS, 'x')


def test_a_published_layout_separates_with_legacy_notes(script, trees, tmp_path):
    """A bare model of 22 arrays whose masks are 0.1, 0.2, 0.3, 0.4 everywhere."""
    sound = mixture_of(trees, PIECES[0])[:RATE]
    soundfile.write(str(tmp_path / 'x.wav'), sound, RATE, 'DOUBLE')
    done = succeed(script(SEPARATE, '-i', tmp_path / 'x.wav', '-o', tmp_path, '--scores', trees / 'bach10' / PIECES[0],
                          '-m', bare(tmp_path / 'm.pkl', architecture.SCOREINFORMED_1X1), '--subtype', 'float',
                          '--batch_size', 1, '--overlap', 0))
    assert '22 arrays, score-informed Bach10 network of convolutions, recorded' in done.stderr
    for source, share in zip(data.SOURCES, (.1, .2, .3, .4)):
        found = audio.read(str(tmp_path / ('x_%s.wav' % source)))[0][:, 0]
        np.testing.assert_allclose(found, share * sound, atol=1e-4)
    assert recipe.LEGACY_SETTINGS.score.legacy


def test_methods_are_scored_under_the_same_names(script, trees, tmp_path):
    done = succeed(script('tools/benchmarks/chorales.py', '--db', trees / 'bach10', '--out', tmp_path, '--methods',
                          'nmf'))
    for piece in PIECES:
        assert quality(trees, tmp_path / 'output' / 'nmf', '%s-%s.wav', piece) > 3
    scores = json.loads((tmp_path / 'chorales.json').read_text())
    assert set(scores) == {'nmf'} and scores['nmf']['pieces'] == len(PIECES)
    assert scores['nmf']['mean SDR'][0] == pytest.approx(
        np.mean([scores['nmf'][source]['SDR'][0] for source in data.SOURCES]), abs=0.02)
    assert '| %.1f ± %.1f |' % tuple(scores['nmf']['mean SDR']) in done.stdout


@pytest.mark.parametrize('method', ['nmf', 'network+nmf'])
def test_methods(script, trees, tmp_path, method):
    """A right score, and another piece's; what is written has the rate and the length of the input."""
    mixture = trees / 'mixtures' / (PIECES[0] + '.wav')
    found = {}
    for name, piece in (('right', PIECES[0]), ('wrong', PIECES[1])):
        done = succeed(script(FOLDER + 'separate_bach10.py', '-i', mixture, '-o', tmp_path / name, '--scores',
                              trees / 'bach10' / piece, '--method', method))
        assert len(done.stdout.splitlines()) == 4
        found[name] = quality(trees, tmp_path / name, '%s_%s.wav', PIECES[0])
    assert found['right'] > 3 and found['wrong'] < 1
    assert soundfile.info(str(tmp_path / 'right' / (PIECES[0] + '_violin.wav'))).frames == soundfile.info(
        str(mixture)).frames


def test_figure(script, trees, tmp_path):
    done = succeed(script('plots/score_alignment.py', '--mixture', trees / 'mixtures' / (PIECES[0] + '.wav'),
                          '--scores',
                          trees / 'bach10', '--output', tmp_path, '--format', 'png', '--seconds', 4))
    path = tmp_path / ('score_alignment_%s.png' % PIECES[0])
    assert done.stdout.split() == [str(path)] and path.stat().st_size > 20000 and 'does not match' not in done.stderr
    done = succeed(script('plots/score_alignment.py', '--mixture', *data.stem_paths(str(trees / 'bach10'), PIECES[0]),
                          '--scores', trees / 'bach10' / PIECES[1], '--output', tmp_path, '--format', 'png'))
    assert 'the score does not match the sound' in done.stderr
    done = script('plots/score_alignment.py', '--mixture', trees / 'mixtures' / (PIECES[0] + '.wav'), '--scores',
                  trees / 'bach10', '--start', 100)
    assert done.returncode == 1 and 'expected more than --start 100' in done.stderr
