"""Training data of which every epoch sees other files."""
import functools

import numpy as np
import pytest

import dataset
from deepconvsep.data.sampled import SampledDataset
from deepconvsep.errors import InputError
from deepconvsep.features import tensors


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Ten files; every value of a file is its number."""
    place = tmp_path_factory.mktemp('features')
    for number in range(10):
        tensors.save_tensor(str(place / ('song%d.data' % number)), np.full((3, 40 + number, 5), number), '__m_')
    return str(place)


def sampled(folder, nsamples=3, seed=1):
    load = functools.partial(dataset.LargeDataset, folder, batch_size=4, batch_memory=4, time_context=10, overlap=5,
                             nsources=2, tensortype='float32')
    return SampledDataset(load, nsamples, seed, 4)


def windows(chunks):
    return [window.tobytes() for chunk in chunks for window in chunk.windows()[0]]


def test_every_epoch_draws_other_files(folder):
    data = sampled(folder)
    seen = []
    for epoch in range(6):
        assert data.epoch == epoch and len(data.file_list) == 3
        files, examples = data.file_list, data.total_points
        chunks = list(data.chunks())
        numbers = {int(chunk.inputs[0, 0]) for chunk in chunks} | {
            int(value) for chunk in chunks for value in np.unique(chunk.inputs[chunk.inputs[:, 0] > 0])}
        assert numbers <= {int(name[4]) for name in files} | {0}
        assert sum(len(chunk.starts) for chunk in chunks) == examples
        seen.append(tuple(files))
    assert len(set(seen)) > 3 and len({name for files in seen for name in files}) > 5
    again = sampled(folder)
    again.set_epoch(4)
    assert tuple(again.file_list) == seen[4]
    data.close()


def test_goes_on_where_it_stopped(folder):
    data = sampled(folder)
    list(data.chunks())
    expected = windows(data.chunks()) + windows(data.chunks())
    broken, states = sampled(folder), []
    list(broken.chunks())
    for _ in broken.chunks():
        states.append(broken.state(1))
        break
    other = sampled(folder)
    other.restore(states[0])
    assert other.epoch == 1 and windows(other.chunks()) + windows(other.chunks()) == expected[4:]
    finished = sampled(folder)
    last = None
    for chunk in finished.chunks():
        last = finished.state(len(chunk))
    assert (last['epoch'], last['batch']) == (1, 0)
    other.restore(last)
    assert windows(other.chunks()) + windows(other.chunks()) == expected


def test_another_dataset_is_refused(folder):
    state = sampled(folder).state()
    with pytest.raises(InputError, match='files_per_epoch was 3 and is 4'):
        sampled(folder, nsamples=4).restore(state)
    with pytest.raises(InputError, match='cannot continue: files was x'):
        sampled(folder).restore(dict(state, files='x'))
