"""The package: what is built holds all that a separation needs, and needs no more than it says."""
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import venv
import zipfile

import numpy as np
import pytest
import soundfile
from conftest import ROOT

SCRIPT = os.path.join(ROOT, 'examples', 'ikala', 'separate_ikala.py')


@pytest.fixture(scope='module')
def wheel(tmp_path_factory):
    """The wheel, built from a copy of what git has: building leaves files in the folder."""
    pytest.importorskip('setuptools')
    folder = tmp_path_factory.mktemp('package')
    listed = subprocess.run(['git', 'ls-files', '-z', 'deepconvsep', 'pyproject.toml', 'README.md', 'LICENSE'],
                            cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip('this is no checkout: ' + listed.stderr.strip())
    for name in filter(None, listed.stdout.split('\0')):
        os.makedirs(os.path.dirname(folder / 'source' / name), exist_ok=True)
        shutil.copy(os.path.join(ROOT, name), folder / 'source' / name)
    done = subprocess.run([sys.executable, '-m', 'pip', 'wheel', '-q', '--no-deps', '--no-build-isolation',
                           '--disable-pip-version-check', '-w', str(folder), str(folder / 'source')],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return next(folder.glob('*.whl'))


def needed(names):
    """The distributions that some need, they included, without their extras: {name: distribution}."""
    found, queue = {}, list(names)
    while queue:
        name = re.match(r'[A-Za-z0-9._-]+', queue.pop()).group().lower()
        if name not in found:
            found[name] = importlib.metadata.distribution(name)
            queue += [text for text in found[name].requires or () if ';' not in text]
    return found


@pytest.fixture(scope='module')
def installed(wheel, tmp_path_factory):
    """An environment with the wheel and with what it says that it needs, and nothing else: no Theano."""
    folder = tmp_path_factory.mktemp('environment')
    venv.create(folder, symlinks=True)
    site = next(folder.glob('lib/python3*/site-packages'))
    with zipfile.ZipFile(wheel) as source:
        metadata = next(name for name in source.namelist() if name.endswith('/METADATA'))
        lines = source.read(metadata).decode().split('\n\n')[0].splitlines()
    plain = [line.split(': ')[1] for line in lines if line.startswith('Requires-Dist:') and 'extra ==' not in line]
    for distribution in needed(plain).values():
        for top in {file.parts[0] for file in distribution.files} - {'..', '__pycache__'}:
            if not os.path.lexists(site / top):
                os.symlink(distribution.locate_file(top), site / top)
    done = subprocess.run([sys.executable, '-m', 'pip', '--python', str(folder / 'bin' / 'python'), 'install', '-q',
                           '--no-deps', '--no-index', '--disable-pip-version-check', str(wheel)],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


def run(installed, *args, cwd, program='deepconvsep'):
    """Run a program of the environment where there is no compiler and nothing of this project but the package."""
    return subprocess.run([str(installed / 'bin' / program), *map(str, args)], cwd=cwd, capture_output=True, text=True,
                          env=dict(os.environ, PATH=str(installed / 'bin'), HOME=str(cwd)))


def test_the_installed_command_separates_as_the_script_does(installed, tmp_path, script):
    done = run(installed, '-c', 'import theano', cwd=tmp_path, program='python')
    assert 'ModuleNotFoundError' in done.stderr
    sound = tmp_path / 'song.wav'
    soundfile.write(str(sound), np.random.RandomState(0).uniform(-.1, .1, (44100, 2)), 44100)
    done = run(installed, 'separate', sound, '-o', 'out', '-m', 'ikala_frets_compact', '--report', cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert 'NumPy separates: Theano would, with theano and lasagne\n' in done.stderr
    assert (tmp_path / 'out' / 'index.html').exists()
    reference = script(SCRIPT, '-i', sound, '-o', tmp_path / 'reference', '--engine', 'numpy')
    assert reference.returncode == 0, reference.stderr
    names = ['song-%s.wav' % source for source in ('voice', 'music')]
    assert done.stdout.splitlines() == ['out/' + name for name in names] + ['out/index.html']
    for name in names:
        assert (tmp_path / 'out' / name).read_bytes() == (tmp_path / 'reference' / name).read_bytes()


def test_the_installed_command_lists_the_models_with_their_scores(installed, tmp_path):
    done = run(installed, 'models', cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert 'give them with -m, by name: bach10_compact, ' in done.stdout
    assert 'violin 4.7 dB (the mixture itself -5.1, the ideal mask 11.1)' in done.stdout
    assert run(installed, '--version', cwd=tmp_path).stdout.startswith('DeepConvSep 0.')


def test_the_installed_package_separates_in_python(installed, tmp_path):
    done = run(installed, '-c', 'import sys, deepconvsep\nassert "numpy" not in sys.modules\nimport numpy\n'
               'print({name: stem.shape for name, stem in deepconvsep.separate(numpy.ones(5000), 44100).items()})',
               cwd=tmp_path, program='python')
    assert done.returncode == 0, done.stderr
    assert done.stdout == "{'bassoon': (5000,), 'clarinet': (5000,), 'saxphone': (5000,), 'violin': (5000,)}\n"
