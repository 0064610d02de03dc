"""Order, resuming, chunks and reading ahead of the dataset classes."""
import gc
import json
import os
import threading
import time
import weakref

import numpy as np
import pytest
from feature_tree import cut_all, sorted_rows, write, write_random

import dataset
from deepconvsep.data import contents, reading
from deepconvsep.errors import InputError

SETTINGS = dict(time_context=10, overlap=6, batch_size=7, batch_memory=4, tensortype='float32')


@pytest.fixture
def tree(tmp_path):
    """Nine files, 168 windows, six times what SETTINGS keep in memory."""
    write_random(tmp_path / 'features', [90, 17, 60, 200, 10, 3, 75, 111, 122])
    return str(tmp_path / 'features')


def take(train, count):
    return [[part.copy() for part in train()] for _ in range(count)]


def take_epoch(tree, epoch):
    """All batches of one epoch."""
    train = dataset.LargeDataset(tree, **SETTINGS)
    train.set_epoch(epoch)
    return list(train)


def assert_same(batches, others):
    assert len(batches) == len(others) > 0
    for batch, other in zip(batches, others):
        for part, other_part in zip(batch, other):
            np.testing.assert_array_equal(part, other_part)


# --- order --------------------------------------------------------------------------------------------

def test_the_order_depends_on_seed_and_epoch_alone(tree):
    train = dataset.LargeDataset(tree, seed=3, **SETTINGS)
    total = 2 * len(train) + 5
    reference = take(train, total)
    for nprocs in (1, 5):
        assert_same(take(dataset.LargeDataset(tree, seed=3, nprocs=nprocs, **SETTINGS), total), reference)
    other = dataset.LargeDataset(tree, seed=4, **SETTINGS)()
    assert not np.array_equal(other[0], reference[0][0])
    late = dataset.LargeDataset(tree, seed=3, **SETTINGS)
    late.set_epoch(2)
    assert_same(take(late, 5), reference[-5:])


def test_batches_mix_files(tree):
    """With 168 windows of 9 files, batches of 7 and chunks of 14, a batch hardly ever is of one file."""
    train = dataset.LargeDataset(tree, **SETTINGS)
    files = [len(set(chunk.origin[first:first + 7, 0])) for chunk in train.chunks() for first in (0, 7)]
    assert np.mean(files) > 3


# --- state --------------------------------------------------------------------------------------------

@pytest.mark.parametrize('batch_memory', [1, 4, 1000])
def test_resuming_gives_the_batches_that_were_to_come(tree, batch_memory):
    settings = dict(SETTINGS, batch_memory=batch_memory)
    train = dataset.LargeDataset(tree, seed=1, **settings)
    reference = take(train, 3 * len(train))
    for done in (0, 1, 5, len(train) - 1, len(train), len(train) + 3):
        train = dataset.LargeDataset(tree, seed=1, **settings)
        take(train, done)
        state = json.loads(json.dumps(train.state()))
        resumed = dataset.LargeDataset(tree, seed=99, **settings)
        take(resumed, 2)
        resumed.restore(state)
        assert (resumed.epoch, resumed.state()) == (train.epoch, state)
        assert_same(list(resumed), reference[done:len(train) * (done // len(train) + 1)])
        assert_same(take(resumed, 3), reference[len(train) * (done // len(train) + 1):][:3])


def test_a_state_of_other_data_is_refused(tree, tmp_path):
    state = dataset.LargeDataset(tree, **SETTINGS).state()
    for change, message in ((dict(batch_size=8), 'cannot continue: batch_size was 7 and is 8'),
                            (dict(overlap=5), 'examples was .* overlap was 6 and is 5'),
                            (dict(batch_memory=6), 'batch_memory was 4 and is 6'),
                            (dict(exclude_list=['s003']), 'files was')):
        with pytest.raises(InputError, match=message):
            dataset.LargeDataset(tree, **dict(SETTINGS, **change)).restore(state)
    train = dataset.LargeDataset(tree, **SETTINGS)
    for change, message in ((dict(batch=len(train)), 'batch is %d, expected a whole number, 0 to %d'
                             % (len(train), len(train) - 1)), (dict(epoch=None), 'epoch is None')):
        with pytest.raises(InputError, match=message):
            train.restore(dict(state, **change))
    with pytest.raises(InputError, match='files was None'):
        train.restore({})


# --- chunks -------------------------------------------------------------------------------------------

@pytest.mark.parametrize('batch_memory', [1, 4, 9, 1000])
def test_chunks_are_the_batches(tree, batch_memory):
    settings = dict(SETTINGS, batch_memory=batch_memory)
    reference = list(dataset.LargeDataset(tree, **settings))
    train = dataset.LargeDataset(tree, **settings)
    given, windows, first = [], 0, 0
    for chunk in train.chunks():
        assert (chunk.epoch, chunk.first, chunk.inputs.dtype) == (0, first, np.float32)
        assert len(chunk.starts) <= batch_memory * 7
        given += list(chunk)
        windows += len(chunk.starts)
        first += len(chunk)
        # what a device does: frames and starts
        index = chunk.starts[:7, None] + np.arange(10)
        np.testing.assert_array_equal(chunk.inputs[index], chunk.batch(0)[0])
        np.testing.assert_array_equal(chunk.outputs[index], chunk.batch(0)[1])
        np.testing.assert_array_equal(np.concatenate([batch[1] for batch in chunk]), chunk.windows()[1])
        with pytest.raises(IndexError, match='batch %d of a chunk of %d batches' % (len(chunk), len(chunk))):
            chunk.batch(len(chunk))
    assert windows == train.total_points and train.epoch == 1
    assert_same(given, reference)


def test_frames_are_stored_once(tmp_path):
    write_random(tmp_path, [2000] * 4)
    train = dataset.LargeDataset(str(tmp_path), time_context=30, overlap=25, batch_size=32, batch_memory=2000)
    chunk, = train.chunks()
    assert len(chunk.inputs) < 1.02 * 4 * 2000 and len(chunk.starts) * 30 > 5 * len(chunk.inputs)
    train = dataset.LargeDataset(str(tmp_path), time_context=30, overlap=25, batch_size=32, batch_memory=32)
    for chunk in train.chunks():
        assert len(chunk.inputs) < .6 * len(chunk.starts) * 30


def test_the_origin_of_a_window(tree):
    train = dataset.LargeDataset(tree, **SETTINGS)
    seen = []
    for chunk in train.chunks():
        inputs, outputs = chunk.windows()
        for window, (file, number) in zip(outputs, chunk.origin):
            np.testing.assert_array_equal(window, train.loadFile(file, number, number + 1)[1][0])
            seen.append((file, number))
    assert len(set(seen)) == len(seen) == train.total_points


def test_resuming_in_the_middle_of_a_chunk(tree):
    settings = dict(SETTINGS, batch_memory=8)
    reference = list(dataset.LargeDataset(tree, **settings))
    train = dataset.LargeDataset(tree, **settings)
    chunks = train.chunks()
    next(chunks)
    chunk = next(chunks)
    assert chunk.first == 4 and len(chunk) == 4
    resumed = dataset.LargeDataset(tree, **settings)
    for done in range(5):
        resumed.restore(train.state(done))
        rest = list(resumed.chunks())
        assert rest[0].first == 4 + done
        assert_same([batch for chunk in rest for batch in chunk], reference[4 + done:])
    # at the end of an epoch the next one follows
    assert train.state(len(train) - 4)['epoch'] == 1 and train.state(len(train) - 4)['batch'] == 0


def test_what_fits_is_read_once(tree, monkeypatch):
    reads = []
    original = reading.read_frames
    monkeypatch.setattr(reading, 'read_frames', lambda *args: (reads.append(1), original(*args)))
    train = dataset.LargeDataset(tree, **dict(SETTINGS, batch_memory=1000))
    first, second = list(train), list(train)
    assert len(reads) == 2 * 9
    assert not np.array_equal(first[0][0], second[0][0])
    np.testing.assert_array_equal(sorted_rows(np.concatenate([batch[0] for batch in first])),
                                  sorted_rows(np.concatenate([batch[0] for batch in second])))


# --- reading ahead ------------------------------------------------------------------------------------

def test_the_next_chunk_is_read_in_the_background(tree, monkeypatch):
    threads = set()
    original = reading.read_frames

    def spy(*args):
        threads.add(threading.current_thread().name.split('_')[0])
        original(*args)
    monkeypatch.setattr(reading, 'read_frames', spy)
    train = dataset.LargeDataset(tree, **SETTINGS)
    train()
    ahead = train._ahead._work
    assert ahead, 'the second chunk must have been begun'
    deadline = time.monotonic() + 20
    while not all(work.done() for work in ahead) and time.monotonic() < deadline:
        time.sleep(.01)
    assert all(work.done() for work in ahead), 'it is ready although nobody asked for it'
    take(train, len(train))
    assert threads == {'dataset'}
    train.close()
    train()  # begins anew
    train.close()


def test_nothing_is_left_of_a_dataset_that_is_dropped(tree):
    gc.collect()
    others = set(threading.enumerate())
    gc.disable()
    try:
        train = dataset.LargeDataset(tree, **SETTINGS)
        train()
        mine = set(threading.enumerate()) - others
        assert mine
        train._ahead.cancel()
        chunk = weakref.ref(train._current())
        del train
        deadline = time.monotonic() + 20
        while any(thread.is_alive() for thread in mine) and time.monotonic() < deadline:
            time.sleep(.01)
        assert not any(thread.is_alive() for thread in mine) and chunk() is None
    finally:
        gc.enable()


def test_chunks_that_are_kept_stay_whole(tree):
    """Whoever keeps all chunks has the whole epoch, read without looking ahead."""
    reference = list(dataset.LargeDataset(tree, **SETTINGS))
    train = dataset.LargeDataset(tree, **SETTINGS)
    kept = list(train.chunks())
    assert_same([batch for chunk in kept for batch in chunk], reference)
    frames = [chunk.inputs for chunk in kept]
    del kept, frames[:-2]
    assert not train._ahead._work, 'what was let go too late is not needed any more'
    del frames[0]
    assert train._ahead._key == (0, 1, 0), 'the next epoch has been begun'
    assert_same(list(train), take_epoch(tree, 1))


def test_a_file_cut_short_while_training(tree):
    train = dataset.LargeDataset(tree, **SETTINGS)
    train()
    for name in train.file_list:
        os.truncate(os.path.join(tree, name), 8)
    with pytest.raises(InputError, match='s00._m_.data became shorter while it was being read'.replace('._', '.__')):
        list(train)
    # and again, rather than giving what is not there
    with pytest.raises(InputError, match='became shorter'):
        list(train)


def test_scratch_copies(tree, tmp_path):
    reference = list(dataset.LargeDataset(tree, **SETTINGS))
    scratch = tmp_path / 'scratch'
    train = dataset.LargeDataset(tree, scratch_path=str(scratch), **SETTINGS)
    assert_same(list(train), reference)
    copies = sorted(name for name in os.listdir(str(scratch)) if name.endswith('.data'))
    assert len(copies) == 9 and all('_float32_s00' in name for name in copies)
    assert sum(os.path.getsize(str(scratch / name)) for name in copies) * 2 == \
        sum(os.path.getsize(os.path.join(tree, name)) for name in train.file_list)
    before = {name: os.stat(str(scratch / name)).st_mtime_ns for name in copies}
    assert_same(list(dataset.LargeDataset(tree, scratch_path=str(scratch), **SETTINGS)), reference)
    assert before == {name: os.stat(str(scratch / name)).st_mtime_ns for name in copies}
    # other features under the same name are not mistaken for the old ones
    changed = [2 * tensor for tensor in write_random(tree, [90, 17, 60, 200, 10, 3, 75, 111, 122], seed=5)]
    for number, tensor in enumerate(changed):
        write(tree, 's%03d' % number, tensor)
    given = list(dataset.LargeDataset(tree, scratch_path=str(scratch), **SETTINGS))
    expected = cut_all([tensor.astype(np.float32) for tensor in changed], 10, 6)
    np.testing.assert_array_equal(sorted_rows(np.concatenate([batch[0] for batch in given])),
                                  sorted_rows(expected[0]))


def test_a_scratch_copy_is_of_the_contents_and_not_of_the_date(tree, tmp_path):
    scratch = str(tmp_path / 'scratch')
    list(dataset.LargeDataset(tree, scratch_path=scratch, **SETTINGS))
    path = os.path.join(tree, 's000__m_.data')
    status = os.stat(path)
    np.fromfile(path)[::-1].tofile(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert_same(list(dataset.LargeDataset(tree, scratch_path=scratch, **SETTINGS)),
                list(dataset.LargeDataset(tree, **SETTINGS)))


def test_a_scratch_copy_of_a_large_file_is_of_its_date(tmp_path):
    """What is between the places that are looked at may have changed."""
    write_random(tmp_path / 'f', [2000])
    settings = dict(SETTINGS, scratch_path=str(tmp_path / 'scratch'))
    list(dataset.LargeDataset(str(tmp_path / 'f'), **settings))
    path = str(tmp_path / 'f' / 's000__m_.data')
    before, values = contents.fingerprint([path]), np.fromfile(path)
    values[1000:1020] += 1
    values.tofile(path)
    os.utime(path, (1, 1))
    assert contents.fingerprint([path])['samples'] == before['samples']
    assert_same(list(dataset.LargeDataset(str(tmp_path / 'f'), **settings)),
                list(dataset.LargeDataset(str(tmp_path / 'f'), **SETTINGS)))


def test_a_scratch_that_is_a_file(tree, tmp_path):
    (tmp_path / 'scratch').write_text('')
    with pytest.raises(InputError, match='scratch is a file, expected a folder'):
        dataset.LargeDataset(tree, scratch_path=str(tmp_path / 'scratch'))


# --- benchmark ------------------------------------------------------------------------------------------

def test_the_benchmark_runs(script, tmp_path):
    done = script('tools/benchmarks/loader.py', '--files', 2, '--frames', 200, '--step', 1, '--folder', tmp_path)
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert [line[0] for line in lines[2:]] == ['naive', 'batches', 'chunks'] * 2 + ['ideal']
    assert all(float(line[-2]) > 0 for line in lines[2:])
    assert os.listdir(str(tmp_path)) == []
