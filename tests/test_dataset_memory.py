"""What LargeDataset keeps in memory: no more than it is allowed, and given back in time."""
import functools
import json
import os
import queue
import subprocess
import sys
import threading
import tracemalloc

import numpy as np
import pytest
from conftest import ROOT
from feature_tree import write, write_random

import dataset
from deepconvsep.data.chunks import Memory, ReadAhead
from deepconvsep.data.sampled import SampledDataset

MEMORY = '''
import json, resource, sys
import numpy as np
from dataset import LargeDataset
from deepconvsep.data.chunks import ReadAhead

def now():
    """Writable private memory of the process in MiB."""
    line, = [line for line in open('/proc/self/status') if line.startswith('VmData')]
    return int(line.split()[1]) // 1024

# no overlap, so that this many frames are really needed; the data (188 MiB) are four times as much
train = LargeDataset(sys.argv[1], time_context=10, overlap=0, batch_size=16, batch_memory=100, tensortype='float32',
                     nprocs=1)
allowance = 100 * 16 * 10 * 256 * 3 * 4 // 2 ** 20
# the thread's stack, its read buffer, a batch being cut, room for the interpreter; less than a third chunk (23)
limit = now() + allowance + 8 + 1 + 1 + 10
resource.setrlimit(resource.RLIMIT_DATA, (limit * 2 ** 20,) * 2)
begun, take = [], ReadAhead.take

def noting(self, key, prepare):
    begun.append(self._key == key)
    return take(self, key, prepare)

ReadAhead.take = noting
try:
    np.ones(188 * 2 ** 20, np.uint8)  # the limit holds
except MemoryError:
    seen = sum(len(inputs) for epoch in range(2) for inputs, outputs in train)
    seen += sum(len(chunk.starts) for chunk in train.chunks())
    print(json.dumps([allowance, seen, train.total_points, begun]))
'''


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='the limit on memory is that of Linux')
def test_memory_stays_within_the_allowance(tmp_path):
    tensor = np.random.default_rng(0).uniform(size=(3, 1600, 256)).astype(np.float32)
    for number in range(40):
        write(tmp_path, 's%02d' % number, tensor, dtype=np.float32)
    done = subprocess.run([sys.executable, '-c', MEMORY, str(tmp_path)], capture_output=True, text=True,
                          env=dict(os.environ, PYTHONPATH=ROOT, OMP_NUM_THREADS='1'))
    assert (done.returncode, done.stderr) == (0, '')
    allowance, seen, total, begun = json.loads(done.stdout)
    assert allowance == 46 and total == 40 * 160 and seen == 3 * total
    assert begun == [False] + [True] * 23, 'all but the first chunk were read ahead, in three epochs of 8'


def test_memory_tells_of_its_end_when_it_is_free():
    shapes = {'inputs': (1000, 3, 7), 'nothing': (0, 5), 'outputs': (1000, 1)}
    traced = []
    tracemalloc.start()
    try:
        memory = Memory(shapes, 'float64')
        memory.when_freed(lambda: traced.append(tracemalloc.get_traced_memory()[0]))
        arrays = memory.arrays()
        for number, (name, array) in enumerate(arrays.items()):
            assert array.shape == shapes[name] and array.dtype == np.float64 and array.flags.c_contiguous
            array[...] = number
        view = arrays['outputs'][10:].T
        del memory, arrays, array
        assert (view == 2).all() and not traced, 'a view keeps it'
        before = tracemalloc.get_traced_memory()[0]
        del view
        assert before - traced[0] > .9 * 22 * 1000 * 8
    finally:
        tracemalloc.stop()


def test_chunks_may_be_let_go_in_another_thread(tmp_path):
    """What they are replaced by is begun there, while this thread may be asking for it."""
    write_random(tmp_path / 'features', [90, 17, 60, 200, 10, 3, 75, 111, 122])
    settings = dict(time_context=10, overlap=6, batch_size=7, batch_memory=4, tensortype='float32')
    expected, wrong, handed = {}, [], queue.Queue(2)
    train = dataset.LargeDataset(tmp_path / 'features', **settings)
    for epoch in range(3):
        for number, chunk in enumerate(dataset.LargeDataset(tmp_path / 'features', seed=epoch, **settings).chunks()):
            expected[epoch, number] = chunk.outputs.copy()

    def use():
        while (item := handed.get()) is not None:
            key, chunk = item
            if not np.array_equal(chunk.outputs, expected[key]):
                wrong.append(key)
            del item, chunk

    user, interval = threading.Thread(target=use), sys.getswitchinterval()
    user.start()
    sys.setswitchinterval(1e-5)
    try:
        for seed in list(range(3)) * 20:
            train.seed = seed
            train.set_epoch(0)
            for number, chunk in enumerate(train.chunks()):
                handed.put(((seed, number), chunk))
                del chunk
    finally:
        sys.setswitchinterval(interval)
        handed.put(None)
        user.join()
    assert len(expected) > 30 and not wrong


def test_what_cannot_be_begun_is_read_when_it_is_taken():
    refused = [MemoryError('no room'), RuntimeError('no threads')]

    def prepare(key):
        if refused:
            raise refused.pop()
        return [key], []
    ahead = ReadAhead(1)
    ahead.start('first', prepare)
    ahead.start('first', prepare)
    assert not refused and ahead.take('first', prepare) == ['first']
    refused.append(MemoryError('no room'))
    with pytest.raises(MemoryError, match='no room'):
        ahead.take('second', prepare)
    assert ahead.take('second', prepare) == ['second']
    ahead.close()


def test_chunks_held_at_the_end_of_a_program_are_no_error(tmp_path):
    write_random(tmp_path, [200, 200])
    program = ('import sys\nfrom dataset import LargeDataset\n'
               'train = LargeDataset(sys.argv[1], time_context=10, batch_size=7, batch_memory=4)\n'
               'held = [chunk for chunk, _ in zip(train.chunks(), range(3))]\n')
    done = subprocess.run([sys.executable, '-c', program, str(tmp_path)], capture_output=True, text=True,
                          env=dict(os.environ, PYTHONPATH=ROOT))
    assert (done.returncode, done.stderr) == (0, '')


@pytest.mark.parametrize('sampled', [False, True])
def test_nothing_is_read_beyond_a_single_pass(tmp_path, sampled, monkeypatch):
    write_random(tmp_path, [90, 60, 200, 75, 111, 122])
    load = functools.partial(dataset.LargeDataset, tmp_path, time_context=10, batch_size=7, batch_memory=4)
    prepared, prepare = [], dataset.LargeDataset._prepare
    monkeypatch.setattr(dataset.LargeDataset, '_prepare',
                        lambda self, key: (prepared.append(key), prepare(self, key))[1])
    data = SampledDataset(load, 4, 0, 7) if sampled else load()
    inner = data._data if sampled else data
    count = sum(1 for chunk in (data.chunks() if sampled else data.chunks(once=True)))
    assert [key[1:] for key in prepared] == [(0, number) for number in range(count)] and count > 3
    assert inner._chunk is None and inner._ahead._item is None
    data.close()
