"""The list of models, and the one that separates when none is given."""
import os
import shutil

import numpy as np
import pytest
import soundfile
from conftest import ROOT

from deepconvsep.errors import InputError
from deepconvsep.models import known, listing, store
from deepconvsep.network import architecture
from examples.bach10 import recipe, separate_bach10


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of models with one, whose masks are 0.1, 0.2, 0.3 and 0.4."""
    path = tmp_path / 'models'
    path.mkdir()
    params = [np.zeros(shape, np.float32) for shape in architecture.BACH10_COMPACT.param_shapes()]
    params[-1][:] = 1, 2, 3, 4
    store.save(str(path / 'bach10_compact.pkl'), params, architecture.BACH10_COMPACT, recipe.SETTINGS, {})
    monkeypatch.setattr(known, 'FOLDER', str(path))
    return path


def damage(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def test_models_of_this_project_are_whole_and_small():
    assert recipe.DEFAULT_MODEL in known.own()
    for name in known.own():
        loaded = store.load(known.path(name), architecture.KNOWN, 'this project')
        assert loaded.settings is not None and loaded.training
        assert os.path.getsize(known.path(name)) <= 5e6


def test_published_models_are_told_by_array_counts_and_scripts():
    counts = {found.name.split(':')[0]: [len(network.param_shapes()) for network in found.networks]
              for found in known.PUBLISHED}
    assert counts['DSD100'] == [15] and counts['iKala'] == [13] and counts['Bach10'] == [17]
    assert {11, 17} <= set(counts['Bach10, score-informed'])
    for found in known.PUBLISHED[:3]:
        assert os.path.exists(os.path.join(ROOT, found.script))
    assert all(found.address.startswith('https://') for found in known.PUBLISHED)


def test_list(folder, capsys):
    assert listing.main([]) == 0
    out = capsys.readouterr().out
    assert 'compact Bach10 network, 17 arrays, 655,482 parameters' in out and 'as in bach10_compact.json' in out
    assert out.count('examples/bach10/separate_bach10.py') == 2 and 'zenodo.org/record/1009144' in out
    damage(folder / 'bach10_compact.pkl')
    assert listing.main([]) == 1
    done = capsys.readouterr()
    assert 'SHA-256 of the weights differs' in done.err and 'iKala' in done.out
    assert done.err.startswith('deepconvsep.models: error: ')
    assert listing.main(['--verify', 'bach10_compact'], 'deepconvsep models') == 1
    assert capsys.readouterr().err.startswith('deepconvsep models: error: ')


def test_verify_as_a_user_does(script, golden, tmp_path):
    (tmp_path / 'no model.pkl').write_bytes(b'text')
    found = golden('5_end_to_end/dsd/model_dsd.pkl')
    done = script('-m', 'deepconvsep.models', '--verify', found, tmp_path / 'no model.pkl', tmp_path / 'missing.pkl')
    assert done.returncode == 1 and 'Traceback' not in done.stderr
    assert 'DSD100 network, 15 arrays' in done.stdout and 'examples/dsd100/separate_dsd.py' in done.stdout
    assert 'with nothing beside it to compare with' in done.stdout
    assert 'no model.pkl' in done.stderr and 'cannot read the model' in done.stderr
    assert script('deepconvsep/models/__main__.py', '--verify', found).returncode == 0


def test_given_models(folder, tmp_path, monkeypatch):
    own = str(folder / 'bach10_compact.pkl')
    assert known.locate('bach10_compact') == own and known.locate('mine.pkl') == 'mine.pkl'
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'bach10_compact').mkdir()
    assert known.locate('bach10_compact') == own, 'a folder is no model'
    (tmp_path / 'bach10_compact').rmdir()
    shutil.copy(own, str(tmp_path / 'bach10_compact'))
    assert known.locate('bach10_compact') == 'bach10_compact', 'a file that exists comes first'
    with pytest.raises(InputError, match=r'neither a file other nor a model of this name, .* one of bach10_compact$'):
        known.locate('other')
    shutil.copy(own, str(tmp_path / 'other.pkl'))
    with pytest.raises(InputError, match='one of bach10_compact: give other.pkl'):
        known.locate('other')


@pytest.mark.parametrize('lost', ['bach10_compact.pkl', 'bach10_compact.json'])
def test_default_model_that_is_incomplete(folder, tmp_path, lost):
    (folder / lost).unlink()
    with pytest.raises(InputError, match='there is no .*%s' % lost) as raised:
        separate_bach10.main(['-i', __file__, '-o', str(tmp_path / 'out')])
    assert '\n' not in str(raised.value) and not (tmp_path / 'out').exists()


def test_default_model_that_is_damaged(folder, tmp_path):
    damage(folder / 'bach10_compact.pkl')
    with pytest.raises(InputError, match='do not belong together or are damaged: the SHA-256 of the weights differs'):
        separate_bach10.main(['-i', __file__, '-o', str(tmp_path / 'out')])


def test_separates_without_a_model(folder, golden, tmp_path, capsys):
    sound = golden('5_end_to_end/dsd/short14336.wav')
    assert separate_bach10.main(['-i', sound, '-o', str(tmp_path), '--quiet']) == 0
    paths = capsys.readouterr().out.split()
    mixture = soundfile.read(sound, always_2d=True)[0].mean(axis=1)
    for path, share in zip(paths, (.1, .2, .3, .4)):
        np.testing.assert_allclose(soundfile.read(path)[0], share * mixture, atol=1e-4)
