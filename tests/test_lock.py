"""lock.py: two trainings of one model at once."""
import json
import os
import subprocess
import sys

import pytest

from deepconvsep import files, lock
from deepconvsep.errors import InputError

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

HOLD = """
import sys, time
from deepconvsep import lock
with lock.hold(sys.argv[1], 'model_x.pkl is being trained', 'give up'):
    print('held', flush=True)
    time.sleep(600)
"""


def test_a_second_training_is_refused_and_a_dead_ones_lock_taken_over(tmp_path, caplog):
    path = str(tmp_path / 'lock_x.json')
    owner = subprocess.Popen([sys.executable, '-c', HOLD, path], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert owner.stdout.readline() == 'held\n'
        with pytest.raises(InputError, match='model_x.pkl is being trained by process %d on ' % owner.pid):
            with lock.hold(path, 'model_x.pkl is being trained', 'give up'):
                pass
        assert files.read_json(path)['process'] == owner.pid
    finally:
        owner.kill()
        owner.wait()
        owner.stdout.close()
    caplog.set_level('INFO')
    with lock.hold(path, 'model_x.pkl is being trained', 'give up'):
        assert files.read_json(path)['process'] == os.getpid()
        assert 'taking over from process %d on ' % owner.pid in caplog.text
    assert os.listdir(str(tmp_path)) == []


def test_a_file_system_without_locks(tmp_path, monkeypatch):
    def without(handle, how):
        raise OSError(lock.errno.ENOLCK, 'No locks available')
    monkeypatch.setattr(lock.fcntl, 'flock', without)
    path = tmp_path / 'lock_x.json'

    def left_by(**owner):
        path.write_text(json.dumps(dict({'host': lock.socket.gethostname(), 'since': 'then'}, **owner)))
    left_by(process=os.getppid())
    with pytest.raises(InputError, match='process %d on .* since then' % os.getppid()):
        with lock.hold(str(path), 'it is held', 'give up'):
            pass
    ended = subprocess.Popen(['true'])
    ended.wait()
    left_by(process=ended.pid)
    with lock.hold(str(path), 'it is held', 'give up'):
        pass
    left_by(process=ended.pid, host='another')
    with pytest.raises(InputError, match='on another since then'), lock.hold(str(path), 'it is held', 'give up'):
        pass
    path.write_text('{')
    with lock.hold(str(path), 'it is held', 'give up'):
        pass
    assert not path.exists()
