"""What experiments and benchmarks keep of a former run, when what it was made from has changed since."""
import json
import shutil

import numpy as np
import pytest

from deepconvsep import audio, files
from deepconvsep.errors import InputError
from deepconvsep.formats import pickles
from deepconvsep.metrics import records, stems
from deepconvsep.models import known
from deepconvsep.recipes import bach10_scoreinformed as informed
from deepconvsep.score import Note, write_score
from examples import kept
from examples.bach10 import recipe, soundfonts, synthesize
from tools.benchmarks import chorales

PIECES = ('01-A', '02-B')


@pytest.fixture
def db(tmp_path):
    """Two short pieces of Bach10 with coarse scores."""
    time = np.arange(22050) / 44100.
    for piece in PIECES:
        folder = tmp_path / 'db' / piece
        folder.mkdir(parents=True)
        for place, (source, name) in enumerate(zip(recipe.SOURCES, recipe.INSTRUMENTS)):
            midi = 60 + 3 * place
            tone = 0.1 * np.sin(2 * np.pi * 440 * 2 ** ((midi - 69) / 12) * time)
            audio.write(str(folder / ('%s-%s.wav' % (piece, source))), tone, 44100)
            write_score(str(folder / (name + '_b.txt')), [Note(0.05, 0.45, midi)])
    return tmp_path / 'db'


def test_stems_are_kept_while_nothing_that_they_were_made_from_has_changed(db, tmp_path, capfd):
    def made(*flags):
        assert chorales.main(['--db', str(db), '--out', str(tmp_path / 'out'), '--methods', 'score', '--separate_only',
                              *flags]) == 0
        return sorted({line.split('/')[-1].partition('-v')[0] for line in capfd.readouterr().out.splitlines()
                       if line.endswith('-violin.wav')})
    assert made() == list(PIECES) and made() == []
    scores = db / PIECES[0] / 'violin_b.txt'
    scores.write_text(scores.read_text().replace('\n', ' \n'))
    assert made() == [PIECES[0]]
    stem = db / PIECES[1] / (PIECES[1] + '-violin.wav')
    audio.write(str(stem), audio.read(str(stem))[0] / 2, 44100)
    assert made() == [PIECES[1]] and made() == []
    assert made('--score_offset', '0.01') == list(PIECES)
    shipped, model = known.path(informed.DEFAULT_MODEL), tmp_path / 'model.pkl'
    for ending in ('.pkl', '.json'):
        shutil.copy(shipped[:-len('.pkl')] + ending, str(model.with_suffix(ending)))
    assert made('--score_offset', '0.01', '--model', str(model)) == []   # the same weights
    pickles.dump_arrays(str(model), [param * 0.9 for param in pickles.load_arrays(str(model))])
    beside = json.loads(model.with_suffix('.json').read_text())
    model.with_suffix('.json').write_text(json.dumps(dict(beside, sha256=files.sha256(str(model)))))
    assert made('--score_offset', '0.01', '--model', str(model)) == list(PIECES)


def test_results_whose_stems_or_pieces_are_gone_are_not_counted(tmp_path):
    for method in ('nmf', 'gone'):
        folder = tmp_path / 'results' / method
        folder.mkdir(parents=True)
        for piece, score in zip(PIECES, (1., 9.)):
            targets = {'violin': {'scores': {measure: [score] for measure in chorales.MEASURES}, 'not_scored': {}}}
            records.write(stems.Track(piece, method, 'Sources', str(folder / piece), {}), {}, {}, {'notes': []},
                          targets, {'nothing': 0})
    (tmp_path / 'output' / 'nmf').mkdir(parents=True)
    found = chorales.collect(str(tmp_path / 'results'), str(tmp_path / 'output'), PIECES[:1])
    assert set(found) == {'nmf'} and found['nmf']['mean SDR'] == [1., 0.] and found['nmf']['pieces'] == 1


def test_a_damaged_record_counts_as_none(tmp_path):
    stem = tmp_path / 'a.wav'
    stem.write_bytes(b'')
    kept.note([str(stem)], {'model': ('a', 1)})
    assert kept.is_current([str(stem)], {'model': ('a', 1)})
    (tmp_path / '.a.json').write_text('{"mod')
    assert not kept.is_current([str(stem)], {'model': ('a', 1)})


@pytest.fixture
def bank(tmp_path, monkeypatch):
    """A bank that needs no programs."""
    path = tmp_path / 'bank.sf2'
    path.write_bytes(b'samples')
    monkeypatch.setitem(soundfonts.BANKS, 'fluid', soundfonts.BANKS['fluid']._replace(path=str(path)))
    monkeypatch.setattr(soundfonts, 'check', lambda names: None)
    monkeypatch.setattr(synthesize.jobs, 'run', lambda work, items, *_, **__: [
        synthesize.jobs.Outcome(item, synthesize.Counter(kept=1)) for item in items])
    return path


def test_sounds_of_a_bank_that_has_changed_since_are_refused(bank, tmp_path, capfd):
    command = ['rwc', '--out', str(tmp_path / 'out'), '--banks', 'fluid', '--nprocs', '1']
    assert synthesize.main(command) == 0 == synthesize.main(command)
    bank.write_bytes(b'others')
    with pytest.raises(InputError, match="holds sounds with sounds .*, now wanted: .*: choose another --out"):
        synthesize.main(command)
    record = tmp_path / 'out' / 'synthesis.json'
    values = json.loads(record.read_text())
    del values['sounds']   # a folder of an older version
    record.write_text(json.dumps(values))
    assert synthesize.main(command) == 0


def test_sounds_with_relatives_are_others(bank, tmp_path):
    command = ['bach10', '--out', str(tmp_path / 'out'), '--banks', 'fluid', '--number', '1', '--vary_timbre']
    assert synthesize.main(command) == 0
    with pytest.raises(InputError, match='holds sounds with relatives None, now wanted: relatives True: choose'):
        synthesize.main(command + ['--relatives'])


def test_pieces_that_are_not_asked_for_are_named(bank, tmp_path, caplog):
    (tmp_path / 'out' / '09-Other').mkdir(parents=True)
    command = ['bach10', '--out', str(tmp_path / 'out'), '--banks', 'fluid', '--number', '1']
    assert synthesize.main(command) == 0
    assert 'holds 1 pieces more than are asked for, such as 09-Other' in caplog.text
