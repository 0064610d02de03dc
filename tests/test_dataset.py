"""What LargeDataset gives: recorded values of the original, a plain restatement of the cutting, errors."""
import doctest
import os

import numpy as np
import pytest
from conftest import assert_sampled
from feature_tree import cut_all, sorted_rows, write, write_random

import dataset
from deepconvsep.data import large, moments, multi, windows
from deepconvsep.features import tensors as tensors_module


def everything(train):
    """All batches of the rest of an epoch, joined: [inputs, outputs, ...]."""
    return [np.concatenate(parts) for parts in zip(*train)]


@pytest.mark.parametrize('module', [windows, large, multi, moments, tensors_module])
def test_examples_in_docstrings(module):
    failed, tried = doctest.testmod(module)
    assert failed == 0 and tried > 0


# --- recorded values ----------------------------------------------------------------------------------

@pytest.fixture(scope='module')
def load_file(golden_json, golden):
    return golden_json('3_dataset/loadFile.json'), np.load(golden('3_dataset/loadFile.npz'))


@pytest.mark.parametrize('variant', range(5))
def test_legacy_examples_are_the_recorded_ones(tmp_path, load_file, variant):
    index, recorded = load_file
    rows = [row for row in index['rows'] if row['variant'] == variant]
    assert len(rows) == 21
    for row in rows:
        tensor = np.random.RandomState(row['seed']).uniform(size=(5, row['T'], index['features'])) * 2
        folder = tmp_path / str(row['k'])
        write(folder, 'x', tensor)
        train = dataset.LargeDataset(str(folder), time_context=row['time_context'], overlap=row['overlap'],
                                     legacy=True, **index['variants'][variant])
        rtol = 1e-6 if row['all']['dtype'] == 'float32' else 1e-12
        assert train.getNum(0) == train.total_points == row['getNum']
        assert (train.input_size, train.output_size) == (row['input_size'], row['output_size'])
        inputs, outputs = train.loadFile(0, 0, max(1, row['windows_cut']))
        assert inputs.dtype == outputs.dtype == row['all']['dtype']
        assert_sampled(recorded, 'in%d' % row['k'], inputs, rtol=rtol)
        assert_sampled(recorded, 'out%d' % row['k'], outputs, rtol=rtol)
        for name, begin, end in (('default', None, None), ('part', row['part']['idxbegin'], row['part']['idxend'])):
            for stem, value in zip(('in', 'out'), train.loadFile(0, begin, end)):
                total, squares, low, high = recorded['%s%d.%s.stats' % (stem, row['k'], name)]
                assert list(value.shape) == row[name]['inputs' if stem == 'in' else 'outputs']
                value = value.astype(np.float64)
                np.testing.assert_allclose([value.sum(), np.square(value).sum()], [total, squares], rtol=rtol)
                np.testing.assert_allclose([value.min(), value.max()], [low, high], rtol=rtol)


def test_without_legacy_the_recorded_examples_are_a_part(tmp_path, load_file):
    index, recorded = load_file
    for row in index['rows']:
        if row['variant'] == 0 and row['T'] != row['time_context'] and 'in%d' % row['k'] in recorded:
            write(tmp_path, 'x', np.random.RandomState(row['seed']).uniform(size=(5, row['T'], 7)) * 2)
            train = dataset.LargeDataset(tmp_path, time_context=row['time_context'], overlap=row['overlap'],
                                         nsources=4)
            np.testing.assert_allclose(train.loadFile(0)[0][:row['windows_cut']], recorded['in%d' % row['k']],
                                       rtol=1e-12)


def test_targets_of_another_folder(tmp_path, golden, golden_json):
    index = golden_json('3_dataset/loadFile_two_dirs.json')
    recorded = np.load(golden('3_dataset/loadFile_two_dirs.npz'))
    write(tmp_path / 'in', 'x', np.random.RandomState(index['seed_in']).uniform(size=index['shape_in']))
    write(tmp_path / 'out', 'x', np.random.RandomState(index['seed_out']).uniform(size=index['shape_out']))
    for nsources in (1, 3):
        train = dataset.LargeDataset(str(tmp_path / 'in'), str(tmp_path / 'out'), nsources=nsources, legacy=True,
                                     time_context=index['time_context'], overlap=index['overlap'])
        assert [train.input_size, train.output_size] == index['ns%d' % nsources]
        cut = len(train._starts(train.tracks[0], 100)[train._starts(train.tracks[0], 100) < index['T']])
        inputs, outputs = train.loadFile(0, 0, cut)
        assert_sampled(recorded, 'ns%d.in' % nsources, inputs, rtol=1e-12)
        assert_sampled(recorded, 'ns%d.out' % nsources, outputs, rtol=1e-12)


def test_extra_features(tmp_path, golden, golden_json):
    index, recorded = golden_json('3_dataset/extra_features.json'), np.load(golden('3_dataset/extra_features.npz'))
    write(tmp_path, 'x', np.random.RandomState(index['seed']).uniform(size=(3, index['T'], index['F'])))
    extra = np.random.RandomState(index['seed_features']).uniform(size=index['feature_shape'])
    write(tmp_path, 'x', extra, tag='__emb_')
    for row in index['rows']:
        train = dataset.LargeDataset(str(tmp_path), time_context=index['time_context'], overlap=index['overlap'],
                                     extra_features=True, model='emb', context=row['context'], jump=row['jump'])
        assert train.jump == row['jump_used']
        expected = recorded['features%d' % row['k']]
        np.testing.assert_allclose(train.loadFile(0, 0, len(expected))[2], expected, rtol=1e-12)
        # in a batch they belong to their window
        inputs, outputs, given = everything(train)
        ordered = train.loadFile(0)
        for window, own in zip(inputs, given):
            index_of = [i for i, other in enumerate(ordered[0]) if (other == window).all()]
            assert len(index_of) == 1 and (ordered[2][index_of[0]] == own).all()


def test_defaults_are_the_recorded_ones(tmp_path, golden_json):
    write_random(tmp_path, [200])
    for row in golden_json('3_dataset/constructor.json'):
        train = dataset.LargeDataset(**row['kwargs'])
        assert {name: getattr(train, name) for name in row if name != 'kwargs'} \
            == {name: value for name, value in row.items() if name != 'kwargs'}
        train.updatePath(str(tmp_path))
        assert (train.batch_size, train.batch_memory) == (min(64, train.total_points), 1), 'no more than there are'


def test_sizes_are_plain_ints(tmp_path):
    """Lasagne refuses NumPy's integers in layer shapes on some systems."""
    write_random(tmp_path, [50])
    train = dataset.LargeDataset(str(tmp_path), batch_size=np.int64(4), time_context=np.int64(10))
    for name in ('batch_size', 'batch_memory', 'input_size', 'output_size', 'total_points', 'iteration_size',
                 'time_context', 'overlap'):
        assert type(getattr(train, name)) is int, name


def test_file_lists(tmp_path, golden_json):
    index = golden_json('3_dataset/file_list.json')
    for name in index['present']:
        if name.endswith('.data'):
            write(tmp_path, name[:-len('.data')], np.ones((3, 20, 2)), tag='')
    for row in index['rows']:
        train = dataset.LargeDataset(str(tmp_path), exclude_list=row.get('exclude_list', []),
                                     nsamples=row.get('nsamples', 0), seed=row.get('np_random_seed', 0))
        expected = row['files']
        if row.get('exclude_list') == ['b_1', 'c']:
            expected = ['a_1__m_.data', 'a_2__m_.data']  # the original did not find names that contain "_"
        if row.get('nsamples') == 2:
            assert len(train.file_list) == 2             # the original ignored 1 and 2
        else:
            assert train.file_list == expected


def test_statistics_of_the_recorded_run(tmp_path, golden_json):
    """Runs whose recorded chunk held all examples: means, deviations, extremes are those of the original."""
    compared = 0
    for row in golden_json('3_dataset/batch_flow.json'):
        if 'error' in row or row['min'] == 0 or row['k'] == 5:
            continue
        folder = tmp_path / str(row['k'])
        for number, frames in enumerate(row['frames']):
            value = (number + 1) * 10000. + np.arange(frames)
            write(folder, 's%d' % number, np.stack([value, value + .25, value + .5])[..., None] * np.ones(1))
        train = dataset.LargeDataset(str(folder), legacy=True, **row['kwargs'])
        assert train.num_points == row['num_points']
        if row['k'] == 0:  # the other run had dropped its last example
            assert train.getMean() == pytest.approx(row['mean'], rel=1e-12)
            assert train.getStd() == pytest.approx(row['std'], rel=1e-12)
            assert (train.getMin(), train.getMax()) == (row['min'], row['max'])
            compared += 1
    assert compared == 1


# --- a plain restatement ------------------------------------------------------------------------------

@pytest.mark.parametrize('seed', range(25))
def test_every_window_exactly_once_per_epoch(tmp_path, seed):
    rng = np.random.default_rng(seed)
    time_context = int(rng.integers(1, 12))
    overlap = int(rng.integers(0, time_context))
    lengths = np.concatenate([rng.integers(1, 60, size=rng.integers(1, 9)), [time_context]])
    dtype = [np.float64, np.float32][seed % 2]
    tensors = write_random(tmp_path, lengths, seed=seed, dtype=dtype)
    batch_size, batch_memory = int(rng.integers(1, 20)), int(rng.integers(1, 8))
    train = dataset.LargeDataset(str(tmp_path), time_context=time_context, overlap=overlap, batch_size=batch_size,
                                 batch_memory=batch_memory, nprocs=int(rng.integers(1, 4)), seed=seed)
    inputs, outputs = cut_all(tensors, time_context, overlap)
    assert train.total_points == len(inputs)
    assert len(train) == -(-len(inputs) // train.batch_size)
    order = []
    for epoch in range(3):
        batches = list(train)
        assert train.epoch == epoch + 1
        assert [len(batch[0]) for batch in batches[:-1]] == [train.batch_size] * (len(train) - 1)
        given = [np.concatenate(parts) for parts in zip(*batches)]
        np.testing.assert_array_equal(sorted_rows(given[0]), sorted_rows(inputs))
        np.testing.assert_array_equal(sorted_rows(given[1]), sorted_rows(outputs))
        # inputs and outputs belong together
        np.testing.assert_array_equal(sorted_rows(np.concatenate(given, axis=2)),
                                      sorted_rows(np.concatenate([inputs, outputs], axis=2)))
        order.append(given[0])
    if len(inputs) > 20:
        assert not np.array_equal(order[0], order[1])


def test_factor_logarithm_and_type(tmp_path):
    tensors = write_random(tmp_path, [23, 40])
    inputs, outputs = cut_all(tensors, 10, 5)
    train = dataset.LargeDataset(str(tmp_path), time_context=10, log_in=True, mult_factor_in=3., mult_factor_out=.3,
                                 tensortype='float32')
    given = everything(train)
    assert given[0].dtype == given[1].dtype == np.float32
    np.testing.assert_allclose(sorted_rows(given[0]), sorted_rows(3 * np.log10(1 + inputs)), rtol=1e-6)
    np.testing.assert_allclose(sorted_rows(given[1]), sorted_rows(.3 * outputs), rtol=1e-6)


def test_float32_and_float64_files_may_be_mixed(tmp_path):
    tensors = [tensor.astype(np.float32) for tensor in write_random(tmp_path, [30, 31])]
    write(tmp_path, 's001', tensors[1], dtype=np.float32)
    write(tmp_path, 's000', tensors[0])
    assert os.path.getsize(str(tmp_path / 's001__m_.data')) == 4 * tensors[1].size
    train = dataset.LargeDataset(str(tmp_path), time_context=10)
    np.testing.assert_array_equal(sorted_rows(everything(train)[0]), sorted_rows(cut_all(tensors, 10, 5)[0]))


def test_a_song_whose_name_goes_on_is_another_one(tmp_path):
    for name in ('song', 'song_1', 'song2'):
        write(tmp_path, name, np.ones((3, 20, 2)))
    assert dataset.LargeDataset(str(tmp_path), exclude_list=['song']).file_list == ['song2__m_.data']


def test_several_folders(tmp_path):
    first = write_random(tmp_path / 'a', [30], seed=1)
    second = write_random(tmp_path / 'b', [25, 12], seed=2)
    train = dataset.LargeDataset([str(tmp_path / 'a'), str(tmp_path / 'b')], time_context=10)
    assert train.dirid == [0, 1, 1] and train.file_list == ['s000__m_.data', 's000__m_.data', 's001__m_.data']
    np.testing.assert_array_equal(sorted_rows(everything(train)[0]), sorted_rows(cut_all(first + second, 10, 5)[0]))
    train.updatePath(str(tmp_path / 'b'))
    np.testing.assert_array_equal(sorted_rows(everything(train)[1]), sorted_rows(cut_all(second, 10, 5)[1]))


def test_a_file_without_a_target_is_reported(tmp_path, caplog):
    write_random(tmp_path / 'in', [30, 30])
    write_random(tmp_path / 'out', [30])
    train = dataset.LargeDataset(str(tmp_path / 'in'), str(tmp_path / 'out'))
    assert train.file_list == ['s000__m_.data']
    assert '1 of 2 files' in caplog.text and 's001__m_.data' in caplog.text


def test_statistics_are_those_of_the_batches(tmp_path):
    write_random(tmp_path, [7, 45, 33])
    train = dataset.LargeDataset(str(tmp_path), time_context=10, overlap=7, batch_size=5, batch_memory=2,
                                 mult_factor_in=2., log_out=True)
    for which, values in zip((True, False), everything(train)):
        assert train.getMean(which) == pytest.approx(values.mean(), rel=1e-12)
        assert train.getStd(which) == pytest.approx(values.std(), rel=1e-12)
        assert train.getMax(inputs=which) == values.max()
        assert train.getMin(inputs=which) == values.min() == 0  # the completing zeros


def test_the_example_of_the_readme(tmp_path):
    out_path = str(tmp_path)
    write_random(tmp_path, [100, 120])
    train = dataset.LargeDataset(path_transform_in=out_path, batch_size=32, batch_memory=200, time_context=30,
                                 overlap=20, nprocs=7)
    assert len(train) == train.iteration_size == 1
    inputs, outputs = train()
    assert inputs.shape == (18, 30, 4) and outputs.shape == (18, 30, 8)
    assert train.epoch == 1 and len(list(train)) == 1 and train.epoch == 2


def test_calls_iteration_and_batch_size(tmp_path):
    write_random(tmp_path, [103])
    train = dataset.LargeDataset(str(tmp_path), time_context=10, overlap=5, batch_size=6)
    assert len(train) == 4
    assert [len(batch[0]) for batch in (train(), next(train), train.next())] == [6, 6, 6]
    assert [len(inputs) for inputs, outputs in train] == [2], 'the rest of the epoch'
    assert [len(inputs) for inputs, outputs in train] == [6, 6, 6, 2]
    train()
    train.updateBatch(8)
    assert [len(inputs) for inputs, outputs in train] == [8, 8, 4]
    train.updateBatch(100)
    assert train.batch_size == 20 and [len(inputs) for inputs, outputs in train] == [20]


def test_one_folder_spelled_in_two_ways_is_one(tmp_path, monkeypatch):
    write_random(tmp_path / 'e', [40], 3, 5)
    monkeypatch.chdir(tmp_path)
    arguments = dict(batch_size=4, time_context=10, overlap=5, nsources=1, mult_factor_in=1., mult_factor_out=1.)
    expected = dataset.LargeDataset('e', 'e', **arguments)()
    found = dataset.LargeDataset('e', str(tmp_path / 'e'), **arguments)()
    for one, other in zip(expected, found):
        np.testing.assert_array_equal(one, other)


def test_names_of_the_original(tmp_path):
    tensors = write_random(tmp_path, [60])
    data = dataset.LargeDataset(str(tmp_path), batch_size=4, time_context=10, overlap=5, exclude_list=None)
    np.testing.assert_array_equal(data.loadTensor(str(tmp_path / 's000.data'), '__m_'), tensors[0])
    assert data.get_shape(str(tmp_path / 's000__m_.shape')) == tensors[0].shape
    first = data.batches()
    data.batch_size = 2
    assert data.batch_size == 2 and len(data.batches()[0]) == 2 and len(first[0]) == 4


def test_every_name_of_the_next_batch_advances_the_same_position(tmp_path):
    write_random(tmp_path, [60, 41])

    def load():
        return dataset.LargeDataset(str(tmp_path), batch_size=2, time_context=10, overlap=5)
    expected, data = load(), load()
    # a list of one batch each, on and on over the end of an epoch, as in the original
    for way in [data, data.next, data.batches, data.iterate, data.__next__] * 4:
        batch, wanted = way(), expected()
        assert isinstance(batch, list) and len(batch) == len(wanted) == 2
        for ours, theirs in zip(batch, wanted):
            np.testing.assert_array_equal(ours, theirs)
    assert data.epoch == expected.epoch > 0 and data.state() == expected.state()
    for kind in (dataset.LargeDatasetMask1, dataset.LargeDatasetMask2, dataset.LargeDatasetMulti,
                 dataset.LargeDatasetMultiMask1, dataset.LargeDatasetMultiMask2):
        assert kind.batches is kind.iterate is kind.next is dataset.LargeDataset.__call__
