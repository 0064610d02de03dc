"""Memory that a program frees is used again; counted by the pages that the system hands out."""
import os
import platform
import subprocess
import sys

import pytest
from conftest import ROOT

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != 'glibc', reason='the C library is not glibc')

# 32 MB in arrays below the size for which NumPy asks for large pages, fifty times
WORK = '''
import resource
import numpy as np
from deepconvsep import command, jobs
def work(_=None):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(50):
        arrays = [np.ones(1 << 18) for _ in range(16)]
        del arrays
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
if __name__ == '__main__':
    %s
'''
RUNS = {'imported': 'print(work())',
        'a program': 'command.run(lambda argv: print(work()))',
        'its workers': 'print(max(each.result for each in jobs.run(work, [1, 2], nprocs=2, quiet=True)))'}
ONCE = (1 << 25) // os.sysconf('SC_PAGE_SIZE')


def pages(tmp_path, run, **env):
    """Pages that the system handed out to :data:`WORK`."""
    script = tmp_path / 'work.py'
    script.write_text(WORK % RUNS[run])
    kept = {name: value for name, value in os.environ.items() if not name.startswith(('MALLOC_', 'GLIBC_'))}
    return int(subprocess.run([sys.executable, script], env={**kept, 'PYTHONPATH': ROOT, **env}, check=True,
                              stdout=subprocess.PIPE).stdout)


@pytest.mark.parametrize('run', ['a program', 'its workers'])
def test_freed_memory_is_used_again(tmp_path, run):
    assert pages(tmp_path, run) < 2 * ONCE


@pytest.mark.parametrize('run, env', [('imported', {}), ('a program', {'MALLOC_TRIM_THRESHOLD_': '131072'})])
def test_not_by_an_import_and_not_against_the_user(tmp_path, run, env):
    assert pages(tmp_path, run, **env) > 10 * ONCE
