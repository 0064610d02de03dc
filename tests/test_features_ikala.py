"""Features of iKala through the script, against recorded files and signals whose channels are known."""
import functools
import os

import numpy as np
import pytest
import sound_tree
from conftest import assert_sampled

from deepconvsep.errors import InputError
from deepconvsep.features import making, tensors
from deepconvsep.features.plan import Dataset, make_plans
from examples.ikala import compute_features, layout, recipe

SCRIPT = 'examples/ikala/compute_features.py'


def test_recorded(script, golden, golden_json, tmp_path):
    index = golden_json('6_features/ikala.json')
    sound_tree.write_recorded(index['input_files'], tmp_path)
    done = script(SCRIPT, '--db', tmp_path)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / 'transforms' / 't1'
    assert sorted(os.listdir(str(folder))) == sorted(
        sound_tree.with_records(row['file'] for row in index['outputs']))
    with np.load(golden('6_features/ikala.npz')) as recorded:
        for row in index['outputs']:
            if 'text' in row:
                assert (folder / row['file']).read_text() == row['text']
                continue
            found = tensors.load_tensor(str(folder / row['file']))
            assert found.dtype == np.float64
            assert_sampled(recorded, row['key'], found, atol=1e-10)
            np.testing.assert_allclose(found.sum(axis=(1, 2)), recorded[row['key'] + '.row_sums'], rtol=1e-9)
    again = script('-m', 'examples.ikala.compute_features', '--db', tmp_path)
    assert again.returncode == 0 and '0 songs written, 2 already there, 0 left out, 0 failed' in again.stderr


def test_two_processes_and_float32(script, tmp_path):
    clips = [sound_tree.noise(seed, 20000) for seed in range(3)]
    for number, clip in enumerate(clips):
        sound_tree.write(tmp_path / 'Wavfile' / ('clip_%d.wav' % number), clip)
    for nprocs in (1, 2):
        done = script(SCRIPT, '--db', tmp_path, '--feature_path', tmp_path / str(nprocs), '--nprocs', nprocs,
                      '--float32', '--quiet')
        assert done.returncode == 0 and done.stderr == ''
    listed = sorted(os.listdir(str(tmp_path / '1')))
    assert len(listed) == 10 and listed == sorted(os.listdir(str(tmp_path / '2')))
    for name in listed:
        assert (tmp_path / '1' / name).read_bytes() == (tmp_path / '2' / name).read_bytes()
    assert tensors.load_tensor(str(tmp_path / '1' / 'clip_2.data'), '__m_').dtype == np.float32


def test_rows_are_mixture_voice_accompaniment(tmp_path):
    silence, sound = np.zeros(5000), sound_tree.noise(0, 5000)[:, 0]
    sound_tree.write(tmp_path / 'Wavfile' / 'accompaniment only.wav', np.stack([sound, silence], axis=1))
    sound_tree.write(tmp_path / 'Wavfile' / 'both alike.WAV', np.stack([sound, sound], axis=1))
    (tmp_path / 'Wavfile' / '._both alike.wav').write_bytes(b'left by another system')
    assert compute_features.main(['--db', str(tmp_path), '--nprocs', '1', '--quiet']) == 0
    mixture, voice, music = tensors.load_tensor(str(tmp_path / 'transforms/t1/accompaniment only.data'), '__m_')
    assert not voice.any() and mixture.any()
    np.testing.assert_array_equal(mixture, music)
    mixture, voice, music = tensors.load_tensor(str(tmp_path / 'transforms/t1/both alike.data'), '__m_')
    np.testing.assert_array_equal(mixture, 2 * voice)
    np.testing.assert_array_equal(music, voice)


def test_sounds_that_are_left_out_are_named(tmp_path, caplog):
    sound_tree.write(tmp_path / 'Wavfile' / 'a.wav', sound_tree.noise(0, 900))
    (tmp_path / 'Wavfile' / 'b.FLAC').write_bytes(b'')
    assert [song.name for song in layout.clips(str(tmp_path))] == ['a']
    assert '1 sound files in' in caplog.text and 'are left out, such as b.FLAC, expected <clip>.wav' in caplog.text


def test_interrupted(tmp_path):
    for name in 'abc':
        sound_tree.write(tmp_path / 'Wavfile' / (name + '.wav'), sound_tree.noise(ord(name), 9000))
    flags = ['--db', str(tmp_path), '--nprocs', '1', '--quiet']
    assert compute_features.main(flags) == 0
    folder = tmp_path / 'transforms' / 't1'
    before = {name: (folder / name).read_bytes() for name in os.listdir(str(folder))}
    (folder / 'a__m_.shape').unlink()
    (folder / 'b__m_.data').write_bytes(b'')
    kept = (folder / 'c__m_.data').stat().st_mtime_ns
    assert compute_features.main(flags) == 0
    assert {name: (folder / name).read_bytes() for name in os.listdir(str(folder))} == before
    assert (folder / 'c__m_.data').stat().st_mtime_ns == kept


def reading_late(wav, paths, length, size, settings):
    """Read as a worker that a run which was cut off has left behind: the sound changes, and is done, meanwhile."""
    blocks = list(layout.read(paths, length, size, settings))
    sound_tree.write(wav, sound_tree.noise(2, 9000))
    assert compute_features.main(['--db', os.path.dirname(os.path.dirname(wav)), '--nprocs', '1', '--quiet']) == 0
    yield from blocks


def test_what_is_left_of_a_run_that_was_cut_off_replaces_nothing(tmp_path):
    wav = tmp_path / 'Wavfile' / 'a.wav'
    sound_tree.write(wav, sound_tree.noise(1, 9000))
    song, = layout.clips(str(tmp_path))
    data = Dataset('iKala', recipe.SETTINGS, (song,), {}, functools.partial(reading_late, str(wav)), db=str(tmp_path))
    (plan,), _ = make_plans(data, str(tmp_path / 'transforms' / 't1'), 'float64')
    with pytest.raises(InputError, match='a.wav changed while it was read: run again'):
        making.compute(data.read, recipe.SETTINGS, True, plan)
    mixture = tensors.load_tensor(plan.paths[0], '__m_')[0]
    assert compute_features.main(['--db', str(tmp_path), '--overwrite', '--nprocs', '1', '--quiet']) == 0
    np.testing.assert_array_equal(tensors.load_tensor(plan.paths[0], '__m_')[0], mixture)


def test_what_is_wrong_is_named(script, golden_json, tmp_path):
    done = script(SCRIPT)
    assert golden_json('6_features/ikala_no_db.json')['run']['exit_code'] != 0
    assert done.returncode == 2 and 'arguments are required: --db' in done.stderr
    done = script(SCRIPT, '--db', tmp_path)
    assert done.returncode == 1 and 'has no folder Wavfile, expected Wavfile/<clip>.wav' in done.stderr
    (tmp_path / 'Wavfile').mkdir()
    done = script(SCRIPT, '--db', tmp_path)
    assert done.returncode == 1 and 'holds no songs of the subset Wavfile of iKala' in done.stderr
    sound_tree.write(tmp_path / 'Wavfile' / 'good.wav', sound_tree.noise(0, 900))
    sound_tree.write(tmp_path / 'Wavfile' / 'mono.wav', sound_tree.noise(0, 900, 1))
    sound_tree.write(tmp_path / 'Wavfile' / 'slow.wav', sound_tree.noise(0, 900), 22050)
    done = script(SCRIPT, '--db', tmp_path)
    assert done.returncode == 1 and '1 songs written, 0 already there, 0 left out, 2 failed' in done.stderr
    assert 'mono.wav has 1 channels, expected 2: convert it' in done.stderr
    assert 'slow.wav has 22050 Hz, expected 44100 Hz: resample it' in done.stderr
    done = script(SCRIPT, '--db', tmp_path, '--validate')
    assert done.returncode == 1 and done.stdout.splitlines()[-1] == '249 songs and 0 files missing, 2 damaged'


def test_two_clips_for_the_same_features(tmp_path):
    for name in ('a.wav', 'a.WAV'):
        sound_tree.write(tmp_path / 'Wavfile' / name, sound_tree.noise(0, 900))
    if len(layout.clips(str(tmp_path))) < 2:
        pytest.skip('this file system does not tell a.wav from a.WAV')
    with pytest.raises(InputError, match='a.WAV and .*a.wav would both be written to .*a.data: rename one'):
        compute_features.main(['--db', str(tmp_path)])


def test_a_clip_is_no_stale_block_of_another(tmp_path):
    for name in ('take.wav', 'take_1.wav'):
        sound_tree.write(tmp_path / 'Wavfile' / name, sound_tree.noise(0, 900))
    flags = ['--db', str(tmp_path), '--nprocs', '1', '--quiet']
    assert compute_features.main(flags) == 0 and compute_features.main(flags) == 0
    sound_tree.write(tmp_path / 'Wavfile' / 'take.wav', sound_tree.noise(1, 1900))
    assert compute_features.main(flags) == 0
    for name in ('take', 'take_1'):
        assert tensors.is_finished(str(tmp_path / 'transforms' / 't1' / (name + '.data')), '__m_')
