"""--score_tempo and --score_offset: a score that is not in time, said and brought into it, as a user does it."""
import argparse
import functools
import pickle
import re
import shutil

import numpy as np
import pytest
from tunes import NAMES, in_units, moved, rendered, tune

from deepconvsep import audio
from deepconvsep.errors import InputError
from deepconvsep.recipes import bach10_scoreinformed
from deepconvsep.score import write_score
from examples.bach10 import recipe as data
from examples.bach10_scoreinformed import recipe

SEPARATE = 'examples/bach10_scoreinformed/separate_bach10.py'


def write_scores(folder, scores):
    folder.mkdir()
    for name, notes in zip(NAMES, scores):
        write_score(str(folder / name), notes)
    return folder


@pytest.fixture(scope='module')
def trees(tmp_path_factory):
    """A sound, its scores, and the same twice as fast and 3 s late."""
    folder = tmp_path_factory.mktemp('scores')
    mixture = sum(rendered(notes, 12.) for notes in tune(1, 12.))
    audio.write(str(folder / 'x.wav'), mixture, 44100)
    write_scores(folder / 'right', tune(1, 12.))
    write_scores(folder / 'wrong', moved([in_units(notes, .5) for notes in tune(1, 12.)], 3.))
    write_scores(folder / 'one', [in_units(tune(1, 12.)[0], 1000.)] + tune(1, 12.)[1:])
    return folder


def flags(**values):
    return argparse.Namespace(**dict(dict(scores=None, score_ending='_b', score_tempo=1., score_offset=0.), **values))


def test_scores_are_read_in_time(trees):
    """Times are divided by the tempo, then the offset is added."""
    given = flags(scores=str(trees / 'wrong'), score_tempo=.5, score_offset=-6.)
    paths = recipe.score_paths('x.wav', given)
    assert paths == [str(trees / 'wrong' / name) for name in NAMES]
    found = recipe.read_scores(paths, given)
    for notes, expected in zip(found, tune(1, 12.)):
        np.testing.assert_allclose(notes, expected, atol=2e-4)


def test_scores_are_looked_for_and_read_once(trees, monkeypatch):
    called = []
    for name in ('find_score', 'read_score'):
        monkeypatch.setattr(bach10_scoreinformed, name, functools.partial(
            lambda function, *args: called.append(function.__name__) or function(*args),
            getattr(bach10_scoreinformed, name)))
    given = flags(scores=str(trees / 'right'), timbre_model_path=None, confine=None)
    recipe.guide(str(trees / 'x.wav'), recipe.SETTINGS, given)
    assert called == ['find_score'] * 4 + ['read_score'] * 4


def test_a_score_in_time_separates_as_the_right_one(script, trees, tmp_path):
    command = [SEPARATE, '-i', trees / 'x.wav', '--quiet', '--scores']
    for name, more in {'right': ['right'], 'mended': ['wrong', '--score_tempo', .5, '--score_offset', -6.]}.items():
        done = script(*command, trees / more[0], *more[1:], '-o', tmp_path / name)
        assert done.returncode == 0 and 'match' not in done.stderr, done.stderr
    for source in data.SOURCES:
        right, mended = (audio.read(str(tmp_path / name / ('x_%s.wav' % source)))[0] for name in ('right', 'mended'))
        np.testing.assert_array_equal(right, mended)
    done = script(*command, trees / 'one', '-o', tmp_path / 'one')
    assert done.returncode == 0
    assert re.search(r'bassoon_b.txt: its notes sound \d % of their time; with its times divided by 1000, 9\d %',
                     done.stderr)
    # the remedy that a warning names is the one that works
    done = script(*command, trees / 'wrong', '-o', tmp_path / 'wrong')
    assert 'the score does not match the sound' in done.stderr
    tempo = float(done.stderr.split('--score_tempo ')[1].split()[0])
    offset = float(done.stderr.split('--score_offset ')[1].split(')')[0])
    assert abs(tempo - .5) < .01 and abs(offset + 6) < .3
    # also where some were given: what is named takes their place
    for given in (('--score_tempo', 2.), ('--score_offset', -3.)):
        done = script(*command, trees / 'right', *given, '-o', tmp_path / given[0])
        assert 'the score does not match the sound' in done.stderr
        advised = done.stderr.split('% (')[1].split(')')[0].split()
        assert advised == ['without', '--score_tempo', 'and', '--score_offset'] \
            or advised[0] == '--score_tempo' and abs(float(advised[1]) - 1) < .01, done.stderr


def test_scores_in_a_folder_called_like_the_piece(trees, tmp_path):
    """That of a mixture in a folder of its piece is the piece's."""
    (tmp_path / 'scores').mkdir()
    write_scores(tmp_path / 'scores' / 'one', tune(1, 12.))
    for path in ('pieces/one/mixture.wav', 'pieces/one.wav'):
        given = flags(scores=str(tmp_path / 'scores'))
        found = recipe.read_scores(recipe.score_paths(str(tmp_path / path), given), given)
        np.testing.assert_allclose(found[0], tune(1, 12.)[0], atol=2e-4)


def test_notes_that_are_all_too_short_are_refused(script, trees, tmp_path):
    done = script(SEPARATE, '-i', trees / 'x.wav', '--scores', trees / 'right', '--score_tempo', 1000, '-o',
                  tmp_path / 'out', '--quiet')
    assert done.returncode == 1 and 'check --score_tempo (1 for times in seconds, 1000 for' in done.stderr
    assert not (tmp_path / 'out').exists()


def test_a_second_score_of_an_instrument_is_said(script, trees, tmp_path):
    shutil.copytree(trees / 'right', tmp_path / 'scores')
    (tmp_path / 'scores' / 'violin_b.mid').write_bytes(b'')
    done = script(SEPARATE, '-i', trees / 'x.wav', '--scores', tmp_path / 'scores', '-o', tmp_path / 'out')
    assert done.returncode == 0
    assert done.stderr.count('violin_b.txt is read, and violin_b.mid beside it not') == 1


def test_a_timbre_model_is_for_models_that_may_have_been_trained_with_it(trees, tmp_path):
    """A bare .pkl, as the original's, does not say so."""
    path = str(tmp_path / 'timbre.pkl')
    with open(path, 'wb') as out:
        pickle.dump(np.ones((4, 128, 20)), out, protocol=2)
    given = flags(scores=str(trees / 'right'), confine=None, timbre_model_path=path)
    with pytest.raises(InputError, match='the model was trained without a timbre model: leave out --timbre_model_path'):
        recipe.guide(str(trees / 'x.wav'), recipe.SETTINGS, given)
    assert recipe.guide(str(trees / 'x.wav'), recipe.LEGACY_SETTINGS, given).timbre.shape == (4, 128, 20)


def test_scores_without_notes_are_no_scores_at_other_times(trees, tmp_path):
    """They separate nothing, of which the guide warns."""
    write_scores(tmp_path / 'empty', [[]] * 4)
    guide = recipe.guide(str(trees / 'x.wav'), recipe.SETTINGS, flags(scores=str(tmp_path / 'empty'), confine=None,
                                                                      timbre_model_path=None))
    assert guide.warnings() == ['the score has no notes: the sources are separated without it']


@pytest.mark.parametrize('flag, value, where', [
    ('--score_offset', '500', 'the first begins at 50'),
    ('--score_offset', '-500', 'all end before 0 s')])
def test_a_score_without_a_note_within_the_sound_is_refused(script, trees, tmp_path, flag, value, where):
    done = script(SEPARATE, '-i', trees / 'x.wav', '--scores', trees / 'right', '-o', tmp_path / 'out', flag, value)
    assert done.returncode == 1 and not (tmp_path / 'out').exists()
    assert re.search(r'no note of the scores .*bassoon_b.txt, ... is within the \d+\.\d s of the sound, ' + where,
                     done.stderr)
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize('flag, value, message', [
    ('--score_tempo', '0', "argument --score_tempo: got '0', expected a number above 0"),
    ('--score_offset', 'nan', "argument --score_offset: got 'nan', expected a number")])
def test_wrong_values(script, trees, flag, value, message):
    done = script(SEPARATE, '-i', trees / 'x.wav', flag, value)
    assert done.returncode == 2 and message in done.stderr
