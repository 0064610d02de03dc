"""model.py, architecture.py, unpickle.py: files of the original, hostile files, and files of the wrong network."""
import dataclasses
import errno
import json
import os
import pickle
import random

import numpy as np
import pytest

from deepconvsep import files
from deepconvsep.errors import InputError
from deepconvsep.formats import pickles
from deepconvsep.models import store
from deepconvsep.network import architecture
from deepconvsep.settings import ScoreSettings
from examples.dsd100 import recipe


def test_counts_and_sizes_of_the_published_networks():
    # number of arrays and of parameters, as counted in the original
    expected = {architecture.DSD100: (15, 475482), architecture.DSD100_FOUR_BRANCHES: (17, 578682),
                architecture.IKALA_POOLED: (13, 10368378), architecture.IKALA: (13, 69550578),
                architecture.BACH10: (17, 213997880), architecture.SCOREINFORMED: (17, 214000592),
                architecture.SCOREINFORMED_ONE_BRANCH: (11, 85513430)}
    for network, (arrays, parameters) in expected.items():
        shapes = network.param_shapes()
        assert (len(shapes), sum(int(np.prod(shape)) for shape in shapes)) == (arrays, parameters), network.name
        assert architecture.identify(shapes) is network


@pytest.fixture
def recorded_model(golden):
    return golden('5_end_to_end/dsd/model_dsd.pkl')


def test_a_model_of_the_original_is_read(recorded_model, golden_json):
    loaded = store.load(recorded_model, recipe.NETWORKS, 'separate_dsd')
    assert loaded.network is architecture.DSD100 and loaded.settings is None
    with open(recorded_model, 'rb') as source:
        # an independent reader, for a file that is known to be harmless
        trusted = pickle.load(source, encoding='latin1')
    checks = golden_json('5_end_to_end/model_checks.json')['dsd']
    assert len(loaded.params) == len(trusted) == len(checks) == 15
    for ours, theirs, check in zip(loaded.params, trusted, checks):
        np.testing.assert_array_equal(ours, theirs)
        assert ours.dtype == np.float32
        np.testing.assert_allclose([ours.sum(dtype=float), ours.ravel()[0], ours.ravel()[-1]],
                                   [check['sum'], check['first'], check['last']], rtol=1e-6)


def test_what_we_write_is_what_python_2_wrote(recorded_model, tmp_path):
    path = str(tmp_path / 'copy.pkl')
    pickles.dump_arrays(path, pickles.load_arrays(recorded_model))
    with open(path, 'rb') as ours, open(recorded_model, 'rb') as theirs:
        assert ours.read() == theirs.read()


@pytest.mark.parametrize('protocol', [0, 1, 2, 3, 4, 5])
@pytest.mark.parametrize('order', ['C', 'F'])
def test_any_protocol_and_precision_is_read(tmp_path, protocol, order):
    arrays = [np.arange(6, dtype='>f8').reshape(2, 3, order=order), np.ones((3,), np.float32), np.zeros((2, 0, 1)),
              np.array(3, np.float32)]
    with open(str(tmp_path / 'x.pkl'), 'wb') as out:
        pickle.dump(tuple(arrays), out, protocol)
    for ours, theirs in zip(pickles.load_arrays(str(tmp_path / 'x.pkl')), arrays):
        np.testing.assert_array_equal(ours, theirs)
        assert ours.shape == theirs.shape and ours.dtype == theirs.dtype.newbyteorder('=')


@pytest.mark.parametrize('network', [architecture.DSD100, architecture.DSD100_FOUR_BRANCHES])
def test_round_trip_with_settings(tmp_path, network):
    rs = np.random.RandomState(0)
    params = [rs.normal(size=shape).astype(np.float32) for shape in network.param_shapes()]
    path = str(tmp_path / 'model_x.pkl')
    store.save(path, params, network, recipe.SETTINGS, {'epochs': 3})
    loaded = store.load(path, recipe.NETWORKS, 'separate_dsd')
    assert (loaded.network, loaded.settings, loaded.training) == (network, recipe.SETTINGS, {'epochs': 3})
    for ours, theirs in zip(loaded.params, params):
        np.testing.assert_array_equal(ours, theirs)
    assert sorted(os.listdir(str(tmp_path))) == ['model_x.json', 'model_x.pkl']
    with open(path, 'rb') as source:
        assert len(pickle.load(source, encoding='latin1')) == len(params)


def test_a_model_that_cannot_be_saved_leaves_the_former_one_whole(tmp_path, monkeypatch):
    path = str(tmp_path / 'model.pkl')
    params = [np.ones(shape, np.float32) for shape in architecture.DSD100.param_shapes()]
    store.save(path, params, architecture.DSD100, recipe.SETTINGS, {})

    def full(path):
        raise OSError(errno.ENOSPC, 'No space left on device')
    monkeypatch.setattr(files, 'sync', full)
    with pytest.raises(OSError, match='No space left'):
        store.save(path, [2 * param for param in params], architecture.DSD100, recipe.SETTINGS, {})
    loaded = store.load(path, recipe.NETWORKS, 'separate_dsd')
    assert loaded.settings == recipe.SETTINGS and all((param == 1).all() for param in loaded.params)
    assert sorted(os.listdir(tmp_path)) == ['model.json', 'model.pkl']


def test_a_network_without_the_outputs_that_it_names_is_refused():
    with pytest.raises(ValueError, match=r'2 decoders of 1 channels have outputs 0 to 1, got outputs \(0, 1, 2, 3\)'):
        dataclasses.replace(architecture.DSD100, decoders=(0, 1))
    network = dataclasses.replace(architecture.DSD100, decoders=(0, 1), outputs=None, biases=None)
    assert network.outputs == (0, 1) and network.biases == 2
    with pytest.raises(ValueError, match='give outputs=None and biases=None for all'):
        dataclasses.replace(network, decoders=(0, 2))


def test_npz(tmp_path):
    params = [np.full(shape, 0.5, np.float32) for shape in architecture.DSD100.param_shapes()]
    np.savez(str(tmp_path / 'm.npz'), *params)
    loaded = store.load(str(tmp_path / 'm.npz'), recipe.NETWORKS, 'separate_dsd')
    assert [param.shape for param in loaded.params] == architecture.DSD100.param_shapes()
    (tmp_path / 'm.npz').write_bytes(b'no archive')
    with pytest.raises(InputError, match='m.npz is not a .npz model'):
        store.load(str(tmp_path / 'm.npz'), recipe.NETWORKS, 'separate_dsd')
    np.savez(str(tmp_path / 'o.npz'), np.array([{}], dtype=object))
    with pytest.raises(InputError, match='o.npz is not a .npz model'):
        store.load(str(tmp_path / 'o.npz'), recipe.NETWORKS, 'separate_dsd')


def test_the_wrong_network_is_named(tmp_path):
    path = str(tmp_path / 'm.pkl')
    pickles.dump_arrays(path, [np.zeros(shape, np.float32) for shape in architecture.IKALA_POOLED.param_shapes()])
    with pytest.raises(InputError, match=r'm.pkl holds 13 arrays of the iKala network with pooling; separate_dsd needs '
                                         r'15 \(DSD100 network\) or 17 .*use examples/ikala/separate_ikala.py'):
        store.load(path, recipe.NETWORKS, 'separate_dsd')
    pickles.dump_arrays(path, [np.zeros((2, 3))])
    with pytest.raises(InputError, match=r'holds 1 arrays of an unknown network, first shapes \(2, 3\)'):
        store.load(path, recipe.NETWORKS, 'separate_dsd')


def test_nan_weights_are_refused(tmp_path):
    params = [np.zeros(shape, np.float32) for shape in architecture.DSD100.param_shapes()]
    params[4][7] = np.nan
    pickles.dump_arrays(str(tmp_path / 'm.pkl'), params)
    with pytest.raises(InputError, match='damaged: array 4 of 15 holds NaN'):
        store.load(str(tmp_path / 'm.pkl'), recipe.NETWORKS, 'separate_dsd')


def test_settings_of_other_weights_are_refused(tmp_path):
    path = str(tmp_path / 'm.pkl')
    params = [np.zeros(shape, np.float32) for shape in architecture.DSD100.param_shapes()]
    store.save(path, params, architecture.DSD100, recipe.SETTINGS, {})
    params[0][:] = 1
    pickles.dump_arrays(path, params)
    with pytest.raises(InputError, match='do not belong together or are damaged: the SHA-256'):
        store.load(path, recipe.NETWORKS, 'separate_dsd')


@pytest.mark.parametrize('where,value,message', [
    ('format', 'other', 'has format'), ('version', 99, 'version 99'), ('settings', {}, 'does not hold the settings'),
    ('settings.window', 'kaiser', 'gives window'), ('settings.hop_size', 0, 'gives hop_size'),
    ('settings.hop_size', 1024, 'leaves gaps'), ('settings.hop_size', 980, 'leaves gaps'),
    ('settings.sources', ['../up', 'b', 'c', 'd'], 'gives sources'), ('settings.overlap', 30, 'does not describe'),
    ('settings.scale_factor', '0.3', 'gives scale_factor'), ('network.kernel', [15], 'kernel'),
    ('network.feat_size', 10 ** 9, 'feat_size'), ('network.feat_size', 511, 'cannot be built'),
    ('network.hidden', 127, 'does not describe'),
    ('settings.score', ScoreSettings().to_dict(), 'does not describe'),
    ('network.decoders', [0, 5], 'cannot be built'), ('network', None, 'does not describe a network'),
])
def test_bad_settings_are_named(tmp_path, where, value, message):
    path = str(tmp_path / 'm.pkl')
    store.save(path, [np.zeros(shape, np.float32) for shape in architecture.DSD100.param_shapes()],
               architecture.DSD100, recipe.SETTINGS, {})
    with open(str(tmp_path / 'm.json')) as source:
        values = json.load(source)
    *above, last = where.split('.')
    target = values[above[0]] if above else values
    target[last] = value
    with open(str(tmp_path / 'm.json'), 'w') as out:
        json.dump(values, out)
    with pytest.raises(InputError, match='m.json.*' + message):
        store.load(path, recipe.NETWORKS, 'separate_dsd')


class Touch:
    """Pickles as a call that would leave a trace."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, ('touch ' + self.path,)


def test_a_long_line_of_the_oldest_protocol_is_read(tmp_path):
    arrays = [np.random.RandomState(0).uniform(size=2000).astype(np.float32)]
    (tmp_path / 'm.pkl').write_bytes(pickle.dumps(arrays, 0))
    np.testing.assert_array_equal(pickles.load_arrays(str(tmp_path / 'm.pkl'))[0], arrays[0])


@pytest.mark.parametrize('protocol', [0, 2, 4])
def test_a_pickle_that_would_run_code_runs_nothing(tmp_path, protocol):
    trace = str(tmp_path / 'trace')
    with open(str(tmp_path / 'm.pkl'), 'wb') as out:
        pickle.dump([np.zeros(3), Touch(trace)], out, protocol)
    with pytest.raises(InputError, match='holds the name (posix|os).system, .*nothing in it was run'):
        pickles.load_arrays(str(tmp_path / 'm.pkl'))
    assert not os.path.exists(trace)


@pytest.mark.parametrize('content,message', [
    (b'', 'is not a model or is damaged'),
    (b'text', 'm.pkl'),
    (b'\x80\x02K\x01.', 'but not of a list of arrays'),
    (b'\x80\x02].', 'but not of a list of arrays'),
    (b'\x80\x02cnumpy\nndarray\nN}U\x05valueK\x05s\x86b.', 'the state of an object'),
    (b'\x80\x02cbuiltins\neval\n.', 'the name builtins.eval'),
    (b'\x80\x02P1\n.', 'm.pkl'),
    (b'\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.', 'm.pkl'),
    (b'\x80\x02]r\xff\xff\xff\x7f.', 'but not of a list of arrays'),
    (b'(' * 100000, 'm.pkl'),
])
def test_odd_pickles(tmp_path, content, message):
    (tmp_path / 'm.pkl').write_bytes(content)
    with pytest.raises(InputError, match=message):
        pickles.load_arrays(str(tmp_path / 'm.pkl'))
    assert pickles._Array.value is None


@pytest.mark.parametrize('content,message', [
    (None, 'cannot read the timbre model .*m.pkl: No such file'),
    (b'', 'm.pkl is not a timbre model or is damaged'),
    (b'\x80\x02].', 'm.pkl is a pickle, but not of one array: it is not a timbre model'),
    (b'\x80\x02cbuiltins\neval\n.', 'the name builtins.eval, expected one array alone: it is not a timbre model, and'),
])
def test_a_timbre_model_that_cannot_be_read_is_called_so(tmp_path, content, message):
    if content is not None:
        (tmp_path / 'm.pkl').write_bytes(content)
    with pytest.raises(InputError, match=message):
        pickles.load_array(str(tmp_path / 'm.pkl'))


def test_a_thousand_mutated_models(tmp_path, recorded_model):
    """Each is refused in one line, or differs in weights alone, which no reader can see without a checksum."""
    with open(recorded_model, 'rb') as source:
        original = source.read()
    # the structure around the arrays is what a mutation can hurt; the header holds most of it
    generator = random.Random(20170221)
    path = tmp_path / 'm.pkl'
    refused = 0
    for _ in range(1000):
        data = bytearray(original)
        kind = generator.randrange(4)
        place = generator.randrange(200) if generator.random() < 0.7 else generator.randrange(len(data))
        if kind == 0:
            data[place] = generator.randrange(256)
        elif kind == 1:
            del data[place:]
        elif kind == 2:
            data[place:place] = bytes(generator.randrange(256) for _ in range(generator.randrange(1, 9)))
        else:
            del data[place:place + generator.randrange(1, 9)]
        path.write_bytes(bytes(data))
        try:
            loaded = store.load(str(path), recipe.NETWORKS, 'separate_dsd')
        except InputError as error:
            assert '\n' not in str(error) and 'm.pkl' in str(error)
            refused += 1
        else:
            assert [param.shape for param in loaded.params] == architecture.DSD100.param_shapes()
    assert refused > 700


@pytest.mark.parametrize('value,message', [(1e300, 'holds 1e.300 in array 3 of 15, expected what float32 can hold'),
                                           (np.nan, 'array 3 of 15 holds NaN or infinity')])
def test_weights_that_float32_cannot_hold_are_refused(tmp_path, value, message):
    params = [np.zeros(shape) for shape in architecture.DSD100.param_shapes()]
    params[3].flat[1] = value
    for name in ('m.npz', 'm.pkl'):
        if name == 'm.npz':
            np.savez(str(tmp_path / name), *params)
        else:
            with open(str(tmp_path / name), 'wb') as out:
                pickle.dump(params, out, 2)
        with pytest.raises(InputError, match=name + '.*' + message):
            store.load(str(tmp_path / name), recipe.NETWORKS, 'separate_dsd')
