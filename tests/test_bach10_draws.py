"""What is said of the combinations of samples that a run of compute_features_bach10rwc makes, and of others."""
from test_bach10_records import lines, rwc_flags, trees

from examples.bach10 import compute_features_bach10rwc

__all__ = ['lines', 'trees']


def test_combinations_of_a_larger_sample_are_said_to_stay(trees, lines):
    assert compute_features_bach10rwc.main(rwc_flags(trees)) == 0
    assert compute_features_bach10rwc.main(rwc_flags(trees, '--sample_size', 4)) == 0
    assert not [line for line in lines if 'stay' in line]
    assert compute_features_bach10rwc.main(rwc_flags(trees, '--sample_size', 2)) == 0
    assert [line for line in lines if line.startswith(
        '2 combinations of a former run, which are not among the --sample_size 2 of now, stay in %s and are trained '
        'on too, such as' % (trees / 'features'))]


def test_the_timing_of_the_recordings_has_fewer_combinations(trees, lines, monkeypatch):
    monkeypatch.setattr(compute_features_bach10rwc, 'LARGEST_SAMPLE_GT', 2)
    said = '--sample_size 3: with --original 0 at most 2 combinations for each piece are made'
    assert compute_features_bach10rwc.main(rwc_flags(trees, '--original', 0)) == 0 and said in lines
    lines.clear()
    assert compute_features_bach10rwc.main(rwc_flags(trees, '--original', 0, '--sample_size', 2)) == 0
    assert not [line for line in lines if '--sample_size' in line]
