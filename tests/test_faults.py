"""What goes wrong around the programs: full disks, signals, broken caches, other runs, odd sounds and names."""
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import sound_tree
from conftest import ROOT

from deepconvsep import audio
from deepconvsep.errors import InputError
from deepconvsep.features import making
from deepconvsep.features import plan as plans
from deepconvsep.models import store
from deepconvsep.separation.separator import Separator
from deepconvsep.separation.sound import separate_file
from examples.dsd100 import recipe

SEPARATE = os.path.join(ROOT, 'examples', 'dsd100', 'separate_dsd.py')
STEMS = ['bass.wav', 'drums.wav', 'other.wav', 'vocals.wav']


@pytest.fixture(scope='session')
def dsd_model(golden, tmp_path_factory):
    """The recorded model with its settings beside it, without which there is a warning."""
    loaded = store.load(golden('5_end_to_end/dsd/model_dsd.pkl'), recipe.NETWORKS, 'a test')
    path = str(tmp_path_factory.mktemp('model') / 'm.pkl')
    store.save(path, loaded.params, loaded.network, recipe.LEGACY_SETTINGS, {})
    return path


@pytest.fixture(scope='session')
def tone(tmp_path_factory):
    """Two seconds of noise, mono."""
    path = str(tmp_path_factory.mktemp('tone') / 'tone.wav')
    audio.write(path, np.random.RandomState(0).uniform(-.3, .3, 88200), 44100)
    return path


@pytest.fixture
def start(tone, dsd_model):
    """Begin a separation into a folder."""
    def begin(folder, *more, options=(), **popen):
        popen = dict({'stdout': subprocess.PIPE, 'stderr': subprocess.PIPE}, **popen)
        return subprocess.Popen([sys.executable, *options, SEPARATE, '-i', tone, '-o', str(folder), '-m', dsd_model,
                                 '--quiet',
                                 *more], universal_newlines=True, **popen)
    return begin


def contents(folder):
    return {name: (folder / name).read_bytes() for name in os.listdir(str(folder))}


def assert_one_line(process, code, *words):
    _, complaint = process.communicate(timeout=300)
    assert process.returncode == code, complaint
    assert complaint.count('\n') == 1 and all(word in complaint for word in words), complaint


# --- the disk -----------------------------------------------------------------------------------------

@pytest.fixture
def small_disk(tmp_path):
    """A disk of 200 KB."""
    folder = tmp_path / 'small'
    folder.mkdir()
    if os.geteuid() != 0 or not sys.platform.startswith('linux') or subprocess.call(
            ['mount', '-t', 'tmpfs', '-o', 'size=200k', 'tmpfs', str(folder)], stderr=subprocess.DEVNULL):
        pytest.skip('only root can mount a small disk')
    yield folder
    subprocess.check_call(['umount', str(folder)])


def test_a_full_disk_leaves_nothing_behind(start, small_disk):
    assert_one_line(start(small_disk / 'out'), 1, 'cannot write', 'is the disk full?')
    assert os.listdir(str(small_disk / 'out')) == []


def test_a_file_may_not_grow(start, tmp_path):
    """As with a quota: the limit of the process."""
    resource = pytest.importorskip('resource')
    limited = start(tmp_path / 'out', preexec_fn=lambda: (
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN), resource.setrlimit(resource.RLIMIT_FSIZE, (50000, 50000))))
    assert_one_line(limited, 1, 'cannot write')
    assert os.listdir(str(tmp_path / 'out')) == []


def test_no_permission(start, tmp_path):
    if os.geteuid() == 0:
        pytest.skip('root may write everywhere')
    (tmp_path / 'out').mkdir(mode=0o500)
    assert_one_line(start(tmp_path / 'out'), 1, 'permission denied')


def test_standard_output_that_is_full_closed_or_left(start, tmp_path):
    with open('/dev/full', 'w') as full:
        assert_one_line(start(tmp_path / 'full', stdout=full), 1, 'No space left on device')
    closed = start(tmp_path / 'closed', preexec_fn=lambda: os.close(1), stdout=None)
    assert closed.communicate(timeout=300)[1] == '' and closed.returncode == 0
    left = start(tmp_path / 'left')
    left.stdout.close()
    assert left.wait(timeout=300) == 1 and left.stderr.read() == ''
    left.stderr.close()
    assert sorted(os.listdir(str(tmp_path / 'closed'))) == STEMS


# --- signals ------------------------------------------------------------------------------------------

@pytest.mark.parametrize('seconds', [.1, .7, 2.])
def test_interrupted_at_any_time(start, tmp_path, seconds):
    """While the modules of Theano are imported, and while it works."""
    log = tmp_path / 'stderr'
    with log.open('w') as stderr:
        process = start(tmp_path / 'out', options=['-X', 'importtime'], stderr=stderr)
    while 'deepconvsep.separation.program\n' not in log.read_text():  # the last import before main
        assert process.poll() is None, log.read_text()
        time.sleep(.01)
    time.sleep(seconds)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=300)
    complaint = ''.join(line for line in log.open() if not line.startswith('import time:'))
    assert (process.returncode, complaint) in [(130, 'separate_dsd.py: error: interrupted\n'), (0, '')]
    assert not os.path.exists(str(tmp_path / 'out')) or process.returncode == 0 \
        or not any(name.startswith('.') for name in os.listdir(str(tmp_path / 'out')))


def test_killed_at_random_and_run_again(start, tmp_path):
    """What is there after a kill is whole, and the next run replaces or completes it."""
    start(tmp_path / 'whole').communicate(timeout=300)
    expected = contents(tmp_path / 'whole')
    generator = np.random.RandomState(1)
    for _ in range(2):
        process = start(tmp_path / 'out', '--overwrite')
        time.sleep(generator.uniform(.5, 4))
        process.kill()
        process.communicate(timeout=300)
        if (tmp_path / 'out').exists():
            for name, data in contents(tmp_path / 'out').items():
                assert name.startswith('.') or data == expected[name]
    done = start(tmp_path / 'out', '--overwrite')
    assert done.communicate(timeout=300)[1] == ''
    found = contents(tmp_path / 'out')
    assert {name: found[name] for name in STEMS} == expected


# --- Theano's surroundings ----------------------------------------------------------------------------

@pytest.mark.parametrize('flags,words', [
    ('device=cuda0', ['is missing']),
    ('device=gpu', ['is missing']),
    ('floatX=float7', ['Theano does not start: Invalid value', 'correct THEANO_FLAGS']),
])
def test_flags_that_cannot_be_obeyed(start, tmp_path, flags, words):
    import importlib.util
    if 'device' in flags and importlib.util.find_spec('pygpu'):
        pytest.skip('pygpu is installed')
    environ = dict(os.environ, THEANO_FLAGS='%s,%s' % (os.environ['THEANO_FLAGS'], flags))
    process = start(tmp_path / 'out', env=environ)
    _, complaint = process.communicate(timeout=300)
    last = complaint.strip().split('\n')[-1]
    assert process.returncode == 1 and all(word in last for word in words) and 'Traceback' not in complaint
    assert os.listdir(str(tmp_path / 'out')) == []


def test_a_damaged_compile_cache_is_named(start, tmp_path):
    from deepconvsep.backend.prepare import prepare
    theano = prepare(verbose=False)
    if not theano.config.cxx:
        pytest.skip('there is no compiler')
    cache = os.path.join(theano.config.compiledir, 'lazylinker_ext')
    name = os.path.basename(theano.config.compiledir)
    copy = shutil.copytree(cache, str(tmp_path / 'cache' / name / 'lazylinker_ext'))
    damaged = [os.path.join(copy, name) for name in os.listdir(copy) if name.endswith('.so')]
    for path in damaged:
        os.truncate(path, 100)
    environ = dict(os.environ, THEANO_FLAGS='base_compiledir=%s' % (tmp_path / 'cache'))
    assert damaged
    assert_one_line(start(tmp_path / 'out', env=environ), 1, 'compiled modules in', 'remove that folder')


# --- several at once ----------------------------------------------------------------------------------

def test_four_at_once_and_two_into_one_folder(start, tmp_path):
    several = [start(tmp_path / str(number)) for number in range(4)]
    same = [start(tmp_path / 'same', '--overwrite') for _ in range(2)]
    for process in several + same:
        assert process.communicate(timeout=300)[1] == '' and process.returncode == 0
    expected = contents(tmp_path / '0')
    assert sorted(expected) == STEMS
    for folder in ['same'] + list(map(str, range(4))):
        assert contents(tmp_path / folder) == expected


# --- a dataset that changes ---------------------------------------------------------------------------

def test_features_of_a_sound_that_changed_are_computed_again(script, tmp_path):
    command = ('examples/dsd100/compute_features.py', '--db', tmp_path / 'db', '--feature_path', tmp_path / 'f',
               '--nprocs', '1', '--quiet')
    sound_tree.write_song(tmp_path / 'db', 'song', 3000)
    sound_tree.write_song(tmp_path / 'db', 'song', 3000, 'Test')
    assert script(*command).returncode == 0
    before = contents(tmp_path / 'f')
    assert script(*command).returncode == 0 and contents(tmp_path / 'f') == before
    sound_tree.write_song(tmp_path / 'db', 'song', 3000, seed=9)
    assert script(*command).returncode == 0
    name = 'song_0__m_.data'
    assert contents(tmp_path / 'f')[name] != before[name]


def test_a_song_that_becomes_shorter_while_it_is_read(tmp_path, monkeypatch):
    sound_tree.write_song(tmp_path / 'db', 'song', 3000)
    from examples.dsd100 import layout
    songs = tuple(layout.songs(str(tmp_path / 'db'), ['Dev']))
    dataset = plans.Dataset('DSD100', recipe.SETTINGS, songs, {'Dev': 50}, making.read_downmixed, 30)
    plan = plans.plan_song(dataset, songs[0], 3000, str(tmp_path))
    with open(songs[0].paths[2], 'r+b') as sound:
        sound.truncate(2000)
    with pytest.raises(InputError, match='shorter than its header says'):
        making.compute(dataset.read, dataset.settings, False, plan)
    assert not plans.is_finished(plan)


# --- odd sounds and names -----------------------------------------------------------------------------

@pytest.fixture(scope='module')
def separator(golden):
    from deepconvsep.models import store
    loaded = store.load(golden('5_end_to_end/dsd/model_dsd.pkl'), recipe.NETWORKS, 'a test')
    return Separator(loaded.network, loaded.params, recipe.LEGACY_SETTINGS, batch_size=2)


@pytest.mark.parametrize('name,samples,rate', [
    ('silence', np.zeros((3000, 2)), 44100), ('one sample', np.full((1, 1), .5), 44100),
    ('DC', np.full((3000, 1), .4), 44100),
    ('full scale', np.where(np.arange(3000) // 50 % 2, 1., -1.)[:, None], 44100),
    ("quotes ' \" and\nlines", np.full((2000, 1), .1), 44100), ('日本語 é', np.full((2000, 1), .1), 44100),
    ('\udcff.not text', np.full((2000, 1), .1), 44100),
] + [('%d channels' % channels, np.full((2000, channels), .1), 44100) for channels in (2, 3, 5, 8)]
  + [('%d Hz' % rate, np.full((2000, 1), .1), rate) for rate in (8000, 11025, 48000, 96000, 192000)])
def test_odd_sounds_and_names(separator, tmp_path, name, samples, rate):
    """Stems have the input's length, rate and channels and add up to it, and the input stays as it is."""
    path = str(tmp_path / (name + '.wav'))
    audio.write(path, samples, rate, subtype='FLOAT')
    with open(path, 'rb') as source:
        before = source.read()
    outputs = [str(tmp_path / ('%s%d.wav' % (name, index))) for index in range(4)]
    assert separate_file(separator, path, outputs, stereo=True, subtype='FLOAT', quiet=True) == len(samples)
    stems = [audio.read(output) for output in outputs]
    for stem, found in stems:
        assert found == rate and stem.shape == samples.shape and np.isfinite(stem).all()
    total = sum(stem for stem, _ in stems)
    np.testing.assert_allclose(total, samples, atol=2e-3 if rate != 44100 else 1e-5)
    with open(path, 'rb') as source:
        assert source.read() == before


@pytest.mark.parametrize('bad', [np.nan, np.inf, -np.inf])
def test_sounds_that_are_not_finite_are_refused(separator, tmp_path, bad):
    import soundfile
    samples = np.zeros(3000)
    samples[1500] = bad
    soundfile.write(str(tmp_path / 'a.wav'), samples, 44100, subtype='FLOAT')
    with pytest.raises(InputError, match='NaN or infinity at 0.034 s'):
        separate_file(separator, str(tmp_path / 'a.wav'), [str(tmp_path / str(n)) for n in range(4)],
                                 quiet=True)
    assert os.listdir(str(tmp_path)) == ['a.wav']


@pytest.mark.parametrize('rate', [1, 999, 2000000])
def test_rates_of_damaged_headers_are_refused(separator, tmp_path, rate):
    audio.write(str(tmp_path / 'a.wav'), np.zeros(100), rate)
    with pytest.raises(InputError, match='has %d Hz, expected 1000 to 655350 Hz' % rate):
        separate_file(separator, str(tmp_path / 'a.wav'), [str(tmp_path / str(n)) for n in range(4)],
                                 quiet=True)
    assert os.listdir(str(tmp_path)) == ['a.wav']


def test_three_hours_are_read_in_little_memory(tmp_path):
    """A sparse file: 1.9 GB of header's claims, a few KB of disk."""
    import tracemalloc
    path = str(tmp_path / 'long.wav')
    audio.write(path, np.zeros((1, 2)), 44100)
    frames = 3 * 3600 * 44100
    with open(path, 'r+b') as sound:
        sound.seek(4)
        sound.write((36 + 4 * frames).to_bytes(4, 'little'))
        sound.seek(40)
        sound.write((4 * frames).to_bytes(4, 'little'))
        sound.truncate(44 + 4 * frames)
    tracemalloc.start()
    with audio.Reader(path) as reader:
        assert reader.frames == frames and not reader.cut_off
        assert sum(len(block) for block in reader.blocks(1 << 20)) == frames
    assert tracemalloc.get_traced_memory()[1] < 1 << 27
    tracemalloc.stop()
