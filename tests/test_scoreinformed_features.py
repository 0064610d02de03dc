"""Features and notes of the score-informed experiments, against recorded files of the original, and as scripts."""
import json
import os
import re
import types

import numpy as np
import pytest
from bach10_tree import make_bank, make_inputs

import rwc
from deepconvsep.features import tensors
from examples.bach10 import generation, layout, rendering
from examples.bach10 import recipe as data
from examples.bach10_scoreinformed import notes, recipe

FOLDER = 'examples/bach10_scoreinformed/'
PIECE = '01-AchGottundHerr'


def succeed(done):
    assert done.returncode == 0, done.stderr
    return done


def same(recorded, key, found, tolerance=1e-10):
    """Compare with a recorded array, whole or in samples."""
    if key in recorded:
        np.testing.assert_allclose(found, recorded[key], rtol=tolerance, atol=tolerance)
        return
    assert found.shape == tuple(recorded[key + '.shape'])
    np.testing.assert_allclose(found.ravel()[recorded[key + '.idx']], recorded[key + '.val'], rtol=tolerance,
                               atol=tolerance)


@pytest.fixture(scope='module')
def bach10(golden, golden_json, tmp_path_factory):
    folder = str(tmp_path_factory.mktemp('bach10'))
    make_inputs(golden_json('6_features/bach10_scoreinformed.json')['input_files'], folder)
    for name in os.listdir(golden('6_features/bach10_db/' + PIECE)):
        with open(golden('6_features/bach10_db/%s/%s' % (PIECE, name))) as source:
            with open(os.path.join(folder, PIECE, name), 'w') as out:
                out.write(source.read())
    return folder


@pytest.fixture(scope='module')
def bank(golden_json, tmp_path_factory):
    root = str(tmp_path_factory.mktemp('rwc'))
    make_bank(golden_json('6_features/bach10rwc_tree.json')['files'], root)
    return root


def test_bach10_recorded(script, golden, golden_json, bach10, tmp_path):
    command = [FOLDER + 'compute_features_bach10.py', '--db', bach10, '--feature_path', tmp_path, '--legacy']
    # notes of what is new are no news
    assert '1 songs written, 0 already there, 0 left out, 0 failed\n' in succeed(script(*command)).stderr
    recorded = np.load(golden('6_features/bach10_scoreinformed.npz'))
    for output in golden_json('6_features/bach10_scoreinformed.json')['outputs']:
        same(recorded, output['key'], tensors.load_tensor(str(tmp_path / output['file'])))
    assert json.loads((tmp_path / 'notes.json').read_text())['legacy'] is True
    # a lost note array comes back, what is there is kept
    (tmp_path / (PIECE + '__e_.shape')).unlink()
    again = succeed(script(*command)).stderr
    assert '0 songs written, 1 already there, 0 left out, 0 failed; notes of 1 written' in again
    assert tensors.is_finished(str(tmp_path / (PIECE + '__e_.data')))
    other = script(*command[:-1])
    assert other.returncode == 1 and 'with legacy True, now wanted: legacy False' in other.stderr


def test_bach10_without_the_defects(script, bach10, tmp_path):
    succeed(script('-m', 'examples.bach10_scoreinformed.compute_features_bach10', '--db', bach10, '--feature_path',
                   tmp_path, '--quiet'))
    aligned = tensors.load_tensor(str(tmp_path / (PIECE + '.data')), '__g_')
    widened = tensors.load_tensor(str(tmp_path / (PIECE + '.data')), '__e_')
    assert aligned.shape[2] == 43
    for own, wider, notes_of_score, coarse in zip(aligned, widened, *(
            data.read_scores(os.path.join(bach10, PIECE), ending) for ending in ('_g', '_b'))):
        onsets = [note.onset for note in notes_of_score]
        np.testing.assert_array_equal(own[:len(onsets), 0], np.floor(np.array(onsets) * 44100 / 512))
        early = np.maximum(np.floor([note.onset * 44100 / 512 for note in coarse]) - 17, 0)  # 0.2 s are 17.2 frames
        np.testing.assert_array_equal(wider[:len(early), 0], early)


def combination_of(text):
    rows = np.array(re.findall(r'[\d.]+', text), float).reshape(4, 4)
    return tuple(generation.Case(row[0], data.DYNAMICS[int(row[1])], 'NO', int(row[3])) for row in rows)


@pytest.mark.parametrize('style', ['gt', 'original'])
def test_rwc_recorded(golden, golden_json, bank, monkeypatch, tmp_path, style):
    """All recorded files, magnitudes and notes; the original also moves the start of a note for good."""
    shifts, onset, get_audio = [], rwc._onset, rwc.Note.getAudio
    monkeypatch.setattr(rwc, '_onset', lambda samples: shifts.append(onset(samples)) or shifts[-1])

    def moving(note, max_duration=0):
        samples = get_audio(note, max_duration)
        note.noteStart += shifts[-1] / 44100.
        return samples
    monkeypatch.setattr(rwc.Note, 'getAudio', moving)

    index = golden_json('6_features/bach10rwc_scoreinformed_%s.json' % style)
    recorded = np.load(golden('6_features/bach10rwc_scoreinformed_%s.npz' % style))
    keys = {}
    for output in index['outputs']:
        combination = combination_of(index['combination_text'][output['file']])
        chunk, tag = re.search(r'_(\d+)(__\w_)\.data$', output['file']).groups()
        keys[generation.describe(combination), int(chunk), tag] = output['key']
    samples = [rwc.Instrument(bank, rwc.INSTRUMENTS[name], ['NO']) for name in data.INSTRUMENTS]
    scores = data.read_scores(os.path.join(golden('6_features/bach10rwc_db'), PIECE), data.SCORE_ENDINGS[style])
    cases = generation.rwc_cases([0.] if style == 'gt' else data.TIME_SHIFTS)
    song_db = golden('6_features/bach10rwc_db')
    [song] = layout.scored_pieces(song_db, style)
    compared = 0
    for number in np.random.RandomState(index['np_random_seed']).choice(generation.count_permutations(cases), 4, False):
        combination = generation.permutation(cases, int(number))
        for chunk in range(2 if style == 'gt' else 1):
            signals, missing = notes.render_frames(recipe.LEGACY_SETTINGS, scores, samples, combination, 2 * 44100,
                                                    2. * chunk)
            name = generation.describe(combination), chunk
            assert (name + ('__m_',) not in keys) == bool(missing)
            if missing:
                continue
            same(recorded, keys[name + ('__m_',)], data.transform().compute_transform(signals))
            path = str(tmp_path / 'x.data')
            plan = types.SimpleNamespace(
                song=song, combination=combination, chunks=[(0, 88200), (88200, 176400)], shapes=[(5, 10 ** 6, 1)] * 2)
            notes.of_rendering(song_db, recipe.LEGACY_SETTINGS, plan, chunk).write(path)
            for tag in ('__g_', '__e_'):
                same(recorded, keys[name + (tag,)], tensors.load_tensor(path, tag))
                os.unlink(tensors.shape_path(tensors.tagged(path, tag)))
            compared += 3
    assert compared == len(keys)


def test_rwc_script_adds_notes_to_what_the_score_free_one_made(script, golden, bank, tmp_path):
    flags = ['--db', golden('6_features/bach10rwc_db'), '--rwc', bank, '--chunk_size', 2, '--sample_size', 6,
             '--original', 0, '--nprocs', 2, '--feature_path', tmp_path, '--dtype', 'float32']
    done = succeed(script('examples/bach10/compute_features_bach10rwc.py', *flags))
    written = int(re.search(r'(\d+) files written', done.stderr)[1])
    done = succeed(script(FOLDER + 'compute_features_bach10rwc.py', *flags))
    assert '0 files written, %d already there' % written in done.stderr
    names = sorted(os.listdir(str(tmp_path / PIECE / 'gt')))
    for tag in '_g_', '_e_', '_m_':
        assert len([name for name in names if name.endswith('_%s.data' % tag)]) == written > 0
    # where a note is, its source sounds, and nothing else does
    path = str(tmp_path / PIECE / 'gt' / next(name for name in names if name.endswith('_0__m_.data')))
    magnitudes = tensors.load_tensor(path)
    aligned = tensors.load_tensor(path.replace('__m_', '__g_'))
    for source, rows in zip(magnitudes[1:], aligned):
        energy, sounding = (source ** 2).sum(axis=1), np.zeros(len(source), bool)
        for begin, end, midi in rows[:, :3].astype(int):
            sounding[begin:end] |= midi > 0
        reach = np.convolve(sounding, np.ones(9), 'same') > 0  # a frame covers 8 hops
        assert sounding.any() and energy[~reach].sum() < 1e-3 * energy.sum()
    done = script(FOLDER + 'compute_features_bach10rwc.py', *flags, '--legacy')
    assert done.returncode == 1 and 'now wanted: legacy True' in done.stderr


def test_rwc_script_as_the_original(script, golden, bank, tmp_path):
    done = succeed(script(FOLDER + 'compute_features_bach10rwc.py', '--db', golden('6_features/bach10rwc_db'), '--rwc',
                          bank,
                          '--chunk_size', 2, '--sample_size', 3, '--original', 0, '--nprocs', 1, '--feature_path',
                          tmp_path, '--legacy'))
    assert re.search(r'[1-9]\d* files written', done.stderr)
    assert json.loads((tmp_path / 'generation.json').read_text())['legacy'] is True


def test_what_is_missing_is_named(script, bach10, tmp_path):
    for name in os.listdir(os.path.join(bach10, PIECE)):
        (tmp_path / PIECE).mkdir(exist_ok=True)
        if name != 'saxophone_b.txt':
            os.symlink(os.path.join(bach10, PIECE, name), str(tmp_path / PIECE / name))
    done = script(FOLDER + 'compute_features_bach10.py', '--db', tmp_path)
    assert done.returncode == 1 and '%s is missing' % (tmp_path / PIECE / 'saxophone_b.txt') in done.stderr
    assert rendering.piece_length(data.read_scores(str(tmp_path / PIECE), '_g'), PIECE) > 1
