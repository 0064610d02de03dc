"""Training on ten times more data than the process may hold, against data that fits: the same peak, the same speed."""
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from deepconvsep.features import tensors

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

FRAMES, BINS, SOURCES = 400, 513, 4
FILE_BYTES = (1 + SOURCES) * FRAMES * BINS * 4
ALLOWED = 32 << 20

pytestmark = pytest.mark.skipif(not sys.platform.startswith('linux'), reason='needs the memory limits of Linux')

# The limit counts from what the interpreter, Theano and the compiled step hold.
PROGRAM = '''
import dataclasses, json, resource, sys, time
sys.path.insert(0, %r)
from deepconvsep.backend.prepare import prepare
prepare(verbose=False)
import dataset
from deepconvsep.network import architecture
from deepconvsep.training.step import Step
import numpy as np
from examples.dsd100 import recipe

folder, batch_memory, allowed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])


def in_use(name):
    with open('/proc/self/status') as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith(name))


arch = dataclasses.replace(architecture.DSD100, filters=(4, 4), hidden=8)
data = dataset.LargeDataset(folder, batch_size=8, batch_memory=batch_memory, time_context=30, overlap=0, nsources=4,
                            tensortype='float32', nprocs=1)
step = Step(arch, recipe.SETTINGS, recipe.LOSS, 8)
step.load_chunk(np.zeros((30, 513), 'float32'), np.zeros((30, 4 * 513), 'float32'))
step.train([0])
resource.setrlimit(resource.RLIMIT_DATA, (in_use('VmData') + allowed,) * 2)
before, seconds, examples = in_use('VmRSS'), time.process_time(), 0
for chunk in data.chunks():
    step.load_chunk(chunk.inputs, chunk.outputs)
    for first in range(0, len(chunk.starts), 8):
        step.train(chunk.starts[first:first + 8])
        examples += len(chunk.starts[first:first + 8])
    del chunk
print(json.dumps({'examples': examples, 'total': data.total_points, 'grown': in_use('VmHWM') - before,
                  'seconds': (time.process_time() - seconds) / examples}))
''' % ROOT


def write_files(folder, count):
    """The same file under many names: nothing here depends on what is in it."""
    tensor = np.random.default_rng(0).uniform(size=(1 + SOURCES, FRAMES, BINS)).astype(np.float32)
    tensors.save_tensor(str(folder / 'song000.data'), tensor, '__m_', np.float32)
    first = sorted(path.name for path in folder.iterdir())
    for number in range(1, count):
        for name in first:
            os.link(str(folder / name), str(folder / name.replace('song000', 'song%03d' % number)))


def train(folder, batch_memory):
    return subprocess.run([sys.executable, '-c', PROGRAM, str(folder), str(batch_memory), str(ALLOWED)],
                          capture_output=True, text=True)


def test_ten_times_more_data_than_memory(tmp_path):
    results = {}
    for name, size in (('fits', ALLOWED // 2), ('ten times', 10 * ALLOWED)):
        (tmp_path / name).mkdir()
        write_files(tmp_path / name, -(-size // FILE_BYTES))
        done = train(tmp_path / name, 4)
        assert done.returncode == 0, done.stderr[-2000:]
        results[name] = json.loads(done.stdout)
        assert results[name]['examples'] == results[name]['total']
    fits, larger = results['fits'], results['ten times']
    assert larger['total'] > 15 * fits['total']
    # what the allocator leaves unused differs by 5 MB; the data are 320
    assert larger['grown'] < fits['grown'] + ALLOWED / 4
    # processor time: others may be using the machine
    assert larger['seconds'] < 2 * fits['seconds']
    # the limit does bite
    done = train(tmp_path / 'ten times', 10 ** 6)
    assert done.returncode != 0 and 'MemoryError' in done.stderr
