"""score/timbre.py and compute_timbre_model.py: the strengths of harmonics that are known, and mistakes, by message."""
import os
import pickle

import numpy as np
import pytest
from feature_tree import write

from deepconvsep.formats import pickles
from deepconvsep.score import Note
from deepconvsep.score.masks import harmonic_mask
from deepconvsep.score.rows import Grid, note_rows, stack_rows
from deepconvsep.score.timbre import TimbreLearner

SCRIPT = 'examples/bach10_scoreinformed/compute_timbre_model.py'
GRID = Grid(nharmonics=5)
PITCHES = (50, 62, 57, 69)


def piece(spectra, frames=100):
    """Magnitudes, mixture first, of four instruments that hold one note each, and the notes."""
    notes = stack_rows([note_rows([Note(.1, 1., pitch)], frames, GRID) for pitch in PITCHES])
    stems = np.zeros((4, frames, 2049))
    for stem, rows, spectrum in zip(stems, notes, spectra):
        for strength, (low, high) in zip(spectrum, rows[0, 3:].astype(int).reshape(-1, 2)):
            stem[int(rows[0, 0]):int(rows[0, 1]), low:high] = strength
    return np.concatenate([stems.sum(axis=0)[None], stems]), notes


def spectra_of(seed):
    return np.random.RandomState(seed).uniform(.1, 1, (4, 5))


def normed(spectra):
    return spectra / np.sqrt((spectra ** 2).sum(axis=1, keepdims=True))


def test_the_strengths_are_those_of_the_notes():
    """Of several notes the mean, however loud each is; far from all notes that of the nearest ones."""
    learner = TimbreLearner(4, 5)
    for seed, loudness in ((0, 1.), (1, 30.)):
        magnitudes, notes = piece(loudness * spectra_of(seed))
        learner.add(magnitudes[1:], notes)
    expected = (normed(spectra_of(0)) + normed(spectra_of(1))) / 2
    model = learner.model()
    assert model.shape == (4, 128, 5) and model.dtype == np.float32
    for pitch in (*PITCHES, 0, 127):
        np.testing.assert_allclose(model[:, pitch], expected, rtol=1e-5)
    assert [learner.counts[number, pitch] for number, pitch in enumerate(PITCHES)] == [2] * 4
    assert learner.counts.sum() == 8


def test_nearer_notes_count_more():
    learner = TimbreLearner(1, 2)
    for pitch, level in ((60, (1., 0.)), (70, (0., 1.))):
        notes = stack_rows([note_rows([Note(0., 1., pitch)], 86, Grid(nharmonics=2))])
        stems = np.zeros((1, 86, 2049))
        for strength, (low, high) in zip(level, notes[0, 0, 3:].astype(int).reshape(-1, 2)):
            stems[0, :, low:high] = strength
        learner.add(stems, notes)
    first = learner.model()[0, 60:71, 0]
    assert first[0] > .99 and first[-1] < .01 and abs(first[5] - .5) < 1e-6 and (np.diff(first) < 0).all()


def test_silence_and_short_notes_teach_nothing():
    learner = TimbreLearner(4, 5)
    magnitudes, notes = piece(spectra_of(0))
    notes[0, 0, 1] = notes[0, 0, 0] + 7
    magnitudes[2] = 0
    learner.add(magnitudes[1:], notes)
    assert (learner.counts.sum(axis=1) == [0, 0, 1, 1]).all()
    assert not learner.model()[:2].any() and learner.model()[2:].all()


def test_the_masks_of_a_learned_model_are_the_ideal_ones():
    """Where spectra are as learned and equally loud."""
    magnitudes, notes = piece(normed(spectra_of(2)))
    learner = TimbreLearner(4, 5)
    learner.add(magnitudes[1:], notes)
    masks = harmonic_mask(notes, 20, 60, 2049, learner.model()).reshape(40, 4, 2049).transpose(1, 0, 2)
    stems = magnitudes[1:, 20:60]
    shared = (stems > 0).sum(axis=0) > 1
    ideal = stems[:, shared] / stems[:, shared].sum(axis=0)
    assert shared.sum() == 960 and len(np.unique(ideal.round(6))) > 10
    np.testing.assert_allclose(masks[:, shared], ideal, atol=1e-6)


@pytest.fixture
def features(tmp_path):
    """Two pieces with notes, one of them in a folder of its own, as with RWC samples."""
    for folder, seed in (('f', 0), ('f/piece/gt', 1)):
        magnitudes, notes = piece(spectra_of(seed))
        write(tmp_path / folder, 'p%d' % seed, magnitudes)
        write(tmp_path / folder, 'p%d' % seed, notes, '__g_')
    return tmp_path / 'f'


def test_from_features_to_a_model(script, features, tmp_path):
    done = script(SCRIPT, '--feature_path', features, '--output', 'new/timbre.pkl', cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, os.path.join('new', 'timbre.pkl') + '\n')
    assert done.stderr.count(': 2 notes of 1 pitches') == 4
    path = str(tmp_path / 'new' / 'timbre.pkl')
    with open(path, 'rb') as source:
        by_pickle = pickle.load(source, encoding='latin1')
    expected = (normed(spectra_of(0)) + normed(spectra_of(1))) / 2
    np.testing.assert_allclose(by_pickle[:, 60], expected, rtol=1e-5)
    np.testing.assert_array_equal(pickles.load_array(path), by_pickle)
    before = open(path, 'rb').read()
    done = script(SCRIPT, '--feature_path', features, '--output', path)
    assert done.returncode == 1 and 'timbre.pkl exists: give --overwrite or another file' in done.stderr
    assert script(SCRIPT, '--feature_path', features, '--output', path, '--overwrite').returncode == 0
    assert open(path, 'rb').read() == before


@pytest.mark.parametrize('what, message', [
    ('missing', 'there is no folder of features'),
    ('empty', 'has no features with aligned notes, expected <name>__g_.data: compute them with'),
    ('silent', 'no note of the bassoon sounds in'),
    ('fewer', 'holds 4 tensors, and notes of the shape (4, 1, 13), expected 1 + 4, and (4, notes, 13)'),
    ('other', 'holds 5 tensors, and notes of the shape (4, 1, 11), expected 1 + 4, and (4, notes, 13)')])
def test_mistakes(script, features, tmp_path, what, message):
    folder = features
    if what in ('missing', 'empty'):
        folder = tmp_path / what
        if what == 'empty':
            folder.mkdir()
    elif what == 'silent':
        magnitudes, notes = piece(np.zeros((4, 5)))
        folder = tmp_path / 'silent'
        write(folder, 'p', magnitudes)
        write(folder, 'p', notes, '__g_')
    else:
        magnitudes, notes = piece(spectra_of(1))
        write(features / 'piece' / 'gt', 'p1', magnitudes[:4] if what == 'fewer' else magnitudes)
        write(features / 'piece' / 'gt', 'p1', notes if what == 'fewer' else notes[..., :11], '__g_')
    done = script(SCRIPT, '--feature_path', folder, '--output', tmp_path / 'out' / 'timbre.pkl', '--quiet')
    assert done.returncode == 1 and message in done.stderr, done.stderr
    assert len(done.stderr.splitlines()) == 1 and not (tmp_path / 'out').exists()
