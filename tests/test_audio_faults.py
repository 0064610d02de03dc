"""Sound files that are damaged, cut off or empty, disks that fail, and what is left of what cannot be written."""
import errno
import os

import numpy as np
import pytest
import soundfile

from deepconvsep import audio, files
from deepconvsep.errors import InputError


@pytest.mark.parametrize('content,message', [
    (b'', 'x.wav is not a sound file'),
    (b'just text\n', 'x.wav is not a sound file'),
    (b'RIFF\x10\0\0\0WAVE', 'x.wav is not a sound file'),
])
def test_not_a_sound_file(tmp_path, content, message):
    (tmp_path / 'x.wav').write_bytes(content)
    with pytest.raises(InputError, match=message):
        audio.read(str(tmp_path / 'x.wav'))


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(InputError, match='cannot read .*none.wav: No such file'):
        audio.read(str(tmp_path / 'none.wav'))
    with pytest.raises(InputError, match='cannot read .*: Is a directory'):
        audio.read(str(tmp_path))


@pytest.mark.parametrize('bad', [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_are_refused(tmp_path, bad):
    x = np.zeros(88200, np.float32)
    x[77175] = bad   # in the second block
    soundfile.write(str(tmp_path / 'x.wav'), x, 44100, 'FLOAT')
    with pytest.raises(InputError, match='holds NaN or infinity at 1.750 s'):
        audio.read(str(tmp_path / 'x.wav'))


def test_a_cut_off_file_is_read_with_a_warning(tmp_path, caplog):
    path = tmp_path / 'x.wav'
    audio.write(str(path), np.ones(1000) * 0.5, 1000)
    path.write_bytes(path.read_bytes()[:-1000])
    samples, _ = audio.read(str(path))
    assert len(samples) == 500
    assert 'shorter than its header says' in caplog.text


@pytest.mark.parametrize('frame', [0, 400, 1000, 5000])
def test_what_was_passed_over_is_not_missing(tmp_path, caplog, frame):
    audio.write(str(tmp_path / 'x.wav'), np.ones(1000) * 0.5, 1000)
    with audio.Reader(str(tmp_path / 'x.wav')) as reader:
        reader.seek(frame)
        assert sum(map(len, reader.blocks(300))) == max(0, 1000 - frame)
        assert not reader.cut_off and not caplog.records


@pytest.mark.parametrize('format', ['wav', 'aiff', 'au', 'w64', 'ogg'])
def test_every_format_that_was_cut_off_says_so(tmp_path, caplog, format):
    """An interrupted download; formats that are not here cannot be opened or read then."""
    path = tmp_path / ('x.' + format)
    soundfile.write(str(path), np.random.RandomState(0).uniform(-.1, .1, 44100), 44100)
    assert len(audio.read(str(path))[0]) == 44100 and not caplog.records
    path.write_bytes(path.read_bytes()[:2 * path.stat().st_size // 3])
    with audio.Reader(str(path)) as reader:
        assert reader.cut_off
        with pytest.raises(InputError, match='x.%s is shorter than its header says, it was cut off: copy' % format):
            reader.check_whole()
    samples, _ = audio.read(str(path))
    assert 15000 < len(samples) < 35000
    assert 'x.%s is shorter than its header says: it was cut off' % format in caplog.text


def test_a_file_that_is_longer_than_its_header_says_is_whole(tmp_path, caplog):
    """Of W64, whose sizes are noted wherever they are not right."""
    path = tmp_path / 'x.w64'
    soundfile.write(str(path), np.full(1000, .5), 44100)
    path.write_bytes(path.read_bytes() + bytes(800))
    with audio.Reader(str(path)) as reader:
        assert 'should be' in reader._file.extra_info
        reader.check_whole()
    assert len(audio.read(str(path))[0]) >= 1000 and not caplog.records


class Failing:
    """A file on a disk that fails, from some byte on."""

    def __init__(self, path, good):
        self._file, self._good = open(path, 'rb'), good

    def __getattr__(self, name):
        return getattr(self._file, name)

    def readinto(self, buffer):
        if self._file.tell() + len(buffer) > self._good:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return self._file.readinto(buffer)


@pytest.mark.parametrize('format', ['wav', 'flac', 'ogg', 'mp3'])
@pytest.mark.parametrize('part', [0, .01, .6])
def test_a_disk_that_fails_is_no_end_of_the_sound(tmp_path, monkeypatch, capfd, caplog, format, part):
    path = str(tmp_path / ('x.' + format))
    soundfile.write(path, np.random.RandomState(0).uniform(-.1, .1, 441000), 44100)
    good = int(part * os.path.getsize(path))
    monkeypatch.setattr(files, 'open_regular', lambda path: Failing(path, good))
    with pytest.raises(InputError, match='^cannot read .*x.%s: Input/output error$' % format):
        with audio.Reader(path) as opened:
            for _ in opened.blocks(10000):
                pass
    assert capfd.readouterr().err == '' and not caplog.records
    with pytest.raises(InputError, match='^cannot read .*x.%s: Input/output error$' % format):
        with audio.Reader(path) as opened:
            opened.seek(400000)
            next(opened.blocks(10000))


def test_a_file_without_samples_says_so(tmp_path, caplog):
    soundfile.write(str(tmp_path / 'x.wav'), np.zeros(0), 44100)
    assert audio.read(str(tmp_path / 'x.wav'))[0].shape == (0, 1) and 'x.wav holds no samples' in caplog.text


def test_no_file_is_left_behind_by_a_failure(tmp_path):
    with pytest.raises(RuntimeError):
        with audio.Writer(str(tmp_path / 'x.wav'), 44100) as writer:
            writer.write(np.zeros(10))
            raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InputError, match='cannot write'):
        audio.Writer(str(tmp_path / 'x.wav'), 44100, channels=5000)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize('seconds, missing', [(10, 9000), (30, 13000)])
def test_the_length_of_an_mp3_may_be_an_estimate(tmp_path, caplog, seconds, missing):
    """Off by 8 frames of 1152 samples, or by 1 %."""
    length = 44100 * seconds
    soundfile.write(str(tmp_path / 'x.mp3'), np.random.RandomState(1).normal(0, .1, length), 44100,
                    bitrate_mode='CONSTANT', compression_level=.9)
    with audio.Reader(str(tmp_path / 'x.mp3')) as reader:
        reader.frames += missing
        assert sum(map(len, reader.blocks())) == length
    assert not caplog.records and not reader.cut_off
    with audio.Reader(str(tmp_path / 'x.mp3')) as reader:
        reader.frames += 20000
        assert sum(map(len, reader.blocks())) == length and reader.cut_off
    assert 'it was cut off; %d.00 s were read' % seconds in caplog.text
