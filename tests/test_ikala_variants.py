"""Variants of iKala's clips: what they are made of, against the clips themselves; and that songs stay apart."""
import json

import numpy as np
import pytest
import sound_tree

from deepconvsep import audio, lock
from deepconvsep.errors import InputError
from deepconvsep.features import tensors
from deepconvsep.features.songs import Song
from examples.ikala import compute_features, layout, recipe, variants

SCRIPT = 'examples/ikala/compute_features.py'


@pytest.fixture
def db(tmp_path):
    for number, name in enumerate(('a_1', 'a_2', 'b_1')):
        sound_tree.write(tmp_path / 'Wavfile' / (name + '.wav'), sound_tree.noise(number, 9000))
    return tmp_path


def made(db, name, count=4, **more):
    songs = {song.name: song for song in variants.songs(layout.clips(str(db)), count, **more)}
    song = songs[name]
    return song, np.concatenate(list(song.read(song.paths, 9000, 4000, recipe.SETTINGS)))


def test_a_gain_is_all_that_changes(db):
    clip = audio.read(str(db / 'Wavfile' / 'a_1.wav'))[0]
    _, (mixture, voice, music) = made(db, 'a_1_v2', ways=('gain',))[0], made(db, 'a_1_v2', ways=('gain',))[1].T
    np.testing.assert_array_equal(mixture, voice + music)
    factors = [np.dot(found, whole) / np.dot(whole, whole) for found, whole in zip((music, voice), clip.T)]
    np.testing.assert_allclose(music, factors[0] * clip[:, 0], atol=1e-12)
    np.testing.assert_allclose(voice, factors[1] * clip[:, 1], atol=1e-12)
    assert factors[0] != factors[1] and all(0.5 < factor < 2 for factor in factors)


def test_a_voice_comes_from_its_own_song(db):
    """Every voice is a clip of the same song, turned around; the music is that of the clip."""
    found = set()
    for number in range(1, 9):
        song, samples = made(db, 'a_1_v%d' % number, 8, ways=('shift',))
        clip, other = (audio.read(path)[0] for path in song.paths)
        np.testing.assert_array_equal(samples[:, 2], clip[:, 0])
        turned = np.fft.irfft(np.fft.rfft(samples[:, 1]) * np.fft.rfft(other[:, 1]).conj())
        np.testing.assert_allclose(samples[:, 1], np.roll(other[:, 1], turned.argmax()), atol=1e-12)
        found.add(song.paths[1][-7:])
    assert found == {'a_1.wav', 'a_2.wav'}


def test_pitch_moves_a_sine(db):
    time = np.arange(44100) / 44100.
    both = np.stack([np.sin(2 * np.pi * 1000 * time)] * 2, axis=1)
    sound_tree.write(db / 'Wavfile' / 'c_1.wav', both)
    song = {song.name: song for song in variants.songs(layout.clips(str(db)), 3, ways=('pitch',))}['c_1_v3']
    samples = np.concatenate(list(song.read(song.paths, 44100, 44100, recipe.SETTINGS)))
    draw = song.read.args[0]
    assert draw.gains == (0, 0) and draw.shift == 0 and 0.1 < abs(draw.semitones) <= 1
    spectrum = abs(np.fft.rfft(samples[:40000, 1] * np.hanning(40000)))
    assert spectrum.argmax() * 44100 / 40000 == pytest.approx(1000 * 2 ** (draw.semitones / 12), abs=1.2)


def test_draws_depend_on_seed_number_and_clip_alone(db):
    first, again, other = (dict((song.name, song.read.args[0]) for song in variants.songs(
        layout.clips(str(db)), count, seed=seed)) for count, seed in ((2, 0), (4, 0), (2, 1)))
    assert all(again[name] == draw != other[name] for name, draw in first.items())
    assert len(set(again.values())) == len(again) == 12
    assert first['a_1_v1'].gains == variants.songs(layout.clips(str(db)), 1, ways=('gain',))[0].read.args[0].gains


def test_variants_of_before_and_clips_that_are_called_like_variants(tmp_path, caplog):
    for name in ('a_1', 'a_1v1', 'a_1_v1', 'a_1_v2', 'b_v2'):
        tensors.save_tensor(str(tmp_path / (name + '.data')), np.zeros((3, 4, 5)), '__m_')
    clips = [Song(name, 'Wavfile', (), (2,), 44100) for name in ('a_1', 'b', 'b_v2')]
    with pytest.raises(InputError, match='has 1 variants that --variants 2 does not make, a_1v1, ...: give'):
        variants.remove_beyond(str(tmp_path), clips, 2, anew=False)
    variants.remove_beyond(str(tmp_path), clips, 1, anew=True)
    assert 'removed the features of 2 variants that are not made now, a_1_v2, ...' in caplog.text
    assert sorted(path.name for path in tmp_path.glob('*.data')) == ['a_1__m_.data', 'a_1_v1__m_.data', 'b_v2__m_.data']


def test_the_features_of_variants(script, db):
    flags = [SCRIPT, '--db', db, '--feature_path', db / 'f', '--variants', 2, '--quiet']
    done = script(*flags, '--nprocs', 2)
    assert done.returncode == 0 and done.stderr == ''
    names = sorted(path.name[:-len('__m_.data')] for path in (db / 'f').glob('*.data'))
    assert names == sorted(clip + more for clip in ('a_1', 'a_2', 'b_1') for more in ('', '_v1', '_v2'))
    assert {recipe.song_of(name + '__m_.data') for name in names} == {'a', 'b'}
    assert tensors.load_tensor(str(db / 'f' / 'a_1.data'), '__m_').shape == tensors.load_tensor(
        str(db / 'f' / 'a_1_v1.data'), '__m_').shape
    before = {path.name: path.stat().st_mtime_ns for path in (db / 'f').glob('*.data')}
    (db / 'f' / 'a_1_v1__m_.shape').unlink()
    kept = (db / 'f' / 'a_1_v1__m_.data').read_bytes()
    assert script(*flags, '--nprocs', 1).returncode == 0
    assert (db / 'f' / 'a_1_v1__m_.data').read_bytes() == kept
    assert {path.name for path in (db / 'f').glob('*.data')
            if path.stat().st_mtime_ns != before[path.name]} == {'a_1_v1__m_.data'}
    other = script(*flags, '--seed', 1)
    assert other.returncode == 1 and "'seed': 0" in other.stderr and 'choose another --feature_path' in other.stderr
    assert len(other.stderr.splitlines()) == 1
    fewer = [SCRIPT, '--db', db, '--feature_path', db / 'f', '--variants', 1, '--quiet']
    less = script(*fewer)
    assert less.returncode == 1 and len(less.stderr.splitlines()) == 1
    assert 'has 3 variants that --variants 1 does not make, a_1_v2, ...: give the number' in less.stderr
    assert {path.name for path in (db / 'f').glob('*.data')} == set(before)
    less = script(*fewer, '--overwrite')
    assert less.returncode == 0 and 'removed the features of 3 variants that are not made now, a_1_v2' in less.stderr
    assert sorted(path.name for path in (db / 'f').glob('*v2__*')) == []
    assert len(list((db / 'f').glob('*v1__m_.*'))) == 9
    for flag in (('--seed', 3), ('--ways', 'gain')):
        idle = script(SCRIPT, '--db', db, '--feature_path', db / 'g', *flag)
        assert idle.returncode == 2 and '%s is for --variants' % flag[0] in idle.stderr
    assert compute_features.main([str(flag) for flag in flags[1:]] + ['--validate']) == 1   # 252 clips are expected
    assert json.loads((db / 'f' / 'features.json').read_text())['variants'] == {
        'ways': ['gain', 'shift', 'pitch'], 'seed': 0}


def test_nothing_is_removed_while_another_program_fills_the_folder(db):
    flags = ['--db', str(db), '--feature_path', str(db / 'f'), '--nprocs', '1', '--quiet']
    assert compute_features.main(flags + ['--variants', '1']) == 0
    before = sorted(path.name for path in (db / 'f').iterdir())
    with lock.hold(str(db / 'f' / 'lock.json'), 'it is held', 'go'):
        with pytest.raises(InputError, match='is being filled by process'):
            compute_features.main(flags + ['--overwrite'])
    assert sorted(path.name for path in (db / 'f').iterdir()) == before
    assert compute_features.main(flags + ['--overwrite']) == 0
    assert not list((db / 'f').glob('*_v1__*'))
