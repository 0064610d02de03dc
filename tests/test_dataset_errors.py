"""What LargeDataset refuses, and how it says so."""
import errno
import io
import os

import numpy as np
import pytest
from feature_tree import write, write_random

import dataset
from deepconvsep import files
from deepconvsep.data import reading
from deepconvsep.errors import InputError
from deepconvsep.features import tensors
from deepconvsep.features.tensors import save_shape


@pytest.mark.parametrize('arguments, message', [
    (dict(overlap=10, time_context=10), r'overlap is 10, expected less than time_context \(10\)'),
    (dict(overlap=-1), 'overlap is -1, expected a whole number, 0 or more'),
    (dict(time_context=0), 'time_context is 0, expected a whole number, 1 or more'),
    (dict(time_context='x'), "time_context is 'x'"),
    (dict(batch_size=0), 'batch_size is 0'),
    (dict(batch_memory=0), 'batch_memory is 0'),
    (dict(nprocs=0), 'nprocs is 0'),
    (dict(nsamples=-1), 'nsamples is -1'),
    (dict(seed=-1), 'seed is -1, expected a whole number, 0 to 4294967295'),
    (dict(tensortype=int), r'tensortype is int64, expected float \(64 bits\) or float32'),
    (dict(tensortype='y'), "tensortype is 'y', expected float"),
    (dict(pitched=True), 'need notes: use LargeDatasetMask1'),
    (dict(nsources=3), r's000__m_.data has the shape 3x20x4, expected \(at least 4, frames, bins\).*nsources'),
    (dict(exclude_list='s000'), 'no feature file that ends in _m_.data in .*exclude_list'),
    (dict(path_transform_out=['a', 'b']), '1 folders of inputs and 2 of outputs'),
    (dict(extra_features=True, model='emb'), 's000__emb_.shape: No such file'),
])
def test_bad_arguments(tmp_path, arguments, message):
    write_random(tmp_path, [20])
    with pytest.raises(InputError, match=message):
        dataset.LargeDataset(str(tmp_path), **arguments)


def test_what_is_advised_is_what_was_given(tmp_path):
    with pytest.raises(InputError, match='no feature file that ends in _m_.data in .*: compute the features first$'):
        dataset.LargeDataset(str(tmp_path))


@pytest.mark.parametrize('name', ['getNum', 'loadFile', 'loadTensor'])
def test_a_method_that_would_not_be_called_is_refused(tmp_path, name):
    write_random(tmp_path, [20])
    own = type('Own', (dataset.LargeDataset,), {name: lambda self, *args: None})
    with pytest.raises(InputError, match='Own defines %s, which batches are not made with: convert' % name):
        own(str(tmp_path))


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(InputError, match='cannot list the features in .*nowhere: No such file'):
        dataset.LargeDataset(str(tmp_path / 'nowhere'))


def _remove_shape(folder):
    (folder / 's001__m_.shape').unlink()


def _cut_data(folder):
    os.truncate(str(folder / 's001__m_.data'), 100)


def _garble_shape(folder):
    (folder / 's001__m_.shape').write_text('3 20 4')


def _other_shape(folder):
    save_shape(str(folder / 's001__m_.shape'), (3, 21, 4))


def _other_bins(folder):
    write(folder, 's001', np.ones((3, 20, 5)))


def _flat(folder):
    write(folder, 's001', np.ones((20, 5)))


def _empty(folder):
    write(folder, 's001', np.ones((3, 0, 4)))


@pytest.mark.parametrize('damage, message', [
    (_remove_shape, 's001__m_.shape: No such file'),
    (_cut_data, 's001__m_.data holds 100 bytes, but s001__m_.shape says 3x20x4'),
    (_garble_shape, "s001__m_.shape holds '3 20 4', expected #"),
    (_other_shape, 's001__m_.data holds 1920 bytes, but s001__m_.shape says 3x21x4'),
    (_other_bins, 's001__m_.data has 5 bins, but .*s000__m_.data has 4'),
    (_flat, 's001__m_.data has the shape 20x5'),
    (_empty, 's001__m_.data has the shape 3x0x4'),
])
def test_a_damaged_file_is_named_at_once(tmp_path, damage, message):
    write_random(tmp_path, [20, 20, 20])
    damage(tmp_path)
    with pytest.raises(InputError, match=message) as caught:
        dataset.LargeDataset(str(tmp_path))
    assert '\n' not in str(caught.value)


def test_pointers_of_git_lfs_are_named(tmp_path):
    pointer = b'version https://git-lfs.github.com/spec/v1\noid sha256:' + 64 * b'0' + b'\nsize 12345\n'
    for name in ('song.shape', 'song.data', 'settings.json'):
        (tmp_path / name).write_bytes(pointer)
    path = str(tmp_path / 'song.data')
    reads = [lambda: tensors.get_shape(tensors.shape_path(path)),
             lambda: files.read_json(str(tmp_path / 'settings.json'))]
    for read in reads:
        with pytest.raises(InputError, match='Git LFS pointer in place of the file: run "git lfs pull"'):
            read()
    tensors.save_shape(tensors.shape_path(path), (1, 2, 513))
    with pytest.raises(InputError, match='song.data holds 130 bytes.*: it is a Git LFS pointer'):
        tensors.describe_tensor(path)
    with open(path, 'wb') as out:
        out.write(b'version 1')
    with pytest.raises(InputError, match='song.data holds 9 bytes.*: compute the features again'):
        tensors.describe_tensor(path)


def test_inputs_and_targets_of_different_length(tmp_path):
    write_random(tmp_path / 'in', [20])
    write_random(tmp_path / 'out', [21])
    with pytest.raises(InputError, match='s000__m_.data has 20 frames, but .*s000__m_.data has 21'):
        dataset.LargeDataset(str(tmp_path / 'in'), str(tmp_path / 'out'))


def test_extra_features_of_another_length(tmp_path):
    write_random(tmp_path, [200])
    write(tmp_path, 's000', np.ones((5, 4)), tag='__emb_')
    with pytest.raises(InputError, match=r'__emb_.data has the shape \(5, 4\), expected at least 38 windows by 4'):
        dataset.LargeDataset(str(tmp_path), time_context=10, extra_features=True, model='emb')


def test_nothing_to_load_yet(tmp_path):
    train = dataset.LargeDataset()
    assert len(train) == 0
    for use in (train, train.getMean, lambda: train.input_size, lambda: list(train.chunks()),
                lambda: train.loadFile(0)):
        with pytest.raises(InputError, match='give path_transform_in or call updatePath'):
            use()
    write_random(tmp_path, [20])
    train.updatePath(str(tmp_path))
    assert len(train()[0]) == 3


def test_values_that_are_not_finite(tmp_path):
    write_random(tmp_path, [20])
    write(tmp_path, 'x', np.full((3, 20, 4), np.nan))
    with pytest.raises(InputError, match='x__m_.data contains values that are not finite: compute the features again'):
        dataset.LargeDataset(str(tmp_path)).getMean()


def test_examples_out_of_range(tmp_path):
    write_random(tmp_path, [20])
    train = dataset.LargeDataset(str(tmp_path))
    for begin, end in ((0, 4), (-1, 2), (2, 2)):
        with pytest.raises(InputError, match='examples %d to %d of s000__m_.data, expected a range within 0 to 3'
                           % (begin, end)):
            train.loadFile(0, begin, end)


def test_a_file_that_vanished_is_named(tmp_path):
    write_random(tmp_path, [60])
    data = dataset.LargeDataset(str(tmp_path), batch_size=4, time_context=10, overlap=5)
    os.unlink(str(tmp_path / 's000__m_.data'))
    with pytest.raises(InputError, match='cannot read the features .*s000__m_.data: No such file'):
        data()


def test_a_file_on_a_disk_that_fails_is_named(tmp_path, monkeypatch):
    class Failing(io.FileIO):
        def readinto(self, buffer):
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    write_random(tmp_path, [60])
    data = dataset.LargeDataset(str(tmp_path), batch_size=4, time_context=10, overlap=5)
    monkeypatch.setattr(reading, 'open', lambda path, mode, buffering: Failing(path, mode), raising=False)
    with pytest.raises(InputError, match='cannot read the features .*s000__m_.data: Input/output error'):
        data()


def test_sources_that_are_not_used_are_said_once(tmp_path, caplog):
    write_random(tmp_path, [20, 20], rows=5)
    dataset.LargeDataset(path_transform_in=str(tmp_path), time_context=10, overlap=5)
    assert len(caplog.messages) == 1
    assert '2 of 2 files, such as %s' % tmp_path in caplog.text and 'hold 4 sources, of which 2 are' in caplog.text
