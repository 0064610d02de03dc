"""The published figures of SiSEC MUS 2016, from the scores of every window."""
import os

import pytest
from conftest import ROOT

from deepconvsep.errors import InputError
from deepconvsep.metrics import published

FOLDER = os.environ.get('DEEPCONVSEP_PUBLISHED', os.path.join(ROOT, os.pardir, 'shared', 'published'))
needs_windows = pytest.mark.skipif(not os.path.exists(os.path.join(FOLDER, 'cha_frames.csv')),
                                   reason='the published scores of every window (cha_frames.csv) are not there')


@pytest.fixture(scope='module')
def frames():
    return published.read_frames(os.path.join(FOLDER, 'cha_frames.csv'))


@needs_windows
def test_published_medians(frames):
    test = published.aggregate(frames, 'by_position', excluded=(36, 37, 43))['Test']
    assert test['tracks'] == 47
    medians = {target: round(test[target]['SDR'], 2) for target in published.TARGETS}
    assert medians == {'vocals': 1.13, 'accompaniment': 3.83, 'bass': 0.16, 'drums': 1.64, 'other': 1.12}


@needs_windows
def test_corrected_medians(frames):
    assert round(published.aggregate(frames, excluded=(36, 37, 43))['Test']['vocals']['SDR'], 2) == 1.01
    test = published.aggregate(frames)['Test']
    assert test['tracks'] == 50
    medians = {target: round(test[target]['SDR'], 2) for target in published.TARGETS}
    assert medians == {'vocals': 0.93, 'accompaniment': 3.85, 'bass': 0.01, 'drums': 1.64, 'other': 1.12}


@needs_windows
@pytest.mark.parametrize('name, options', [
    ('published', {'mask': 'by_position', 'excluded': (36, 37, 43)}), ('corrected', {}),
    ('corrected_median', {'windows': 'median'})])
def test_every_figure_in_the_file_follows_from_the_windows(frames, name, options):
    quoted = published.load()['DSD100']['subsets']
    computed = published.aggregate(frames, **options)
    for subset in ('Test', 'Dev'):
        assert quoted[subset][name]['tracks'] == computed[subset]['tracks']
        for target in published.TARGETS:
            for measure in published.MEASURES:
                assert quoted[subset][name][target][measure] == round(computed[subset][target][measure], 2)


@needs_windows
def test_each_track_of_the_website(frames):
    """cha_tracks.csv has the mean and the median of every track over the windows where its own song is not silent."""
    import pandas
    tracks = pandas.read_csv(os.path.join(FOLDER, 'cha_tracks.csv')).set_index(['track_id', 'target'])
    for rule in ('mean', 'median'):
        for track_id, target in ((1, 'vocals'), (36, 'vocals'), (60, 'drums')):
            one = frames[(frames.track_id == track_id) & (frames.target == target)]
            value = list(published.aggregate(one, windows=rule).values())[0][target]['SDR']
            assert value == pytest.approx(tracks.loc[(track_id, target), '%s_SDR' % rule], abs=1e-4)


def test_figures_say_where_they_come_from():
    dsd = published.load()['DSD100']
    assert 'sisec-mus' in dsd['source'] and "49 of 100 tracks have another song's mask" in dsd['rules']['published']
    systems = dsd['context']['systems']
    assert len(systems) == 24 and systems['IBM']['vocals'] == 9.76 and systems['HUA']['bass'] is None
    # the entry appears twice and must say the same
    assert systems['CHA'] == {target: dsd['subsets']['Test']['published'][target]['SDR']
                              for target in published.TARGETS}


def a_record(name, *sdr):
    scores = {measure: list(sdr) for measure in published.MEASURES}
    return {'track': name, 'targets': {target: {'scores': scores, 'not_scored': {}} for target in published.TARGETS}}


def test_comparison_with_results_of_ones_own():
    lines = published.comparison([a_record('001 - a', 1., 3., None), a_record('002 - b', 4., 'inf'),
                                  a_record('050 - c', 9.)], 'Test')
    text = '\n'.join(lines)
    assert 'published: 47 tracks' in text and 'corrected: 50 tracks' in text and 'here: 3 tracks' in text
    rows = [line.split() for line in text.splitlines() if line.startswith('vocals')]
    # windows: means 2, 4, 9; tracks: median 4
    assert rows[0] == ['vocals', 'SDR', '1.13', '0.93', '4.00', '2.87']


@pytest.mark.parametrize('mask, expected', [('by_song', 2.), ('by_position', 1.)])
def test_windows_that_the_other_song_does_not_have_are_left_out(mask, expected):
    """'na' in the list by position; those of the song itself are 0 or 1."""
    import pandas
    rows = [[1, 'Test', 'vocals', sdr, 0., 0., 0., by_song, by_position]
            for sdr, by_song, by_position in ((1., 0, '0'), (3., 0, 'na'), (9., 1, '1'))]
    frames = pandas.DataFrame(rows, columns=['track_id', 'subset', 'target', *published.MEASURES,
                                             published.MASKS['by_song'], published.MASKS['by_position']])
    assert published.aggregate(frames, mask)['Test']['vocals']['SDR'] == expected


def test_a_table_without_the_columns_is_refused(tmp_path):
    (tmp_path / 'a.csv').write_text('track_id,track,subset,target,SDR,ISR,SIR\n')
    with pytest.raises(InputError, match='a.csv has no column SAR, expected scores of windows'):
        published.read_frames(str(tmp_path / 'a.csv'))
    with pytest.raises(InputError, match='cannot read .*b.csv'):
        published.read_frames(str(tmp_path / 'b.csv'))
