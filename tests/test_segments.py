"""Windows and epoch plans, against the recorded counts and a literal count of what is visited."""
import numpy as np
import pytest

from deepconvsep.data.windows import EpochPlan, legacy_count, legacy_starts, window_starts


def test_windows_cover_every_frame_and_no_window_is_superfluous():
    for time_context, overlap in ((30, 25), (30, 20), (10, 3), (10, 0), (7, 6), (1, 0)):
        for frames in range(1, 140):
            starts = window_starts(frames, time_context, overlap)
            covered = np.zeros(frames, bool)
            for start in starts[:-1]:
                assert start + time_context < frames, 'only the last window may reach the end'
                covered[start:start + time_context] = True
            assert not covered.all()
            covered[starts[-1]:starts[-1] + time_context] = True
            assert covered.all()


def test_legacy_is_the_recorded_segmentation(golden_json):
    for row in golden_json('3_dataset/getNum.json'):
        sizes = row['T'], row['time_context'], row['overlap']
        assert legacy_count(*sizes) == row['getNum'], row
        plenty = legacy_starts(*sizes, count=5000)
        if row['T'] >= row['time_context']:
            assert (plenty < row['T']).sum() == row['windows_cut'], row
        assert len(legacy_starts(*sizes)) == row['getNum']


@pytest.mark.parametrize('seed', range(20))
def test_a_plan_visits_every_window_once(seed):
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, 60, size=rng.integers(1, 30))
    chunk_size, run = int(rng.integers(1, 200)), int(rng.integers(1, 33))
    orders = []
    for epoch in range(3):
        plan = EpochPlan(counts, chunk_size, run, seed, epoch)
        visited = []
        for chunk in range(len(plan)):
            windows = np.array([(file, window) for file, first, last in plan.runs(chunk)
                                for window in range(first, last)])
            assert len(windows) == (chunk_size if chunk < len(plan) - 1 else
                                    counts.sum() - chunk_size * (len(plan) - 1))
            visited.append(windows[plan.order(chunk)])
        visited = np.concatenate(visited)
        expected = [(file, window) for file, count in enumerate(counts) for window in range(count)]
        assert sorted(map(tuple, visited)) == expected
        orders.append(visited.tolist())
    if counts.sum() > 20:
        assert orders[0] != orders[1] != orders[2] != orders[0]


def test_runs_are_no_longer_than_asked_and_lie_elsewhere_in_the_next_epoch():
    counts = np.full(50, 100)
    cuts = []
    for epoch in range(2):
        # chunks so small that neighbouring runs rarely meet and are joined
        plan = EpochPlan(counts, 40, 8, 0, epoch)
        lengths = np.array([last - first for k in range(len(plan)) for _, first, last in plan.runs(k)])
        assert np.median(lengths) <= 8 and lengths.max() <= 24
        cuts.append({(file, first) for k in range(len(plan)) for file, first, _ in plan.runs(k)})
    assert len(cuts[0] & cuts[1]) < .5 * len(cuts[0])


def test_the_order_mixes_files_evenly():
    """In every chunk of a plan, each of 20 equal files has about its share of the windows."""
    plan = EpochPlan(np.full(20, 1000), 4000, 32, 3, 0)
    for chunk in range(len(plan)):
        share = np.zeros(20)
        for file, first, last in plan.runs(chunk):
            share[file] += last - first
        # 125 runs over 20 files: 200 windows per file, with a standard deviation of about 80
        assert share.min() > 0 and share.max() < 600
        # within a chunk a window's position tells nothing about its neighbour's
        order = plan.order(chunk)
        assert abs(np.corrcoef(order[:-1], order[1:])[0, 1]) < .06
