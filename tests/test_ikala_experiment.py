"""The experiments on the songs of Frets on Fire, small: every step runs, songs stay apart, nothing is done twice."""
import json
import os
import shutil

import numpy as np
import pytest
from test_frets_on_fire import tone, write_song

from deepconvsep import audio
from deepconvsep.errors import InputError
from deepconvsep.formats import pickles
from deepconvsep.models import known
from deepconvsep.network import architecture
from examples.ikala import experiment, frets_on_fire, recipe

SCRIPT = 'examples/ikala/experiment.py'


@pytest.mark.parametrize('protocol, count', [('within', 8), ('across', 2)])
def test_folds_share_no_song(protocol, count):
    songs = ['%s_%d' % (band, number) for band in ('muldjord', 'sectoid') for number in range(4)]
    made = experiment.folds(songs, protocol)
    assert len(made) == count and sorted(song for _, _, test in made for song in test) == sorted(songs)
    for _, train, test in made:
        bands = [{song.split('_')[0] for song in part} for part in (train, test)]
        assert not set(train) & set(test) and all(len(band) == 1 for band in bands)
        assert (bands[0] == bands[1]) == (protocol == 'within')


def test_a_fold_needs_songs_on_both_sides():
    with pytest.raises(InputError, match='has 0 songs to train on and 1 to test on'):
        experiment.folds(['sectoid_a'], 'within')


@pytest.mark.parametrize('count', [1, 2, 3])
def test_fewer_songs_to_train_on_are_taken_equally_often(count):
    songs = ['%s_%d' % (band, number) for band in ('muldjord', 'sectoid') for number in range(4)]
    whole = experiment.folds(songs, 'within')
    made = experiment.fewer(whole, count)
    trained = [song for _, train, _ in made for song in train]
    assert sorted(trained) == sorted(songs * count)
    for (name, train, test), (_, every, _) in zip(made, whole):
        assert len(set(train)) == count and set(train) <= set(every) and test == [name]
    assert experiment.fewer(whole, 0) == whole
    assert experiment.fewer(experiment.folds(songs, 'across'), 1)[0][1] == ['muldjord_0']
    with pytest.raises(InputError, match='--train_songs 4: the fold muldjord_0 has 3 songs to train on; give at most'):
        experiment.fewer(whole, 4)


def test_the_compact_network_is_recognised():
    shapes = architecture.IKALA_COMPACT.param_shapes()
    assert architecture.identify(shapes) is architecture.IKALA_COMPACT
    assert 350000 < sum(int(np.prod(shape)) for shape in shapes) < 450000


def test_the_whole_chain(script, tmp_path):
    for song, pitch in (('a', 300), ('b', 400)):
        write_song(tmp_path / 'songs', 'sectoid', song, tone(pitch, 2.2, 0.4), tone(5 * pitch, 2.2, 0.3))
    command = [SCRIPT, '--out', tmp_path / 'out', '--songs', tmp_path / 'songs', '--protocols', 'within',
               '--epochs', 1, '--seconds', 2]
    done = script(*command)
    assert done.returncode == 0, done.stderr
    assert '--network compact' in done.stdout and '| ideal_ratio_mask |' in done.stdout
    methods = json.loads((tmp_path / 'out' / 'scores.json').read_text())['methods']
    assert set(methods) == {'mixture', 'ideal_ratio_mask', 'compact_within'}
    assert set(methods['compact_within']['songs']) == {'sectoid_a', 'sectoid_b'}
    for source in ('voice', 'music'):
        # of sines that share no bin the ideal mask makes nearly all
        assert methods['ideal_ratio_mask']['sources'][source]['SDR']['mean'] > 15
        assert abs(methods['mixture']['sources'][source]['GNSDR']) < 0.1
    again = script(*command)
    assert again.returncode == 0 and 'trainCNN' not in again.stdout and 'separate_ikala' not in again.stdout
    other = script(*command[:-3], 2, '--seconds', 2)
    assert other.returncode == 1 and 'was written for other flags than now: give another --out' in other.stderr
    assert methods['compact_within']['seconds_of_training'][0] > 0
    for name in ('done_compact_within_sectoid_b.json', 'checkpoint_compact_within_sectoid_b.npz'):
        (tmp_path / 'out' / 'models' / name).unlink()
    for model in (tmp_path / 'out' / 'models').glob('model_compact_within_sectoid_b.*'):
        model.unlink()
    stem = tmp_path / 'out' / 'output' / 'compact_within' / '.sectoid_b_01-voice.json'
    stem.write_text(stem.read_text().replace('"model": "', '"model": "0'))   # stems of another model of this name
    anew = script(*command)
    assert anew.returncode == 0, anew.stderr
    assert 'sectoid_b_01' in anew.stdout.split('separate_ikala.py')[1] and anew.stdout.count('separate_ikala.py') == 1
    varied = script(*command, '--networks', 'compact+shift', '--variants', 1, '--folds', 'sectoid_b')
    assert varied.returncode == 0, varied.stderr
    assert '--variants 1 --ways shift' in varied.stdout and '| compact+shift_within |' in varied.stdout
    trained = sorted(os.listdir(str(tmp_path / 'out' / 'folds' / 'compact+shift_within_sectoid_b')))
    assert trained == ['sectoid_a_01%s__m_.%s' % (more, ending) for more in ('', '_v1')
                       for ending in ('data', 'json', 'shape')]
    methods = json.loads((tmp_path / 'out' / 'scores.json').read_text())['methods']
    assert set(methods['compact+shift_within']['songs']) == {'sectoid_b'}
    fewer = script(*command, '--train_songs', 0, 1, '--folds', 'sectoid_b')
    assert fewer.returncode == 0 and '| compact_within_of_1 |' in fewer.stdout, fewer.stderr
    assert fewer.stdout.count('trainCNN.py') == 1 and '--model compact_within_of_1_sectoid_b' in fewer.stdout
    methods = json.loads((tmp_path / 'out' / 'scores.json').read_text())['methods']
    assert set(methods['compact_within_of_1']['songs']) == {'sectoid_b'} and 'compact_within' in methods
    wrong = script(*command, '--train_songs', 2)
    assert wrong.returncode == 1 and 'sectoid_a has 1 songs to train on' in wrong.stderr
    wrong = script(*command, '--folds', 'sectoid_c')
    assert wrong.returncode == 1 and 'there are sectoid_a, sectoid_b' in wrong.stderr


@pytest.fixture(scope='module')
def finished(tmp_path_factory):
    """An experiment that has ended, and its flags."""
    folder = tmp_path_factory.mktemp('finished')
    for song, pitch in (('a', 300), ('b', 400)):
        write_song(folder / 'songs', 'sectoid', song, tone(pitch, 2.2, 0.4), tone(5 * pitch, 2.2, 0.3))
    flags = ['--out', str(folder / 'out'), '--songs', str(folder / 'songs'), '--protocols', 'within', '--epochs', '1',
             '--seconds', '2', '--folds', 'sectoid_b']
    assert experiment.main(flags) == 0
    return folder, flags


def copy_of(finished, tmp_path):
    """The same in another folder, so that a test may change it."""
    folder, flags = finished
    shutil.copytree(str(folder), str(tmp_path / 'copy'))
    return tmp_path / 'copy', [flag.replace(str(folder), str(tmp_path / 'copy')) for flag in flags]


def test_clips_of_another_length_or_of_other_songs_are_refused(finished, tmp_path):
    folder, flags = copy_of(finished, tmp_path)
    with pytest.raises(InputError, match='holds clips with seconds 2, now wanted: seconds 1: choose another --out'):
        experiment.main([*flags, '--seconds', '1'])
    write_song(folder / 'songs', 'sectoid', 'c', tone(300, 2.2, 0.4), tone(1500, 2.2, 0.3))
    with pytest.raises(InputError, match='holds clips with songs 2, sounds .*, now wanted: songs 3, sounds '):
        experiment.main(flags)
    with pytest.raises(InputError, match='holds clips with seconds 2, now wanted: seconds 1'):
        frets_on_fire.main(['--out', str(folder / 'out' / 'tree'), '--songs', str(finished[0] / 'songs'),
                            '--seconds', '1'])
    shutil.rmtree(str(folder / 'songs'))   # then they are taken as they are
    assert frets_on_fire.check(str(folder / 'out' / 'tree'), str(folder / 'songs'), 2) is None
    (folder / 'out' / 'tree' / frets_on_fire.RECORD).unlink()
    with pytest.raises(InputError, match='holds clips, and nothing says how they were made'):
        frets_on_fire.main(['--out', str(folder / 'out' / 'tree'), '--songs', str(finished[0] / 'songs')])


@pytest.mark.parametrize('song, refused', [('a', True), ('b', False)])
def test_clips_that_changed(finished, tmp_path, capfd, song, refused):
    folder, flags = copy_of(finished, tmp_path)
    audio.write(str(folder / 'out' / 'tree' / 'Wavfile' / ('sectoid_%s_01.wav' % song)),
                np.stack([tone(500, 2, 0.4), tone(2100, 2, 0.3)], axis=1), 44100)
    before = json.loads((folder / 'out' / 'scores.json').read_text())['methods']['ideal_ratio_mask']
    if refused:   # it was trained on
        with pytest.raises(InputError, match='was written for other features than now: give another --out, or'):
            experiment.main(flags)
    else:         # it is separated
        assert experiment.main(flags) == 0
        assert 'separate_ikala.py' in capfd.readouterr().out
        assert json.loads((folder / 'out' / 'scores.json').read_text())['methods']['ideal_ratio_mask'] != before


def test_a_model_that_was_replaced_is_refused(finished, tmp_path, capfd):
    folder, flags = copy_of(finished, tmp_path)
    models = folder / 'out' / 'models'
    name = 'compact_within_sectoid_b'
    assert experiment.main(flags) == 0 and 'separate_ikala.py' not in capfd.readouterr().out
    params = [param + 0.01 for param in pickles.load_arrays(str(models / ('model_%s.pkl' % name)))]
    pickles.dump_arrays(str(models / ('model_%s.pkl' % name)), params)
    with pytest.raises(InputError, match='was written for other model than now: give another --out, or remove it'):
        experiment.main(flags)


def test_without_a_model_the_shipping_one_separates_and_says_what_it_is(script, tmp_path):
    audio.write(str(tmp_path / 'song.wav'), tone(300, 2., 0.4), 44100)
    done = script('examples/ikala/separate_ikala.py', '-i', 'song.wav', '-o', 'out', '--quiet')
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / 'out').iterdir()) == ['song-music.wav', 'song-voice.wav']
    assert len(done.stderr.splitlines()) == 1
    assert 'lead guitar' in done.stderr and 'give a model of iKala' in done.stderr


def test_the_licence_of_the_songs_lies_beside_the_model():
    notice = os.path.splitext(known.path(recipe.DEFAULT_MODEL))[0] + '.LICENSE'
    with open(notice) as source:
        assert 'Viola Iborra' in source.read()


def test_a_learning_rate_needs_adam(script, tmp_path):
    done = script('examples/ikala/trainCNN.py', '--db', tmp_path, '--learning_rate', 0.1)
    assert done.returncode == 2 and '--learning_rate is for --optimizer adam' in done.stderr
    assert len(done.stderr.splitlines()) == 1
