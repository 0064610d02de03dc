"""Items on this process, on local processes and on a Dask cluster; workers that are killed in the middle."""
import functools
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from conftest import ROOT

from deepconvsep import files, jobs, process
from deepconvsep.errors import InputError


def square(number):
    return number * number


def odd_only(number):
    if number % 2 == 0:
        raise InputError('%d is even\nexpected an odd number' % number)
    return number


def broken(number):
    raise ZeroDivisionError('a bug')


def die_once(folder, number, sent=signal.SIGKILL):
    """The first process that gets item 3 dies."""
    mark = os.path.join(folder, 'died')
    if number == 3 and not os.path.exists(mark):
        open(mark, 'w').close()
        os.kill(os.getpid(), sent)
    return number, os.getpid()


def die_always(number):
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def threads_of_libraries(_):
    return os.environ.get('OMP_NUM_THREADS')


def wait_for(folder, number):
    """Leave a mark with the process id, then take long enough to be killed meanwhile."""
    with open(os.path.join(folder, '%d-%d' % (number, os.getpid())), 'w'):
        pass
    time.sleep(0.4)
    return number * number


@pytest.mark.parametrize('nprocs', [1, 3])
def test_results_come_in_the_order_of_the_items(nprocs):
    outcomes = jobs.run(square, range(7), nprocs=nprocs, quiet=True)
    assert [outcome.item for outcome in outcomes] == list(range(7))
    assert [outcome.result for outcome in outcomes] == [0, 1, 4, 9, 16, 25, 36]


@pytest.mark.parametrize('nprocs', [1, 2])
def test_a_failing_item_leaves_the_others(nprocs, caplog):
    outcomes = jobs.run(odd_only, [1, 2, 3], nprocs=nprocs, quiet=True)
    assert [outcome.result for outcome in outcomes] == [1, None, 3]
    assert outcomes[1].error == r'2 is even\nexpected an odd number'
    assert jobs.summarize(outcomes) == 1
    assert '1 of 3 failed' in caplog.text
    assert jobs.summarize(outcomes[:1]) == 0


@pytest.mark.parametrize('nprocs', [1, 2])
def test_a_bug_is_not_taken_for_a_bad_input(nprocs):
    with pytest.raises(ZeroDivisionError, match='a bug'):
        jobs.run(broken, [1, 2, 3], nprocs=nprocs, quiet=True)


def test_the_item_of_a_killed_process_is_done_again(tmp_path):
    outcomes = jobs.run(functools.partial(die_once, str(tmp_path)), range(6), nprocs=2, quiet=True)
    assert [outcome.result[0] for outcome in outcomes] == list(range(6))
    assert (tmp_path / 'died').exists()


def test_an_item_that_kills_every_process_fails_and_the_others_do_not():
    outcomes = jobs.run(die_always, range(6), nprocs=2, quiet=True)
    assert [outcome.result for outcome in outcomes] == [0, 1, 2, None, 4, 5]
    assert outcomes[3].error.startswith('3: every worker that took it died')


def test_processes_share_the_cores(monkeypatch):
    monkeypatch.delenv('OMP_NUM_THREADS', raising=False)
    monkeypatch.setattr(process, 'cores', lambda: 6)
    outcomes = jobs.run(threads_of_libraries, [0, 1], nprocs=2, quiet=True)
    assert {outcome.result for outcome in outcomes} == {'3'}
    assert 'OMP_NUM_THREADS' not in os.environ
    monkeypatch.setenv('OMP_NUM_THREADS', '7')
    assert jobs.run(threads_of_libraries, [0, 1], nprocs=2, quiet=True)[0].result == '7'
    monkeypatch.setenv('OMP_NUM_THREADS', '')   # which the libraries take for not set
    assert jobs.run(threads_of_libraries, [0, 1], nprocs=2, quiet=True)[0].result == '3'
    assert os.environ['OMP_NUM_THREADS'] == ''


@pytest.mark.parametrize('quota,expected', [(None, 5), ('max 100000', 5), ('300000 100000', 3), ('250000 100000', 3),
                                            ('50000 100000', 1), ('900000 100000', 5)])
def test_cores_are_those_that_may_be_used(monkeypatch, tmp_path, quota, expected):
    path = tmp_path / 'cpu.max'
    if quota is not None:
        path.write_text(quota + '\n')
    monkeypatch.setattr(process, '_QUOTA', str(path))
    monkeypatch.setattr(os, 'sched_getaffinity', lambda pid: {0, 3, 4, 6, 7}, raising=False)
    assert process.cores() == expected and process.spare_cores() == max(1, expected - 1)


@pytest.mark.skipif(not hasattr(os, 'sched_setaffinity'), reason='processes cannot be bound to cores')
def test_on_one_core_there_is_one_process(monkeypatch):
    program = """if True:
        import os
        from types import SimpleNamespace
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        from deepconvsep.features import command
        from deepconvsep.metrics import projection
        from deepconvsep.separation import side_by_side
        from examples.bach10 import training_flags
        print(side_by_side._processes(SimpleNamespace(nprocs=None, engine='numpy')), projection.WORKERS,
              command.parser('features', '').get_default('nprocs'),
              training_flags.parser('train', '', {}).get_default('nprocs'))
    """
    monkeypatch.setenv('OMP_NUM_THREADS', '')
    assert subprocess.check_output([sys.executable, '-c', program], cwd=ROOT).split() == [b'1'] * 4


def test_progress_is_kept_from_standard_output(capfd):
    jobs.run(square, [1, 2], quiet=True)
    assert capfd.readouterr().out == ''


def test_a_scheduler_without_dask(monkeypatch):
    monkeypatch.setitem(sys.modules, 'distributed', None)
    with pytest.raises(InputError, match='--scheduler needs distributed, which is not installed: pip install'):
        jobs.run(square, [1], scheduler='127.0.0.1:9', quiet=True)


def test_a_scheduler_that_does_not_answer():
    with pytest.raises(InputError, match=r'no Dask scheduler answers at 127\.0\.0\.1:9 .*expected an address'):
        jobs.run(square, [1], scheduler='127.0.0.1:9', quiet=True)


@pytest.fixture(scope='module')
def cluster():
    """A Dask cluster of three processes on loopback."""
    distributed = pytest.importorskip('distributed')
    with distributed.LocalCluster(n_workers=3, threads_per_worker=1, host='127.0.0.1', dashboard_address=None,
                                  silence_logs=50) as local:
        yield local


def test_a_cluster_does_the_items(cluster):
    outcomes = jobs.run(odd_only, [1, 2, 3], scheduler=cluster.scheduler_address, quiet=True)
    assert [outcome.result for outcome in outcomes] == [1, None, 3]
    assert '2 is even' in outcomes[1].error


def test_a_cluster_loses_nothing_when_a_worker_is_killed(cluster, tmp_path):
    killed = []

    def kill_one():
        while len(os.listdir(str(tmp_path))) < 4:
            time.sleep(0.02)
        killed.append(int(sorted(os.listdir(str(tmp_path)))[-1].split('-')[1]))
        os.kill(killed[0], signal.SIGKILL)

    killer = threading.Thread(target=kill_one)
    killer.start()
    outcomes = jobs.run(functools.partial(wait_for, str(tmp_path)), range(12), scheduler=cluster.scheduler_address,
                        quiet=True)
    killer.join()
    assert [outcome.result for outcome in outcomes] == [number * number for number in range(12)]
    starts = [name.split('-')[0] for name in os.listdir(str(tmp_path))]
    assert killed and len(starts) > 12, 'no item was begun twice: nothing was killed in the middle'


def test_an_item_that_kills_workers_of_a_cluster_fails(cluster):
    outcomes = jobs.run(die_always, [2, 3, 4], scheduler=cluster.scheduler_address, quiet=True)
    assert [outcome.result for outcome in outcomes] == [2, None, 4]
    assert '3: every worker that took it died' in outcomes[1].error


def write_pid_and_sleep(path):
    with open(path, 'w') as out:
        out.write(str(os.getpid()))
    time.sleep(60)


def sleep_or_not(item):
    path, seconds = item
    with open(path, 'w') as out:
        out.write(str(os.getpid()))
    time.sleep(seconds)


def start(tmp_path, function, items, nprocs, interrupt=signal.SIG_DFL):
    """A program of its own process group that does the items by a function of this module.

    `interrupt` is what SIGINT does at first: the background of a shell's script ignores it.
    """
    program = tmp_path / 'program.py'
    program.write_text('import sys\nsys.path[:0] = %r\nfrom deepconvsep import command, jobs\nimport test_jobs\n'
                       'sys.excepthook = sys.__excepthook__   # which pytest replaces before Python 3.11\n'
                       'def main(argv):\n    jobs.run(test_jobs.%s, %r, nprocs=%d)\n'
                       'if __name__ == "__main__":\n    command.run(main)\n'
                       % ([ROOT, os.path.dirname(os.path.abspath(__file__))], function.__name__, items, nprocs))
    return subprocess.Popen([sys.executable, str(program)], stderr=subprocess.PIPE, start_new_session=True,
                            preexec_fn=functools.partial(signal.signal, signal.SIGINT, interrupt))


def test_an_interruption_is_no_traceback_while_a_worker_is_idle(tmp_path):
    paths = [str(tmp_path / name) for name in 'ab']
    process = start(tmp_path, sleep_or_not, list(zip(paths, (0, 60))), 2)
    deadline = time.time() + 60
    while time.time() < deadline and not all(os.path.exists(path) and open(path).read() for path in paths):
        time.sleep(0.1)
    time.sleep(0.5)   # the one without work waits for some now
    os.killpg(process.pid, signal.SIGINT)   # as a terminal does
    said = process.communicate(timeout=30)[1].decode()
    assert 'Traceback' not in said and said.splitlines()[-1] == 'program.py: error: interrupted'
    assert process.returncode == 130


def write_half(path):
    with files.atomic_path(path) as temporary, open(temporary, 'w') as out:
        out.write(str(os.getpid()))
        out.flush()
        time.sleep(60)


@pytest.mark.parametrize('nprocs, group, interrupt', [
    (1, False, signal.SIG_DFL), (2, False, signal.SIG_DFL), (2, True, signal.SIG_DFL), (1, False, signal.SIG_IGN),
    (2, True, signal.SIG_IGN)])
def test_a_program_that_is_terminated_leaves_nothing_half_written(tmp_path, nprocs, group, interrupt):
    folder = tmp_path / 'out'
    folder.mkdir()
    process = start(tmp_path, write_half, [str(folder / name) for name in 'abc'], nprocs, interrupt)
    deadline = time.time() + 60
    while time.time() < deadline and len([path for path in folder.iterdir() if path.stat().st_size]) < nprocs:
        time.sleep(0.1)
    workers = [int(path.read_text()) for path in folder.iterdir()]
    if group:
        os.killpg(process.pid, signal.SIGTERM)   # as a time limit does
    else:
        process.terminate()   # as a container does
    assert process.communicate(timeout=30)[1].decode().splitlines()[-1] == 'program.py: error: terminated'
    assert process.returncode == 143 and not list(folder.iterdir())
    assert len(workers) == nprocs and not any(os.path.exists('/proc/%d' % worker) for worker in workers)


def test_the_item_of_a_terminated_worker_is_done_again(tmp_path):
    work = functools.partial(die_once, str(tmp_path), sent=signal.SIGTERM)
    assert [outcome.result[0] for outcome in jobs.run(work, range(1, 6), nprocs=2)] == [1, 2, 3, 4, 5]


def test_workers_end_with_a_main_process_that_is_killed(tmp_path):
    paths = [str(tmp_path / name) for name in 'ab']
    program = tmp_path / 'program.py'
    program.write_text('import sys\nsys.path[:0] = %r\nfrom deepconvsep import jobs\nimport test_jobs\n'
                       'if __name__ == "__main__":\n    jobs.run(test_jobs.write_pid_and_sleep, %r, nprocs=2)\n'
                       % ([ROOT, os.path.dirname(os.path.abspath(__file__))], paths))
    process = subprocess.Popen([sys.executable, str(program)], stderr=subprocess.DEVNULL)
    deadline = time.time() + 60
    while time.time() < deadline and not all(os.path.exists(path) and open(path).read() for path in paths):
        time.sleep(0.1)
    workers = [int(open(path).read()) for path in paths]
    process.kill()
    process.wait()
    while time.time() < deadline and any(os.path.exists('/proc/%d' % worker) for worker in workers):
        time.sleep(0.1)
    assert not any(os.path.exists('/proc/%d' % worker) for worker in workers)
