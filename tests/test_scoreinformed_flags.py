"""What the flags of score-informed training mean: names, networks, phases; and mistakes, by message."""
import dataclasses

import pytest

from deepconvsep.network import architecture
from examples.bach10_scoreinformed import recipe, trainCNNrwc, trainCNNrwc_samp

FOLDER = 'examples/bach10_scoreinformed/'
PIECES = ('01-AchGottundHerr', '02-AchLiebenChristen')


@pytest.mark.parametrize('module, args, name, network, phases', [
    (trainCNNrwc, [], 'CNNrwc_se1_gt', architecture.SCOREINFORMED_FOUR_BRANCHES, [('adadelta', 40), ('adam', 8)]),
    (trainCNNrwc, ['--legacy', '--nepochs', '6'], 'CNNrwc_se1_gt', architecture.SCOREINFORMED,
     [('adadelta', 6), ('adam', 2)]),
    (trainCNNrwc, ['--function', 'build_ca_1x1', '--gt', '0', '--nepochs_adam', '0'], 'CNNrwc_se1_x_original',
     architecture.SCOREINFORMED_1X1_FOUR_BRANCHES, [('adadelta', 40)]),
    (trainCNNrwc, ['--function', 'build_ca_1x1', '--legacy', '--model', 'm'], 'm_x_gt', architecture.SCOREINFORMED_1X1,
     [('adadelta', 40), ('adam', 8)]),
    (trainCNNrwc, ['--network', 'compact'], 'CNNrwc_se1_gt', architecture.SCOREINFORMED_COMPACT,
     [('adadelta', 40), ('adam', 8)]),
    (trainCNNrwc, ['--network', 'compact', '--bottleneck', '9', '--time_context', '60'], 'CNNrwc_se1_gt',
     dataclasses.replace(architecture.SCOREINFORMED_COMPACT, hidden=9, time_context=60, kernel=(30, 1)),
     [('adadelta', 40), ('adam', 8)]),
    (trainCNNrwc, ['--network', 'harmonic', '--bottleneck', '9', '--time_context', '62'], 'CNNrwc_se1_gt',
     dataclasses.replace(architecture.SCOREINFORMED_HARMONIC, hidden=9), [('adadelta', 40), ('adam', 8)]),
    (trainCNNrwc_samp, [], 'CNNrwc_se1_samp_gt', architecture.SCOREINFORMED_FOUR_BRANCHES, [('adadelta', 40)]),
    (trainCNNrwc_samp, ['--legacy'], 'CNNrwc_se1_samp_gt', architecture.SCOREINFORMED_ONE_BRANCH, [('adadelta', 40)]),
])
def test_names_networks_and_phases(monkeypatch, tmp_path, module, args, name, network, phases):
    for style in ('gt', 'original'):
        (tmp_path / PIECES[0] / style).mkdir(parents=True)
    (tmp_path / 'notes.json').write_text(
        '{"tolerance": 0.1, "fermata": 0.5, "nharmonics": 20, "interval": 50.0, "tuning": 440.0, "legacy": true, '
        '"timbre": null}')
    seen = []
    monkeypatch.setattr('deepconvsep.training.program.run', lambda flags, *rest, **at_test: seen.append((flags, rest,
                                                                                                         at_test)))
    module.main(['--db', 'DB', '--feature_path', str(tmp_path)] + args)
    [(flags, (used, paths), at_test)] = seen
    assert used is recipe.RECIPE and at_test == {'scale_factor': .2} and flags.batch_memory == 100
    assert paths == [str(tmp_path / PIECES[0] / ('original' if 'original' in name else 'gt'))]
    assert flags.model == name and recipe.network(flags) == network and recipe.phases(flags) == phases
    assert flags.nsamples == (40 if module is trainCNNrwc_samp else 0)
    score = recipe.settings(flags).score
    assert score.tolerance == .1 and score.legacy  # as the features were made
    assert score.notes == (network.name == architecture.SCOREINFORMED_HARMONIC.name)


def test_the_timing_that_has_notes_is_trained_on(monkeypatch, tmp_path):
    for style in ('gt', 'original'):
        (tmp_path / PIECES[0] / style).mkdir(parents=True)
    (tmp_path / PIECES[0] / 'original' / 'a__e_.data').touch()
    seen = []
    monkeypatch.setattr('deepconvsep.training.program.run', lambda flags, *rest, **at_test: seen.append(flags.model))
    trainCNNrwc.main(['--db', 'DB', '--feature_path', str(tmp_path)])
    assert seen == ['CNNrwc_se1_original']


@pytest.mark.parametrize('there, args, message', [
    (['', '_original'], ['--skip_train'], 'model_CNNrwc_se1.pkl and '),
    (['_gt', '_original'], ['--skip_train'], 'give --gt 0 or 1, or another --model with --skip_train'),
    (['', '_gt'], ['--skip_train', '--gt', '0'], 'cannot read '),
    (['_original'], ['--resume'], 'model_CNNrwc_se1_original.pkl: give --gt 0 to go on with that')])
def test_a_model_of_another_timing_is_not_taken(script, tmp_path, there, args, message):
    for folder in (tmp_path / PIECES[0] / 'gt', tmp_path / 'models'):
        folder.mkdir(parents=True)
    for leaf in ('01-AchGottundHerr-%s.wav' % source for source in recipe.SOURCES):
        (tmp_path / PIECES[0] / leaf).touch()
    for name in there:
        (tmp_path / 'models' / ('model_CNNrwc_se1%s.pkl' % name)).touch()
    done = script(FOLDER + 'trainCNNrwc.py', '--db', tmp_path, '--feature_path', tmp_path, *args)
    assert done.returncode and message in done.stderr and len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize('args, code, message', [
    (['--network', 'compact', '--legacy'], 2, '--network compact has no other form'),
    (['--network', 'harmonic', '--function', 'build_ca_1x1'], 2, '--network harmonic has no other form'),
    (['--network', 'harmonic', '--timbre_model_path', __file__], 2, 'leave out --timbre_model_path'),
    (['--function', 'build_ca_1x1', '--bottleneck', '9'], 2, 'has no bottleneck: leave out --bottleneck'),
    (['--timbre_model_path', 'none'], 1, '--timbre_model_path none: there is no such file'),
    (['--nepochs', '0', '--nepochs_adam', '0'], 2, '--nepochs 0 trains nothing, expected 1 or more'),
    (['--nepochs_adam', '0', '--learning_rate', '1'], 2, '--learning_rate is of Adam: give --nepochs_adam too'),
    (['--gt', '0'], 1, 'has no features of the timing original for every piece'),
    ([], 1, 'there is no FEATURES/notes.json: compute the features with'),
    (['--function', 'build'], 2, "invalid choice: 'build'"),
])
def test_mistakes(script, tmp_path, args, code, message):
    (tmp_path / PIECES[0] / 'gt').mkdir(parents=True)
    done = script(FOLDER + 'trainCNNrwc.py', '--db', tmp_path, '--feature_path', tmp_path, '--skip_sep', *args)
    assert done.returncode == code and message.replace('FEATURES', str(tmp_path)) in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize('flag', [['--overlap', '20'], ['--batch_size', '8'], ['--engine', 'numpy'], ['--no-confine']])
def test_a_factorisation_has_no_use_for_the_flags_of_a_network(script, tmp_path, flag):
    done = script(FOLDER + 'separate_bach10.py', '-i', 'a.wav', '-o', tmp_path, '--method', 'nmf', *flag)
    name = flag[0].replace('--no-', '--')
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
    assert '--method nmf has no network, which %s is for: leave that out' % name in done.stderr


@pytest.mark.parametrize('name', ['compute_features_bach10', 'compute_features_bach10rwc', 'trainCNNrwc',
                                  'trainCNNrwc_samp', 'separate_bach10'])
def test_help_does_not_import_theano(script, name):
    done = script(FOLDER + name + '.py', '--help', env={'THEANO_FLAGS': 'device=nonsense'})
    assert done.returncode == 0 and 'usage: ' in done.stdout
