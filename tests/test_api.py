"""deepconvsep.separate, deepconvsep.Separator and the command `deepconvsep`: recorded stems, streams, bad input."""
import concurrent.futures
import dataclasses
import os
import pathlib
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from conftest import ROOT

import deepconvsep
from deepconvsep import __main__ as program
from deepconvsep import recipes
from deepconvsep.errors import InputError, UsageError
from deepconvsep.models import known, store
from deepconvsep.network import architecture
from deepconvsep.score import Note, read_score
from deepconvsep.score.reading import write_score

STEMS = ('vocals', 'bass', 'drums', 'other')


@pytest.fixture(scope='module')
def mixture(golden):
    samples, rate = soundfile.read(golden('5_end_to_end/dsd/mix.wav'), dtype='int16')
    return samples / 32767, rate


def test_stems_are_the_recorded_ones(golden, mixture):
    stems = deepconvsep.separate(*mixture, model=golden('5_end_to_end/dsd/model_dsd.pkl'), engine='numpy')
    assert tuple(stems) == STEMS
    for name, stem in stems.items():
        recorded, _ = soundfile.read(golden('5_end_to_end/dsd/stereo_4s/%s.wav' % name), dtype='int16')
        # the original left the last frames of a sound silent
        part = slice(0, len(recorded) - 30 * 512)
        assert len(stem) == len(recorded) and np.abs(stem[part] * 32767 - recorded[part]).max() <= 1.01


def test_a_stream_is_the_signal_in_parts(golden, mixture):
    samples = mixture[0][:60000]
    separator = deepconvsep.Separator(golden('5_end_to_end/dsd/model_dsd.pkl'), 'numpy')
    for rate, stereo in ((44100, False), (48000, True)):
        whole = separator.separate(samples, rate, stereo)
        parts = list(separator.stream((samples[start:start + 7000] for start in range(0, 60000, 7000)), rate, stereo))
        assert len(parts) > 1
        for name in STEMS:
            assert whole[name].shape == (samples.shape if stereo else samples.shape[:1])
            np.testing.assert_allclose(np.concatenate([part[name] for part in parts]), whole[name], atol=1e-6)
        if not stereo:
            np.testing.assert_allclose(sum(whole.values()), samples.mean(axis=1), atol=1e-6)


def test_no_sound_gives_no_sound(golden):
    separator = deepconvsep.Separator(golden('5_end_to_end/dsd/model_dsd.pkl'), 'numpy')
    assert [stem.shape for stem in separator.separate(np.zeros(0), 44100).values()] == [(0,)] * 4
    assert list(separator.stream([], 44100)) == []
    # of the shapes and the types that a signal may have
    for shape, expected in (((0,), (0, 1)), ((0, 1), (0, 1)), ((0, 2), (0, 2))):
        stems = separator.separate(np.zeros(shape), 44100, stereo=True)
        assert [stem.shape for stem in stems.values()] == [expected] * 4
    assert separator.separate(np.zeros(1), 44100, stereo=True)['bass'].shape == (1, 1)
    for audio, message in ((np.zeros(0, np.int16), 'got samples of type int16'), (np.zeros((0, 999)), 'transpose them'),
                           (np.zeros((0, 2, 2)), 'got samples of shape')):
        with pytest.raises(InputError, match=message):
            separator.separate(audio, 44100)


@pytest.mark.parametrize('count,rate', [(1, 96000), (2, 192000), (1, 44100), (3, 8000)])
def test_the_shortest_sounds_keep_their_length(golden, count, rate):
    separator = deepconvsep.Separator(golden('5_end_to_end/dsd/model_dsd.pkl'), 'numpy')
    for stereo, shape in (False, (count,)), (True, (count, 2)):
        stems = separator.separate(np.full((count, 2), .5), rate, stereo)
        assert [stem.shape for stem in stems.values()] == [shape] * 4


@pytest.mark.parametrize('rate', [0, -3, 999, 655351, 44100.5, float('nan'), '44100', None])
def test_what_is_no_rate_is_refused(golden, rate):
    with pytest.raises(InputError, match='the sample rate is %r, expected a whole number of Hz, 1000 to' % rate):
        deepconvsep.separate(np.zeros(100), rate, golden('5_end_to_end/dsd/model_dsd.pkl'), engine='numpy')


@pytest.mark.parametrize('samples,more,message', [
    (np.zeros(100, np.int16), {}, 'got samples of type int16, expected floating point'),
    (np.zeros((3, 100, 2)), {}, r'got samples of shape \(3, 100, 2\), expected'),
    (np.full(100, np.nan), {}, 'NaN or infinity'),
    (np.zeros(100), {'scores': ['a.txt']}, 'takes no scores'),
    (np.zeros(100), {'model': 'bach10_scoreinformed_compact'}, 'needs scores: give a file for each of bassoon'),
    (np.zeros(100), {'model': 'bach10_scoreinformed_compact', 'scores': ['a.txt']}, 'got 1 scores, expected one for'),
    (np.zeros(100), {'model': 'bach10_scoreinformed_compact', 'scores': ['a.txt'] * 5}, 'got 5 scores, expected one'),
    (np.zeros(100), {'model': 'no such model'}, 'neither a file no such model nor a model of this name'),
    (np.zeros((2, 4410)), {}, r'of shape \(2, 4410\), 4410 channels, expected .*, 1 to 256 channels: transpose'),
    (np.zeros((100, 0)), {}, r'of shape \(100, 0\), 0 channels, expected .*, 1 to 256 channels: transpose'),
    (np.zeros(0), {'model': 'bach10_scoreinformed_compact'}, 'needs scores: give a file for each of bassoon'),
    ('song.wav', {}, "got 'song.wav', expected samples")])
def test_what_cannot_be_separated_is_said(samples, more, message):
    with pytest.raises(InputError, match=message):
        deepconvsep.separate(samples, 44100, engine='numpy', **more)


@pytest.mark.parametrize('more, message', [
    ({'engine': 'tensorflow'}, "the engine is 'tensorflow', expected one of: theano, numpy"),
    ({'engine': 'tensorflow', 'model': 'bach10_scoreinformed_compact', 'method': 'nmf'}, 'expected one of: theano'),
    ({'batch_size': 0}, 'the batch size is 0, expected a whole number above 0'),
    ({'batch_size': 2.5}, 'the batch size is 2.5, expected'),
    ({'batch_size': '3'}, "the batch size is '3', expected")])
def test_a_separator_that_cannot_be(more, message):
    with pytest.raises(InputError, match=message):
        deepconvsep.Separator(**{'engine': 'numpy', **more})


def test_a_signal_in_place_of_its_blocks():
    with pytest.raises(InputError, match=r'got .*0.* as a block, expected .* or a whole signal to separate\(\)'):
        next(deepconvsep.Separator(engine='numpy').stream(np.zeros(2000), 44100))


@pytest.mark.parametrize('rate', [44100, 48000])
def test_stems_are_float64_and_more_channels_are_refused_at_any_rate(golden, rate):
    separator = deepconvsep.Separator(golden('5_end_to_end/dsd/model_dsd.pkl'), 'numpy')
    for samples in (np.zeros(3000, np.float32), np.zeros(0)):
        assert {stem.dtype for stem in separator.separate(samples, rate).values()} == {np.dtype(float)}
    with pytest.raises(InputError, match='transpose them'):
        separator.separate(np.zeros((2, 3000)), rate)


def score_files(folder, begin):
    """Scores of four instruments, each with a note a second from `begin` on."""
    paths = [str(folder / ('%d.txt' % number)) for number in range(4)]
    for path, low in zip(paths, (48, 60, 67, 74)):
        write_score(path, [Note(begin + second, begin + second + .9, low + 5 * second % 7) for second in range(12)])
    return paths


def test_scores_that_do_not_match_are_said(tmp_path, caplog):
    right, time = score_files(tmp_path, 0), np.arange(13 * 44100) / 44100
    sound = np.zeros(len(time))
    for path in right:
        for onset, offset, midi in read_score(path):
            part = (time >= onset) & (time < offset)
            sound[part] += sum(np.sin(2 * np.pi * k * 440 * 2 ** ((midi - 69) / 12) * time[part]) / k / 20
                               for k in range(1, 5))
    separator = deepconvsep.Separator('bach10_scoreinformed_compact', 'numpy', method='nmf')
    separator.separate(sound, 44100, scores=right)
    assert 'does not match' not in caplog.text
    separator.separate(sound, 44100, scores=score_files(tmp_path, 4))
    assert 'the score does not match the sound' in caplog.text


def test_a_model_that_needs_its_timbre_model_is_not_taken_without(tmp_path):
    loaded = store.load(known.path('bach10_scoreinformed_compact'), architecture.KNOWN, 'this test')
    settings = dataclasses.replace(loaded.settings, score=dataclasses.replace(loaded.settings.score, timbre='ab'))
    store.save(str(tmp_path / 'm.pkl'), loaded.params, loaded.network, settings, {})
    separator = deepconvsep.Separator(tmp_path / 'm.pkl', 'numpy')
    with pytest.raises(InputError, match='with a timbre model: separate with .*separate_bach10.py and --timbre_model'):
        separator.separate(np.zeros(100), 44100, scores=score_files(tmp_path, 0))


def test_threads_share_a_separator(golden, mixture):
    separator = deepconvsep.Separator(golden('5_end_to_end/dsd/model_dsd.pkl'), 'theano', batch_size=2)
    sounds = [mixture[0][start:start + 30000] for start in (0, 30000, 60000, 90000)]
    expected = [separator.separate(sound, 44100) for sound in sounds]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda sound: separator.separate(sound, 44100), 4 * sounds))
    for one, stems in zip(4 * expected, found):
        for name in STEMS:
            np.testing.assert_array_equal(stems[name], one[name])


def test_a_model_by_its_path(golden, mixture):
    path = pathlib.Path(golden('5_end_to_end/dsd/model_dsd.pkl'))
    assert deepconvsep.Separator(path, engine='numpy').sources == STEMS


def test_the_interface_describes_itself():
    done = subprocess.run([sys.executable, '-c', 'import deepconvsep; help(deepconvsep.api)'], cwd=ROOT,
                          capture_output=True, text=True, env=dict(os.environ, PAGER='cat', MANPAGER='cat'))
    assert done.returncode == 0 and 'Separation from Python' in done.stdout


def test_names_that_are_not_there():
    with pytest.raises(AttributeError, match="no attribute 'divide'"):
        deepconvsep.divide  # noqa: B018


def test_every_network_has_a_recipe_that_fits_it():
    for network in architecture.KNOWN:
        recipe = recipes.of_model(SimpleNamespace(network=network))
        assert len(recipe.sources) == len(network.outputs)
        assert (recipe.settings.score is not None) == (network.channels > 1)


def test_the_command_asks_the_model(golden, tmp_path, capsys, caplog):
    model, sound = golden('5_end_to_end/dsd/model_dsd.pkl'), golden('5_end_to_end/dsd/short14337.wav')
    assert program.main(['separate', sound, '-o', str(tmp_path / 'a'), '-m', model, '--engine', 'numpy']) == 0
    assert capsys.readouterr().out.splitlines() == [str(tmp_path / 'a' / (name + '.wav')) for name in STEMS]
    with pytest.raises(UsageError, match='--method is nmf, and .* has the DSD100 network, expected network: '):
        program.main(['separate', sound, '-o', str(tmp_path / 'b'), '-m', model, '--method', 'nmf'])
    assert program.main(['separate', sound, '-o', str(tmp_path / 'c'), '-m', 'bach10_scoreinformed_compact']) == 1
    assert 'there is no score' in caplog.text and 'bassoon_b.txt' in caplog.text


def test_the_command_says_what_it_assumes(golden, tmp_path, caplog):
    sound = golden('5_end_to_end/dsd/short14337.wav')
    assert program.main(['separate', sound, '-o', str(tmp_path / 'a'), '--engine', 'numpy']) == 0
    assert 'bach10_compact separates, into bassoon, clarinet, saxphone, violin; for other music' in caplog.text


def test_an_unknown_command_is_named(script):
    done = script('-m', 'deepconvsep', 'divide')
    assert done.returncode == 2 and "invalid choice: 'divide'" in done.stderr
    done = script('-m', 'deepconvsep', '--help')
    assert done.returncode == 0 and 'deepconvsep separate song.wav -o stems' in done.stdout
