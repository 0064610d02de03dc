"""Methods without training: what librosa makes of sounds of which it is known what comes again; and without librosa."""
import os

import numpy as np
import pytest

from deepconvsep import audio

SCRIPT = 'examples/ikala/untrained.py'


@pytest.fixture
def db(tmp_path):
    """A clip: left a noise that comes again every half second, right a sine that glides, for eight seconds."""
    rate, seconds = 44100, 8
    again = np.tile(np.random.default_rng(0).standard_normal(rate // 2) * np.exp(-np.arange(rate // 2) / 4000.),
                    2 * seconds)
    time = np.arange(seconds * rate) / rate
    glide = np.sin(2 * np.pi * (400 * time + 60 * time ** 2))
    os.makedirs(str(tmp_path / 'Wavfile'))
    audio.write(str(tmp_path / 'Wavfile' / 'a_1.wav'), 0.2 * np.stack([again, glide], axis=1), rate)
    return tmp_path


def test_librosa_is_asked_for_where_it_is_missing(script, db):
    (db / 'librosa.py').write_text('raise ImportError("no such package")\n')
    done = script(SCRIPT, '--db', db, '--output', db / 'out', env={'PYTHONPATH': str(db)})
    assert done.returncode == 1 and not (db / 'out').exists()
    assert 'pip install -r requirements/experiments.txt' in done.stderr and len(done.stderr.splitlines()) == 1


def test_a_clip_that_is_not_there(script, db):
    done = script(SCRIPT, '--db', db, '--output', db / 'out', '--clips', 'a_2')
    assert done.returncode == 1 and 'has no clip a_2, expected one of 1' in done.stderr


@pytest.mark.parametrize('method', ['repet_sim', 'hpss'])
def test_what_glides_is_told_from_what_comes_again(script, db, method):
    pytest.importorskip('librosa', reason='librosa is not installed (requirements/experiments.txt)')
    done = script(SCRIPT, '--db', db, '--output', db / 'out', '--methods', method, '--quiet')
    assert done.returncode == 0, done.stderr
    music, voice = audio.read(str(db / 'Wavfile' / 'a_1.wav'))[0].T
    found = {source: audio.read(str(db / 'out' / method / ('a_1-%s.wav' % source)))[0][:, 0]
             for source in ('voice', 'music')}
    np.testing.assert_allclose(found['voice'] + found['music'], music + voice, atol=1e-5)
    for source, true in (('voice', voice), ('music', music)):
        before, after = (((estimate - true) ** 2).sum() for estimate in (music + voice, found[source]))
        assert 10 * np.log10(before / after) > 3, source
