"""From windows to tracks to a table, and the encoding of records."""
import numpy as np

from deepconvsep.metrics import program, records, tables

NAN, INF = float('nan'), float('inf')


def record(**scores):
    return {'targets': {'bass': {'scores': {measure: records.encode(values) for measure, values in scores.items()},
                                 'not_scored': {'silent reference': [1]}}}}


def test_records_keep_what_json_cannot_say():
    values = [1.25, NAN, INF, -INF]
    assert records.encode(values) == [1.25, None, 'inf', '-inf']
    np.testing.assert_array_equal(records.decode(records.encode(values)), values)


def test_windows_then_tracks():
    rows = tables.summarize([record(SDR=[1., NAN, 3.]), record(SDR=[4., 6., INF]), record(SDR=[11.]),
                             record(SDR=[NAN])])
    assert rows == [{'target': 'bass', 'measure': 'SDR', 'median': 5., 'mean': 6., 'sd': np.std([2., 5., 11.]),
                     'tracks': 3, 'windows': 8, 'nan': 2, 'inf': 1}]
    assert tables.reasons([record(SDR=[1., NAN]), record(SDR=[1., NAN])]) == ['not scored: bass, silent reference: 2']


def test_one_number_for_a_track():
    assert tables.over_windows([1., 2., 9., NAN], 'median') == 2.
    assert tables.over_windows([INF, NAN, INF]) == INF
    assert np.isnan(tables.over_windows([INF, -INF]))
    assert np.isnan(tables.over_windows([NAN])) and np.isnan(tables.over_windows([]))


def test_one_number_for_a_data_set():
    assert tables.over_tracks([1., NAN, INF]) == INF
    assert tables.over_tracks([1., NAN, 2.]) == 1.5
    assert np.isnan(tables.over_tracks([NAN]))


def test_measures_and_targets_have_a_fixed_order():
    found = {name: {'scores': dict.fromkeys(('SAR', 'NSDR', 'SDR'), [1.]), 'not_scored': {}} for name in 'ba'}
    assert [(row['target'], row['measure']) for row in tables.summarize([{'targets': found}])] == [
        ('a', 'SDR'), ('a', 'NSDR'), ('a', 'SAR'), ('b', 'SDR'), ('b', 'NSDR'), ('b', 'SAR')]


def test_reasons_of_what_is_not_scored():
    described = records.describe({'SDR': [-INF, 0., NAN, 1.], 'SIR': [-INF, NAN, 2., 1.], 'SAR': [5., NAN, 2., 1.]},
                                 [True, False, False, False], [True, True, False, False])
    assert described == {'scores': {'SDR': [None, 0., None, 1.], 'SIR': [None, None, 2., 1.],
                                    'SAR': [None, None, 2., 1.]},
                         'not_scored': {'silent reference': [0], 'silent estimate': [1], 'no energy to compare': [2]}}


def test_a_task_that_is_chosen_twice_is_done_once():
    assert program.choose(['a', 'b', 'c'], [3, 1, 3]) == ['c', 'a']
    assert program.choose(['a', 'b', 'c'], []) == ['a', 'b', 'c']
