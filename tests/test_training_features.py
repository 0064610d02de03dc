"""training/features.py: features that do not fit are refused, and what is odd about them is said."""
import argparse
import json
import logging
import os
import shutil

import numpy as np
import pytest
from feature_tree import write
from test_training_refusals import train

from deepconvsep.errors import InputError
from deepconvsep.features import folder, tensors
from deepconvsep.training import features
from examples.bach10 import recipe as bach10
from examples.bach10_scoreinformed import recipe as scored
from examples.dsd100 import recipe as dsd100
from examples.ikala import recipe as ikala

__all__ = ['train']


@pytest.fixture
def songs(tmp_path):
    """Features of two songs with a sound, a score and samples each: their paths, and the folder of the dataset."""
    paths = []
    for song in 'ab':
        places = [tmp_path / 'db' / song / name for name in ('mix.wav', 'score.txt')] + [tmp_path / 'bank' / song]
        for place in places:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text('%s of %s' % (place.name, song))
        sources = folder.sources(str(tmp_path / 'db'), map(str, places[:2])) \
            + folder.sources(str(tmp_path / 'bank'), [str(places[2])], folder.SAMPLES)
        for tag, used in ((tensors.MAGNITUDES, sources), (tensors.WIDENED, sources[1:2])):
            path = str(tmp_path / 'f' / (song + '.data'))
            os.makedirs(os.path.dirname(path), exist_ok=True)
            tensors.save_tensor(path, np.ones((2, 3)), tag, record=folder.Origin(used, {}).record())
            paths.append(tensors.tagged(path, tag))
    return paths, tmp_path / 'db'


@pytest.fixture
def said(songs, caplog):
    """What is said of the features now."""
    def say():
        caplog.clear()
        features.warn_of_removed(features.records(songs[0]), ['/nowhere', str(songs[1])])
        return caplog.text
    return say


def date(path, seconds):
    os.utime(str(path), (seconds, seconds))


def test_samples_are_not_in_the_dataset(said):
    assert said() == ''


def test_songs_that_left_the_dataset_are_named(said, songs):
    shutil.copytree(songs[1], songs[1].parent / 'kept')
    shutil.rmtree(songs[1] / 'b')
    assert '1 files of features are trained on, although' in said()
    assert 'b__m_.data; compute them again' in said() and 'a__m_' not in said()
    shutil.copytree(songs[1].parent / 'kept' / 'b', songs[1] / 'b')
    assert said() == ''
    shutil.rmtree(songs[1])
    assert said() == '', 'features without their dataset are no mistake'


def test_contents_are_compared_where_dates_differ(said, songs):
    date(songs[1] / 'a' / 'mix.wav', 1e9)
    assert said() == ''
    for song in 'ab':
        (songs[1] / song / 'mix.wav').write_text('mix.wav of x')   # as long as before
        date(songs[1] / song / 'mix.wav', 2e9)
    assert '2 files of features are trained on, although' in said()


@pytest.mark.parametrize('change, message', [
    ({'hop_size': 256}, 'were made with hop_size 256, expected hop_size 512: compute them again'),
    ({'window': 'hanning', 'downmix': 'sum'}, 'were made with window hanning, downmix sum, expected window'),
    ({'sources': ['voice', 'music']}, 'are of voice, music, expected bassoon, '),
])
@pytest.mark.parametrize('of_folder', [True, False])
def test_features_of_another_transform(train, tmp_path, change, message, of_folder):
    made = {'sources': ['bassoon', 'clarinet', 'saxphone', 'violin'], 'window': 'blackmanharris', 'frame_size': 4096,
            'hop_size': 512, 'sample_rate': 44100, 'downmix': 'mean'}
    path = tmp_path / 'f' / 'song9.data'

    def make(settings):
        if of_folder:
            (tmp_path / 'f' / 'features.json').write_text(json.dumps(settings))
        else:
            tensors.save_tensor(str(path), np.ones((5, 40, 2049)), tensors.MAGNITUDES,
                                record={'made_from': {}, 'settings': settings})
    make(dict(made, **change))
    with pytest.raises(InputError, match=message):
        train(1.)
    make(made)
    assert train(1.) == 0


def test_less_than_was_asked_for(train, tmp_path, caplog):
    write(str(tmp_path / 'f'), 'short', np.ones((5, 29, 2049)))
    with caplog.at_level(logging.WARNING):
        assert train(1., '--nsamples', '4') == 0
    assert '--time_context 30: 1 of 3 files of features have fewer frames, and are filled up with zeros' in caplog.text
    assert '--nsamples 4: there are 3 files of features, and all are used' in caplog.text
    caplog.clear()
    os.unlink(str(tmp_path / 'f' / 'short__m_.data'))
    assert train(1., '--nsamples', '2', '--batch_size', '6', '--overwrite') == 0
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_songs_without_features_are_named(train, tmp_path, caplog):
    for piece in ('1-a', '2-b', '3_c', '4-d'):
        (tmp_path / piece).mkdir()
    assert train(1.) == 0
    assert 'have no features' not in caplog.text, 'features of another dataset are no mistake'
    write(str(tmp_path / 'f'), '1-a', np.ones((5, 40, 2049)))
    write(str(tmp_path / 'f'), '3_c_t0-100-0-200', np.ones((5, 40, 2049)))
    with caplog.at_level(logging.WARNING):
        assert train(1., '--overwrite') == 0
    assert '2 of 4 songs of %s have no features, and are not trained on: 2-b, 4-d' % tmp_path in caplog.text
    caplog.clear()
    for piece in ('2-b', '4-d'):
        write(str(tmp_path / 'f'), piece, np.ones((5, 40, 2049)))
    assert train(1., '--overwrite') == 0 and 'have no features' not in caplog.text


@pytest.mark.parametrize('recipe, folders', [
    (dsd100, ('Mixtures/Dev/a', 'Mixtures/Test/b')), (ikala, ('Wavfile/a.wav',)), (bach10, ('1-a', 'b')),
    (scored, ('1-a',))])
def test_the_songs_for_training(tmp_path, recipe, folders):
    for place in folders:
        (tmp_path / place).mkdir(parents=True)
    assert [name[-1] for name in recipe.RECIPE.songs(argparse.Namespace(db=str(tmp_path)))] == ['a']
