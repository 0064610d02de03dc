"""The iKala tree of the songs of Frets on Fire, from generated OGG files of the same layout."""
import numpy as np
import pytest
import soundfile

from deepconvsep import audio
from examples.ikala import compute_features, frets_on_fire, layout

SCRIPT = 'examples/ikala/frets_on_fire.py'


def tone(frequency, seconds, level, rate=44100):
    time = np.arange(int(seconds * rate)) / rate
    return level * np.sin(2 * np.pi * frequency * time)


def write_song(root, band, song, accompaniment, guitar, rate=44100):
    """`song.ogg` and `guitar.ogg`, stereo, of mono signals."""
    folder = root / band / song
    folder.mkdir(parents=True)
    for name, samples in (('song.ogg', accompaniment), ('guitar.ogg', guitar)):
        soundfile.write(str(folder / name), np.stack([samples] * 2, axis=1), rate, format='OGG', subtype='VORBIS')


def level(samples, frequency):
    """Amplitude of a sine in a signal."""
    time = np.arange(len(samples)) / 44100.
    return 2 * abs(np.mean(samples * np.exp(-2j * np.pi * frequency * time)))


def test_channels_scale_and_clips_without_guitar(script, tmp_path):
    guitar = tone(1000, 6.5, 0.9)
    guitar[int(2.5 * 44100):4 * 44100] = 0   # a quarter of the second clip sounds
    write_song(tmp_path / 'songs', 'sectoid', 'Metal madness', tone(300, 6.5, 0.9), guitar)
    done = script(SCRIPT, '--out', tmp_path / 'tree', '--songs', tmp_path / 'songs', '--seconds', 2)
    assert done.returncode == 0, done.stderr
    assert '2 clips, scaled by 0.5' in done.stderr and '1 left out' in done.stderr
    folder = tmp_path / 'tree' / 'Wavfile'
    assert sorted(path.name for path in folder.iterdir()) == ['sectoid_metal-madness_01.wav',
                                                              'sectoid_metal-madness_03.wav']
    samples, rate = audio.read(str(folder / 'sectoid_metal-madness_01.wav'))
    assert rate == 44100 and samples.shape == (2 * 44100, 2)
    assert np.abs(samples.sum(axis=1)).max() <= 0.991
    # both sines had the same level; band to the left, guitar to the right
    assert level(samples[:, 0], 300) == pytest.approx(level(samples[:, 1], 1000), rel=0.03)
    assert level(samples[:, 0], 300) > 0.4
    assert level(samples[:, 0], 1000) < 0.01 > level(samples[:, 1], 300)
    notice = (tmp_path / 'tree' / 'README.txt').read_text()
    assert 'Carlos Viola Iborra' in notice and 'MIT' in notice and 'muldjord' not in notice


def test_another_rate_is_resampled(tmp_path):
    rate = 48000
    write_song(tmp_path / 'songs', 'muldjord', 'a', tone(300, 2.5, 0.4, rate), tone(1000, 2.5, 0.4, rate), rate)
    assert frets_on_fire.main(['--out', str(tmp_path / 'tree'), '--songs', str(tmp_path / 'songs'), '--seconds', '2',
                               '--quiet']) == 0
    samples, rate = audio.read(str(tmp_path / 'tree' / 'Wavfile' / 'muldjord_a_01.wav'))
    assert rate == 44100 and level(samples[:, 1], 1000) > 0.4
    assert 'ShareAlike 3.0' in (tmp_path / 'tree' / 'README.txt').read_text()


def test_the_tree_counts_as_whole(tmp_path, capfd):
    write_song(tmp_path / 'songs', 'sectoid', 'a', tone(300, 4.5, 0.4), tone(1000, 4.5, 0.4))
    assert frets_on_fire.main(['--out', str(tmp_path / 'tree'), '--songs', str(tmp_path / 'songs'), '--seconds', '2',
                               '--quiet']) == 0
    db = str(tmp_path / 'tree')
    assert layout.count(db) == 2 and layout.count(str(tmp_path)) == 252
    assert compute_features.main(['--db', db, '--validate', '--quiet', '--nprocs', '1']) == 0
    (tmp_path / 'tree' / 'Wavfile' / 'sectoid_a_02.wav').unlink()
    assert compute_features.main(['--db', db, '--validate', '--quiet', '--nprocs', '1']) == 1
    (tmp_path / 'tree' / 'tree.json').write_text('{"clips": "two"}')
    with pytest.raises(frets_on_fire.InputError, match="gives clips = 'two', expected a number"):
        layout.count(db)


def test_a_tree_that_lacks_a_song_does_not_count_as_whole(tmp_path, caplog):
    for name, seconds in (('a', 4.5), ('b', 1.)):
        write_song(tmp_path / 'songs', 'sectoid', name, tone(300, seconds, 0.4), tone(1000, seconds, 0.4))
    db = str(tmp_path / 'tree')
    assert frets_on_fire.main(['--out', db, '--songs', str(tmp_path / 'songs'), '--seconds', '2', '--quiet']) == 1
    assert 'lasts 1.0 s, expected at least 2 s' in caplog.text
    assert layout.count(db) == 252


def test_mistakes_are_named(script, tmp_path):
    done = script(SCRIPT, '--out', tmp_path / 'tree', '--songs', tmp_path / 'nowhere')
    assert done.returncode == 1 and not (tmp_path / 'tree').exists()
    assert 'apt-get install fretsonfire-songs-sectoid fretsonfire-songs-muldjord' in done.stderr
    assert len(done.stderr.splitlines()) == 1
    write_song(tmp_path / 'songs', 'sectoid', 'short', tone(300, 1., 0.4), tone(1000, 1., 0.4))
    done = script(SCRIPT, '--out', tmp_path / 'tree', '--songs', tmp_path / 'songs', '--quiet')
    assert done.returncode == 1 and 'lasts 1.0 s, expected at least 30 s' in done.stderr
    write_song(tmp_path / 'songs', 'sectoid', 'Short', tone(300, 1., 0.4), tone(1000, 1., 0.4))
    done = script(SCRIPT, '--out', tmp_path / 'tree', '--songs', tmp_path / 'songs', '--quiet')
    assert done.returncode == 1 and 'would both be called sectoid_short' in done.stderr
