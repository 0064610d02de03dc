"""What the benchmarks share: timing, peak memory, and one way of printing."""
import os
import resource
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, ROOT)

MODEL = os.path.join(ROOT, 'tests', 'golden', '5_end_to_end', 'dsd', 'model_dsd.pkl')


def clock(device='cpu'):
    """The clock for work on a device: of a CPU its own time, which counts little of other work on the machine."""
    return time.process_time if device == 'cpu' else time.perf_counter


def seconds(function, repeats=5, device='cpu'):
    """The shortest of some runs, after one to warm up, in seconds of :func:`clock`."""
    now = clock(device)
    function()
    times = []
    for _ in range(repeats):
        start = now()
        function()
        times.append(now() - start)
    return min(times)


def compare(title, slow_name, slow, fast_name, fast):
    """Print two times in seconds and their ratio."""
    print('%s: %s %.4g s, %s %.4g s, %.1f times as fast' % (title, slow_name, slow, fast_name, fast, slow / fast),
          flush=True)


def cpu_seconds(args, env=None):
    """Run a command that must succeed: (CPU seconds, seconds), those of the programs that it starts included."""
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(args, env=dict(os.environ, **(env or {})), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                   check=True)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime, time.perf_counter() - start


def command(args, env=None, python=sys.executable):
    """Run a script of Python in a process of its own that must succeed.

    Returns
    -------
    (seconds, seconds of CPU, peak memory in MB)
        The CPU's with those of the programs that it starts and waits for; the memory of the process alone.
    """
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    process = subprocess.Popen([python] + args, env=dict(os.environ, **(env or {})),
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    peak = 0
    while process.poll() is None:
        # the high-water mark so far; what wait reports counts this process, too
        try:
            with open('/proc/%d/status' % process.pid) as status:
                peak = max([peak] + [int(line.split()[1]) for line in status if line.startswith('VmHWM')])
        except OSError:
            pass
        time.sleep(0.02)
    if process.returncode:
        raise SystemExit('%s failed:\n%s' % (' '.join(args), process.stderr.read().decode()))
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - start, cpu, peak / 1024.
