"""separate_dsd.py and separate_ikala.py as a user runs them, against the original's recorded stems."""
import os
import shutil

import numpy as np
import pytest
import soundfile
from conftest import ROOT

from deepconvsep.formats import pickles
from deepconvsep.separation.plan import gather
from tests import song

DSD = 'examples/dsd100/separate_dsd.py'
IKALA = 'examples/ikala/separate_ikala.py'
STEMS = ['bass.wav', 'drums.wav', 'other.wav', 'vocals.wav']

pytestmark = pytest.mark.filterwarnings('ignore')


@pytest.fixture(scope='session')
def falcon(tmp_path_factory):
    """The real song of the package stempeg, as WAV files of mixture and stems."""
    folder = tmp_path_factory.mktemp('falcon')
    song.write(str(folder))
    return folder


def pcm(path):
    samples, rate = soundfile.read(str(path), dtype='int16')
    return samples.astype(int), rate


def assert_recorded(ours, theirs, flips=0.):
    """Within 1 unit of 16 bit, but for the end, which the original left silent and which here fades in.

    A share of `flips` samples may be 2 off: in float32 a near tie in the pooled network falls the other way.
    """
    ours, rate = pcm(ours)
    theirs, _ = pcm(theirs)
    assert rate == 44100 and ours.shape == theirs.shape
    frames = -(-len(ours) // 512) + 2
    comparable = (frames - 30) * 512 - 512
    assert comparable > 100000
    error = np.abs(ours[:comparable] - theirs[:comparable])
    assert error.max() <= (2 if flips else 1) and (error > 1).mean() <= flips


def test_recorded_stems(script, golden, dsd_model, tmp_path):
    done = script(DSD, '-i', golden('5_end_to_end/dsd/mix.wav'), '-o', tmp_path / 'new' / 'out', '-m', dsd_model)
    assert done.returncode == 0, done.stderr
    assert sorted(os.listdir(str(tmp_path / 'new' / 'out'))) == STEMS
    assert done.stdout.split() == [str(tmp_path / 'new' / 'out' / name)
                                   for name in ('vocals.wav', 'bass.wav', 'drums.wav', 'other.wav')]
    assert '15 arrays, DSD100 network, window hanning, overlap 25' in done.stderr
    assert 'device cpu, float32' in done.stderr
    for name in STEMS:
        assert_recorded(tmp_path / 'new' / 'out' / name, golden('5_end_to_end/dsd/stereo_4s/' + name))


def test_recorded_ikala_stems(script, golden, golden_json, tmp_path):
    info = golden_json('5_end_to_end/ikala.json')['model']
    rs = np.random.RandomState(info['seed'])
    params = [rs.uniform(low, high, size=shape).astype(np.float32)
              for (low, high), shape in zip(info['bounds'], info['shapes'])]
    for param, check in zip(params, golden_json('5_end_to_end/model_checks.json')['ikala']):
        np.testing.assert_allclose(param.sum(dtype=float), check['sum'], rtol=1e-6)
    pickles.dump_arrays(str(tmp_path / 'model.pkl'), params)
    done = script(IKALA, '-i', golden('5_end_to_end/ikala/10161_chorus.wav'),
                  golden('5_end_to_end/ikala/mono.wav'), '-o', tmp_path / 'out', '-m', tmp_path / 'model.pkl')
    assert done.returncode == 0, done.stderr
    assert sorted(os.listdir(str(tmp_path / 'out'))) == ['10161_chorus-music.wav', '10161_chorus-voice.wav',
                                                         'mono-music.wav', 'mono-voice.wav']
    for name in ('10161_chorus-music.wav', '10161_chorus-voice.wav'):
        assert_recorded(tmp_path / 'out' / name, golden('5_end_to_end/ikala/clip_4s/' + name), flips=1e-3)
    # the original crashed on mono; its plain sum of channels is the channel itself
    mixture, _ = pcm(golden('5_end_to_end/ikala/mono.wav'))
    total = sum(pcm(tmp_path / 'out' / ('mono-%s.wav' % name))[0] for name in ('voice', 'music'))
    assert np.abs(total - mixture).max() <= 1


@pytest.mark.parametrize('name,seconds', [('short14336.wav', 0.325), ('rate48k.wav', None)])
def test_inputs_that_the_original_could_not_separate(script, golden, complete_model, tmp_path, name, seconds):
    source = golden('5_end_to_end/dsd/' + name)
    done = script(DSD, '-i', source, '-o', tmp_path, '-m', complete_model, '--quiet')
    assert done.returncode == 0 and done.stderr == '', done.stderr
    mixture, rate = pcm(source)
    stems = [pcm(tmp_path / stem) for stem in STEMS]
    assert all(stem.shape == mixture.shape and stem_rate == rate for stem, stem_rate in stems)
    if rate == 44100:
        assert np.abs(sum(stem for stem, _ in stems) - mixture).max() <= 2


def test_real_song(script, falcon, dsd_model, tmp_path):
    """44.1 kHz stereo to four mono stems that add up to the downmix within 2 units of 16 bit."""
    done = script(DSD, '-i', falcon / 'mixture.wav', '-o', tmp_path, '-m', dsd_model)
    assert done.returncode == 0, done.stderr
    mixture, _ = pcm(falcon / 'mixture.wav')
    total = sum(pcm(tmp_path / name)[0] for name in STEMS)
    assert np.abs(total - mixture.mean(axis=1)).max() <= 2
    again = script(DSD, '-i', falcon / 'mixture.wav', '-o', tmp_path, '-m', dsd_model)
    assert again.returncode == 1 and 'vocals.wav exists and so do 3 more: give --overwrite' in again.stderr


def test_kinds_of_the_real_song_in_one_run(script, falcon, dsd_model, tmp_path):
    """48 kHz, mono, FLAC, float and odd files in one call; the bad ones are named and do not stop the others."""
    samples, rate = soundfile.read(str(falcon / 'mixture.wav'))
    samples = samples[:2 * rate]
    folder = tmp_path / 'in'
    folder.mkdir()
    soundfile.write(str(folder / 'mono.wav'), samples[:, 0], rate)
    soundfile.write(str(folder / 'flac.flac'), samples, rate)
    soundfile.write(str(folder / 'float.wav'), samples, rate, 'FLOAT')
    soundfile.write(str(folder / 'rate 48k.wav'), samples, 48000)
    soundfile.write(str(folder / 'deep.aiff'), samples, rate, 'PCM_24')
    soundfile.write(str(folder / 'vorbis.ogg'), samples, rate)
    soundfile.write(str(folder / 'six.wav'), np.repeat(samples, 3, axis=1), rate)
    soundfile.write(str(folder / 'one sample.wav'), samples[:1], rate)
    soundfile.write(str(folder / 'no samples.wav'), samples[:0], rate)
    (folder / 'empty.wav').write_bytes(b'')
    (folder / 'text.wav').write_text('not a sound\n')
    (folder / 'header.wav').write_bytes((folder / 'mono.wav').read_bytes()[:20])
    (folder / 'cut.wav').write_bytes((folder / 'mono.wav').read_bytes()[:44 + rate])
    shutil.copy(str(folder / 'mono.wav'), str(folder / '.hidden.wav'))
    (folder / 'notes.txt').write_text('ignored')
    done = script(DSD, '-i', folder, '-o', tmp_path / 'out', '-m', dsd_model)
    assert done.returncode == 1
    for name in ('empty.wav', 'text.wav', 'header.wav'):
        assert done.stderr.count(name + ' is not a sound file that can be read') == 1
    assert '3 of 13 files failed' in done.stderr and 'Traceback' not in done.stderr
    assert 'cut.wav is shorter than its header says' in done.stderr
    good = ['mono', 'flac', 'float', 'rate 48k', 'deep', 'vorbis', 'six', 'one sample', 'no samples', 'cut']
    assert sorted(os.listdir(str(tmp_path / 'out'))) == sorted(good)
    lengths = dict.fromkeys(good, len(samples))
    lengths.update({'one sample': 1, 'no samples': 0, 'cut': rate // 2})
    for name in good:
        stems = [pcm(tmp_path / 'out' / name / stem) for stem in STEMS]
        assert all(stem.shape == (lengths[name],) for stem, _ in stems), name
        assert all(stem_rate == (48000 if name == 'rate 48k' else rate) for _, stem_rate in stems)
        if name in ('flac', 'float', 'deep', 'six'):
            total = sum(stem for stem, _ in stems)
            assert np.abs(total - samples.mean(axis=1) * 32768).max() <= 2.01, name


def test_formats_and_extra_stems(script, falcon, dsd_model, tmp_path):
    done = script(DSD, '-i', falcon / 'mixture.wav', '-o', tmp_path, '-m', dsd_model, '--stereo', '--accompaniment',
                  '--format', 'flac', '--subtype', 'pcm_24', '--overlap', '10', '--window', 'blackmanharris',
                  '--batch_size', '7')
    assert done.returncode == 0, done.stderr
    assert 'window blackmanharris, overlap 10' in done.stderr
    names = sorted(os.listdir(str(tmp_path)))
    assert names == ['accompaniment.flac', 'bass.flac', 'drums.flac', 'other.flac', 'vocals.flac']
    assert all(soundfile.info(str(tmp_path / name)).subtype == 'PCM_24' for name in names)
    # as other programs read them: the level is that of the 16-bit input
    stems = {name[:-5]: soundfile.read(str(tmp_path / name))[0] for name in names}
    mixture, _ = soundfile.read(str(falcon / 'mixture.wav'))
    np.testing.assert_allclose(stems['vocals'] + stems['accompaniment'], mixture, atol=1e-6)
    np.testing.assert_allclose(sum(stems.values()) - stems['accompaniment'], mixture, atol=1e-6)


def test_loud_stems_saturate_with_a_warning(script, dsd_model, tmp_path):
    soundfile.write(str(tmp_path / 'loud.wav'), 60 * np.random.RandomState(0).uniform(-1, 1, 30000), 44100, 'FLOAT')
    done = script(DSD, '-i', tmp_path / 'loud.wav', '-o', tmp_path / 'out', '-m', dsd_model)
    assert done.returncode == 0 and 'beyond full scale and saturate' in done.stderr


def test_scripts_run_from_anywhere(script, golden, dsd_model, tmp_path):
    flags = ['-i', golden('5_end_to_end/dsd/short14337.wav'), '-m', dsd_model, '--quiet', '-o']
    for number, (args, cwd) in enumerate([
            ([DSD], tmp_path), (['-m', 'examples.dsd100.separate_dsd'], ROOT),
            ([DSD], os.path.join(ROOT, 'examples', 'dsd100'))]):
        done = script(*(args + flags + [tmp_path / str(number)]), cwd=cwd)
        assert done.returncode == 0, done.stderr
        assert sorted(os.listdir(str(tmp_path / str(number)))) == STEMS


def test_without_a_compiler(script, golden, dsd_model, tmp_path):
    """NumPy separates, and Theano's Python mode when it is asked for; the stems are the same, and a line says it."""
    source = golden('5_end_to_end/dsd/mix.wav')
    flags = 'cxx=,base_compiledir=%s' % (tmp_path / 'cache')
    for more, line in (((), 'NumPy separates: Theano would, with a C++ compiler (g++)'),
                       (('--engine', 'theano'), 'no C++ compiler: Theano runs in Python mode')):
        out = tmp_path / ('out%d' % len(more))
        done = script(DSD, '-i', source, '-o', out, '-m', dsd_model, *more, env={'THEANO_FLAGS': flags})
        assert done.returncode == 0, done.stderr
        assert line in done.stderr
        for name in STEMS:
            assert_recorded(out / name, golden('5_end_to_end/dsd/stereo_4s/' + name))


def test_without_theano(script, golden, dsd_model, tmp_path):
    """NumPy separates with nothing of Theano in the process; asking for Theano says what is missing."""
    (tmp_path / 'sitecustomize.py').write_text(
        'import sys\nclass Gone:\n    def find_spec(self, name, path=None, target=None):\n'
        '        if name.split(".")[0] in ("theano", "lasagne"):\n            raise ModuleNotFoundError(name=name)\n'
        'sys.meta_path.insert(0, Gone())\n'
        'import importlib.util as util\nfound = util.find_spec\n'
        'util.find_spec = lambda name, *more: None if name in ("theano", "lasagne") else found(name, *more)\n')
    flags = [DSD, '-i', golden('5_end_to_end/dsd/mix.wav'), '-o', tmp_path / 'out', '-m', dsd_model, '--report']
    done = script(*flags, env={'PYTHONPATH': str(tmp_path)})
    assert done.returncode == 0, done.stderr
    assert 'NumPy separates: Theano would, with theano and lasagne\n' in done.stderr
    for name in STEMS:
        assert_recorded(tmp_path / 'out' / name, golden('5_end_to_end/dsd/stereo_4s/' + name))
    done = script(*flags, '--overwrite', '--engine', 'theano', env={'PYTHONPATH': str(tmp_path)})
    assert done.returncode == 1
    assert 'the engine theano needs theano and lasagne, which is not installed: install it, or choose the engine ' \
        'numpy\n' in done.stderr


def test_peak_memory_does_not_grow_with_the_length(script, dsd_model, tmp_path):
    """A 10-minute file takes no more memory than a 1-minute file."""
    peaks = []
    for minutes in (1, 10):
        path = tmp_path / ('%d.wav' % minutes)
        noise = np.random.RandomState(0).uniform(-0.3, 0.3, 44100).astype(np.float32)
        with soundfile.SoundFile(str(path), 'w', 44100, 1) as out:
            for _ in range(60 * minutes):
                out.write(noise)
        program = tmp_path / 'peak.py'
        program.write_text(
            'import runpy, sys\nsys.argv = sys.argv[1:]\n'
            'try:\n    runpy.run_path(sys.argv[0], run_name="__main__")\n'
            'except SystemExit as stop:\n    assert not stop.code\n'
            # not getrusage: that counts the process which started this one, too
            'print([line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")][0])\n')
        done = script(str(program), os.path.join(ROOT, DSD), '-i', path, '-o', tmp_path / str(minutes), '-m', dsd_model)
        assert done.returncode == 0, done.stderr
        peaks.append(int(done.stdout.split()[-1]) / 1024)
        assert soundfile.info(str(tmp_path / str(minutes) / 'bass.wav')).frames == 60 * minutes * 44100
    assert peaks[1] < 1.2 * peaks[0] and peaks[1] < 700, peaks


def test_names_of_the_songs_of_a_dataset(tmp_path, monkeypatch):
    """Mixtures/<subset>/<song>/mixture.wav has the name of its song; what lies in the output folder is no input."""
    monkeypatch.chdir(tmp_path)
    for path in ('Test/A/mixture.wav', 'Test/B/mixture.wav', 'Test/C.flac', 'Test/out/A/vocals.wav', 'Test/.x/y.wav'):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    assert gather(['Test'], 'Test/out') == {
        'Test/A/mixture.wav': 'A', 'Test/B/mixture.wav': 'B', 'Test/C.flac': 'C'}
    assert list(gather(['Test/A/mixture.wav', 'Test/B/mixture.wav'], 'out').values()) == ['A', 'B']
    assert list(gather(['Test/A/mixture.wav'], 'out').values()) == ['mixture']
    assert list(gather(['.'], 'Test/out').values()) == ['Test/C', 'Test/A', 'Test/B']


def test_a_folder_of_songs_is_separated_as_the_evaluation_reads_it(script, golden, dsd_model, tmp_path):
    for song_name in ('A', 'B'):
        (tmp_path / 'Test' / song_name).mkdir(parents=True)
        shutil.copy(golden('5_end_to_end/dsd/short14336.wav'), tmp_path / 'Test' / song_name / 'mixture.wav')
    done = script(DSD, '-i', tmp_path / 'Test', '-o', tmp_path / 'out', '-m', dsd_model, '--quiet')
    assert done.returncode == 0, done.stderr
    assert sorted(os.listdir(str(tmp_path / 'out'))) == ['A', 'B']
    assert sorted(os.listdir(str(tmp_path / 'out' / 'A'))) == STEMS


@pytest.mark.parametrize('subtype', ['PCM_24', 'FLOAT'])
def test_wider_stems_add_up_to_the_16_bit_input_as_others_read_it(script, golden, complete_model, tmp_path, subtype):
    source = golden('5_end_to_end/dsd/short14336.wav')
    done = script(DSD, '-i', source, '-o', tmp_path, '-m', complete_model, '--subtype', subtype, '--stereo')
    assert done.returncode == 0
    total = sum(soundfile.read(str(tmp_path / name))[0] for name in STEMS)
    mixture = soundfile.read(source)[0]
    # a level wrong by one of 32768 would be 15 times as much
    assert np.abs(mixture).max() > .1
    assert np.abs(total - mixture).max() < 2.5 / 2 ** 23 + 2e-7
