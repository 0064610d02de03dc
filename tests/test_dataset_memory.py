"""What LargeDataset keeps in memory: no more than it is allowed, and given back in time."""
import json
import os
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from conftest import ROOT
from feature_tree import write

from deepconvsep.data.chunks import Memory

MEMORY = '''
import json, resource, sys
import numpy as np
from dataset import LargeDataset

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
try:
    np.ones(188 * 2 ** 20, np.uint8)  # the limit holds
except MemoryError:
    seen = sum(len(inputs) for epoch in range(2) for inputs, outputs in train)
    seen += sum(len(chunk.starts) for chunk in train.chunks())
    print(json.dumps([allowance, seen, train.total_points]))
'''


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='the limit on memory is that of Linux')
def test_memory_stays_within_the_allowance(tmp_path):
    tensor = np.random.default_rng(0).uniform(size=(3, 1600, 256)).astype(np.float32)
    for number in range(40):
        write(tmp_path, 's%02d' % number, tensor, dtype=np.float32)
    done = subprocess.run([sys.executable, '-c', MEMORY, str(tmp_path)], capture_output=True, text=True,
                          env=dict(os.environ, PYTHONPATH=ROOT, OMP_NUM_THREADS='1'))
    assert (done.returncode, done.stderr) == (0, ''), 'nor is reading ahead refused any memory'
    allowance, seen, total = json.loads(done.stdout)
    assert allowance == 46 and total == 40 * 160 and seen == 3 * total


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
        assert before - traced[0] >= 22 * 1000 * 8
    finally:
        tracemalloc.stop()
