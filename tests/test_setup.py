"""tools/setup.sh: an interpreter that it cannot use is named, and a finished environment is left alone."""
import os
import shutil
import subprocess
import sys

import pytest
from conftest import ROOT

FALSE = shutil.which('false')


def run(folder, **variables):
    environment = {name: value for name, value in os.environ.items() if name not in ('PYTHON', 'SET', 'VENV')}
    return subprocess.run(['sh', 'tools/setup.sh'], cwd=ROOT, env=dict(environment, VENV=str(folder), **variables),
                          capture_output=True, text=True)


@pytest.mark.parametrize('kind,versions', [('', 'Python 3.10 to 3.13'), ('gpu', 'Python 3.11')])
def test_another_interpreter_is_refused(tmp_path, kind, versions):
    done = run(tmp_path / 'env', PYTHON=FALSE, SET=kind)
    assert (done.returncode, done.stderr) == (1, 'setup: PYTHON=%s is not %s\n' % (FALSE, versions))
    assert not (tmp_path / 'env').exists()


def test_the_libraries_of_a_gpu_are_looked_for(tmp_path):
    """The line of setup_gpu.sh that decides what is installed: 0 where both are there, 1 where not, nothing said."""
    with open(os.path.join(ROOT, 'tools', 'setup_gpu.sh'), encoding='utf-8') as source:
        asked = source.read().split('if "$python" -c \'')[1].split("'; then")[0]
    for places, code in ((None, 1), (('nvrtc', 'cublas'), 0)):
        asked_here = asked if places is None else asked.replace(
            'sys.exit', 'find_library = %r.__contains__\nsys.exit' % (places,))
        done = subprocess.run([sys.executable, '-c', asked_here], cwd=ROOT, capture_output=True, text=True,
                              env=dict(os.environ, LD_LIBRARY_PATH=str(tmp_path)))
        assert (done.returncode, done.stderr) == (code, '')


def test_a_finished_environment_is_left_alone(tmp_path):
    """Known by a stamp of the requirements and of the lock."""
    done = subprocess.run('cat requirements.txt requirements/lock.txt | cksum', shell=True, cwd=ROOT, check=True,
                          capture_output=True)
    (tmp_path / 'bin').mkdir()
    os.symlink(FALSE, str(tmp_path / 'bin' / 'python'))
    (tmp_path / ('.installed-' + done.stdout.decode().replace(' ', '').strip())).touch()
    done = run(tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, '', '')
