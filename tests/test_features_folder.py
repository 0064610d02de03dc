"""Records of what features were made from, and what is told from them."""
import hashlib
import json
import os
import shutil

import numpy as np
import pytest

from deepconvsep.errors import InputError
from deepconvsep.features import folder, tensors

TAG = tensors.MAGNITUDES


@pytest.fixture
def origin(tmp_path):
    """Two sources and a setting."""
    for name in 'ab':
        (tmp_path / name).write_text(name)
    return folder.Origin(folder.sources(str(tmp_path), [str(tmp_path / 'a'), str(tmp_path / 'b')]), {'way': (1, 2)})


def make(place, name, origin, value=1.):
    place.mkdir(exist_ok=True)
    tensors.save_tensor(str(place / (name + '.data')), np.full((2, 3), value), TAG, record=origin.record())
    return str(place / (name + '.data'))


def touch(path, seconds=10):
    before = os.stat(str(path))
    os.utime(str(path), (before.st_atime, before.st_mtime + seconds))


def test_a_record_names_what_was_there(tmp_path, origin):
    path = make(tmp_path / 'f', 'song', origin)
    record = json.loads((tmp_path / 'f' / 'song__m_.json').read_text())
    assert record['settings'] == {'way': [1, 2]} and set(record['made_from']) == {'a', 'b'}
    assert record['made_from']['b'] == {'sha256': hashlib.sha256(b'b').hexdigest(), 'size': 1,
                                        'mtime_ns': (tmp_path / 'b').stat().st_mtime_ns}
    assert origin.is_current(path)


def test_only_contents_decide(tmp_path, origin, monkeypatch):
    path = make(tmp_path / 'f', 'song', origin)
    touch(tmp_path / 'a', -1000)
    hashed = []
    sha256 = folder.files.sha256
    monkeypatch.setattr(folder.files, 'sha256', lambda name: hashed.append(name) or sha256(name))
    assert origin.is_current(path) and hashed == [str(tmp_path / 'a')]
    assert origin.is_current(path) and len(hashed) == 1   # the record has the new date
    (tmp_path / 'a').write_text('A')
    touch(tmp_path / 'a', -2000)   # older than the features
    assert not origin.is_current(path)
    (tmp_path / 'a').write_text('a')
    assert origin.is_current(path)
    os.unlink(str(tmp_path / 'a'))
    assert not origin.is_current(path)


@pytest.mark.parametrize('other', [
    lambda origin: folder.Origin(origin.sources, {'way': (1, 3)}),
    lambda origin: folder.Origin(origin.sources[:1], origin.settings)])
def test_other_settings_and_other_sources(tmp_path, origin, other):
    path = make(tmp_path / 'f', 'song', origin)
    assert not other(origin).is_current(path)


def test_shape_and_type_are_looked_at(tmp_path, origin):
    path = make(tmp_path / 'f', 'song', origin)
    assert origin.is_current(path, shape=(2, 3), dtype=np.dtype(float))
    assert not origin.is_current(path, shape=(3, 2)) and not origin.is_current(path, dtype=np.dtype('f4'))


def test_without_a_record_dates_decide(tmp_path, origin):
    path = make(tmp_path / 'f', 'song', origin)
    os.unlink(str(tmp_path / 'f' / 'song__m_.json'))
    assert origin.is_current(path)
    touch(tmp_path / 'a')
    assert not origin.is_current(path)


@pytest.mark.parametrize('text', ['', '[]', '{}', '{"made_from": [], "settings": {}}',
                                  '{"made_from": {"a": 1, "b": 2}, "settings": {"way": [1, 2]}}'])
def test_a_damaged_record_makes_the_features_stale(tmp_path, origin, text):
    path = make(tmp_path / 'f', 'song', origin)
    (tmp_path / 'f' / 'song__m_.json').write_text(text)
    assert not origin.is_current(path) and folder.fingerprint(str(tmp_path / 'f')) is None


def test_a_tensor_that_is_written_anew_loses_the_record_of_the_old_one(tmp_path, origin):
    path = make(tmp_path / 'f', 'song', origin)
    tensors.save_tensor(path, np.zeros((2, 3)), TAG)
    assert folder.fingerprint(str(tmp_path / 'f')) is None


def test_a_change_while_reading_is_noticed(tmp_path, origin):
    record = origin.record()
    origin.check(record)
    (tmp_path / 'b').write_text('longer')
    with pytest.raises(InputError, match='b changed while it was read: run again'):
        origin.check(record)
    os.unlink(str(tmp_path / 'b'))
    with pytest.raises(InputError, match='cannot read .*b: No such file'):
        origin.record()


# --- fingerprints -------------------------------------------------------------------------------------

def test_fingerprints(tmp_path, origin):
    assert folder.fingerprint([]) is None
    for name in 'xy':
        make(tmp_path / 'f', name, origin)
    first = folder.fingerprint(str(tmp_path / 'f'))
    assert len(first) == 64
    paths = [str(tmp_path / 'f' / (name + '__m_.data')) for name in 'yx']
    assert folder.fingerprint(paths) == folder.fingerprint([str(tmp_path / 'f')]) == first
    assert folder.fingerprint(paths[:1]) not in (first, None)
    shutil.copytree(str(tmp_path / 'f'), str(tmp_path / 'g'))
    assert folder.fingerprint(str(tmp_path / 'g')) == first   # wherever they lie
    touch(tmp_path / 'a')
    make(tmp_path / 'f', 'x', origin)
    assert folder.fingerprint(str(tmp_path / 'f')) == first   # whatever the dates are
    (tmp_path / 'a').write_text('A')
    make(tmp_path / 'f', 'x', origin)
    second = folder.fingerprint(str(tmp_path / 'f'))
    assert second not in (first, None)
    make(tmp_path / 'f', 'x', folder.Origin(origin.sources, {'way': 3}))
    assert folder.fingerprint(str(tmp_path / 'f')) not in (first, second, None)
    tensors.save_tensor(paths[1].replace(TAG, ''), np.ones((2, 3)), TAG, np.float32, origin.record())
    assert folder.fingerprint(str(tmp_path / 'f')) not in (first, second, None)   # of another type
    os.mkdir(str(tmp_path / 'f' / 'Test'))   # as training, which does not look below
    tensors.save_tensor(str(tmp_path / 'f' / 'Test' / 'z.data'), np.zeros(3))
    assert folder.fingerprint(str(tmp_path / 'f'))
    tensors.save_tensor(str(tmp_path / 'f' / 'z.data'), np.zeros(3))
    assert folder.fingerprint(str(tmp_path / 'f')) is None


def test_features_and_notes_go_together(tmp_path, origin):
    path = make(tmp_path / 'f', 'x', origin)
    make(tmp_path / 'f', 'x_1', origin)
    tensors.save_tensor(path, np.zeros(3), tensors.WIDENED, record=origin.record())
    folder.discard(path)
    assert sorted(os.listdir(str(tmp_path / 'f'))) == ['x_1__m_.data', 'x_1__m_.json', 'x_1__m_.shape']


# --- how the files of a folder are made ---------------------------------------------------------------

def test_settings_of_a_folder(tmp_path, origin):
    place = str(tmp_path)
    make(tmp_path / 'piece', 'x', origin)
    folder.check_record(place, {'seed': 1}, places={'db': 'a'})
    folder.check_record(place, {'seed': 1}, places={'db': 'b'})   # a dataset may be moved
    with pytest.raises(InputError, match='holds features with seed 1, now wanted: seed 2: choose another'):
        folder.check_record(place, {'seed': 2})
    folder.check_record(place, {'seed': 2}, overwrite=True)
    assert json.loads((tmp_path / 'features.json').read_text()) == {'seed': 2}


def test_a_folder_without_features_is_free(tmp_path):
    folder.check_record(str(tmp_path), {'seed': 1})
    assert not folder.check_record(str(tmp_path), {'seed': 2})
    assert json.loads((tmp_path / 'features.json').read_text()) == {'seed': 2}
    folder.check_record(str(tmp_path), {'seed': 1}, name='made.json', what='sounds')
    with pytest.raises(InputError, match='holds sounds with seed 1, now wanted: seed 2'):
        folder.check_record(str(tmp_path), {'seed': 2}, name='made.json', what='sounds')


def test_an_old_folder_stays_with_its_dataset(tmp_path, origin):
    make(tmp_path, 'x', origin)
    (tmp_path / 'generation.json').write_text('{"seed": 1, "db": "a"}')
    for _ in range(2):
        folder.check_record(str(tmp_path), {'seed': 1}, name='generation.json', places={'db': 'a'})
    with pytest.raises(InputError, match='holds features with db a, now wanted: db b'):
        folder.check_record(str(tmp_path), {'seed': 1}, name='generation.json', places={'db': 'b'})
