"""The check of a dataset: complete trees pass, what is missing or damaged is named."""
import dataclasses
import os

import numpy as np
import pytest
import sound_tree

from deepconvsep import audio
from deepconvsep.features import songs

SCRIPT = 'examples/dsd100/compute_features.py'


@pytest.fixture
def complete(tmp_path):
    """DSD100 with all its songs, which share their sound."""
    sound_tree.write_song(tmp_path, 'song 00', 800)
    for number in range(1, 50):
        sound_tree.link_song(tmp_path, 'song 00', 'song %02d' % number)
    for number in range(50):
        sound_tree.link_song(tmp_path, 'song 00', 'song %02d' % number, 'Test')
    return tmp_path


def replace(path, samples, rate=44100, **kwargs):
    """Write another sound file in place of a hard link."""
    os.unlink(path)
    sound_tree.write(path, samples, rate, **kwargs)


def test_complete(script, complete):
    done = script(SCRIPT, '--db', complete, '--validate', '--subset', 'both')
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ['DSD100 Dev: 50 of 50 songs', 'DSD100 Test: 50 of 50 songs',
                                        '0 songs and 0 files missing, 0 damaged']
    assert not (complete / 'transforms').exists()


def test_everything_is_named(script, complete):
    def path(number, row):
        return sound_tree.dsd100_paths(complete, 'song %02d' % number)[row]
    os.unlink(path(1, 0))
    os.unlink(path(2, 4))
    for row in range(5):
        os.unlink(path(3, row))
        os.rmdir(os.path.dirname(path(3, row))) if row in (0, 4) else None
    replace(path(4, 1), np.zeros((871, 2)), 48000)
    replace(path(5, 2), np.zeros((6000, 2)))
    replace(path(6, 3), np.zeros((800, 3)))
    replace(path(7, 4), np.zeros((0, 2)))
    os.unlink(path(8, 1))
    with open(path(8, 1), 'w') as out:
        out.write('not sound')
    nan = np.zeros((800, 2))
    nan[700, 1] = np.nan
    replace(path(9, 2), nan, subtype='FLOAT')
    replace(path(10, 0), np.zeros((800, 2)))
    with open(path(10, 0), 'r+b') as out:
        out.truncate(3000)
    stem = audio.read(path(11, 3))[0].mean(axis=1, keepdims=True)
    replace(path(11, 3), np.concatenate([stem, np.zeros((10, 1))]))  # a little longer, and mono: fine
    done = script(SCRIPT, '--db', complete, '--validate', '--nprocs', 2)
    assert done.returncode == 1 and 'Traceback' not in done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == 'DSD100 Dev: 49 of 50 songs' and lines[-1] == '1 songs and 2 files missing, 7 damaged'
    assert lines[1:-1] == [
        'missing: ' + path(1, 0),
        'missing: ' + path(2, 4),
        'missing: 1 of the 50 songs of Dev',
        'damaged: %s has 48000 Hz, expected 44100 Hz: resample it' % path(4, 1),
        'damaged: %s lasts 0.136 s, expected 0.018 s as %s: restore the one that is wrong' % (path(5, 2), path(5, 0)),
        'damaged: %s has 3 channels, expected 1 or 2: convert it' % path(6, 3),
        'damaged: %s holds no samples: restore it' % path(7, 4),
        'damaged: %s is not a sound file that can be read (Format not recognised): expected WAV, FLAC, OGG, MP3 or '
        'AIFF' % path(8, 1),
        'damaged: %s holds NaN or infinity at 0.016 s, expected finite samples: repair the file' % path(9, 2),
        'damaged: %s is shorter than its header says, it was cut off: copy it again' % path(10, 0)]


def test_headers_alone(tmp_path):
    nan = tmp_path / 'nan.wav'
    sound_tree.write(nan, np.full((4410, 1), np.nan), subtype='FLOAT')
    other = tmp_path / 'other.wav'
    sound_tree.write(other, np.zeros((8820, 1)))
    song = songs.Song('s', 'Dev', (str(nan), str(other), str(tmp_path / 'none.wav')), (1,), 44100)
    assert songs.missing_files(song) == [str(tmp_path / 'none.wav')]
    assert songs.check_song(song) == (4410, [])  # a difference of 0.1 s is tolerated
    length, problems = songs.check_song(song, whole=True)
    assert len(problems) == 1 and 'holds NaN' in problems[0]
    sound_tree.write(other, np.zeros((8821, 1)))
    length, problems = songs.check_song(song)
    assert len(problems) == 1 and 'other.wav lasts 0.200 s, expected 0.100 s as ' in problems[0]
    [problem] = songs.check_song(dataclasses.replace(song, paths=song.paths[1::-1]))[1]
    assert 'nan.wav lasts 0.100 s, expected 0.200 s as ' in problem


@pytest.mark.parametrize('level, loudness, said', [
    (-39, .1, True), (-41, .1, False), (-20, 1e-3, True),
    (-20, 3e-5, False)])   # rounding of what is next to silence
def test_a_mixture_that_is_not_the_sum_of_its_stems(tmp_path, level, loudness, said):
    """By so many dB of its energy, in the first of its two blocks of 30 s."""
    stem, wrong = np.zeros(40000), np.zeros(40000)
    stem[::2] = loudness
    share = 10 ** (level / 10)
    wrong[1:10000:2] = np.sqrt(((2 * stem) ** 2).sum() * share / (1 - share) / 5000)
    paths = [str(tmp_path / name) for name in ('mixture.wav', 'a.wav', 'b.wav')]
    for path, signal in zip(paths, (2 * stem + wrong, stem, stem)):
        sound_tree.write(path, signal, 1000, subtype='FLOAT')
    song = songs.Song('song', 'Dev', tuple(paths), (1,), 1000, mixed=True)
    expected = ['%s is not the sum of its stems: the difference has %.1f dB of its energy, expected -40 dB or less: '
                'restore the file that is wrong' % (paths[0], level)] * said
    assert songs.check_song(song, whole=True) == (40000, expected)
    assert songs.check_song(song) == (40000, []), 'which reads the headers alone'
    assert songs.check_song(dataclasses.replace(song, mixed=False), whole=True) == (40000, [])


def test_musdb_counts(script, tmp_path):
    sound_tree.write_song(tmp_path, 'A - B', 700, 'Dev', musdb=True)
    done = script(SCRIPT, '--db', tmp_path, '--validate', '--subset', 'both', '--quiet')
    assert done.returncode == 1 and done.stderr == ''
    assert done.stdout.splitlines() == [
        'MUSDB18-HQ Dev: 1 of 100 songs', 'MUSDB18-HQ Test: 0 of 50 songs', 'missing: 99 of the 100 songs of Dev',
        'missing: 50 of the 50 songs of Test', '149 songs and 0 files missing, 0 damaged']
