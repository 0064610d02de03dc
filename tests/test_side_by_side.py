"""Several inputs at a time: the same stems, and nothing that is said is lost."""
import argparse
import dataclasses
import logging
import os

import numpy as np
import pytest
import soundfile
import terminal

from deepconvsep import jobs, recipes
from deepconvsep.models import known, store
from deepconvsep.separation import side_by_side
from tests import sound_tree

DSD = 'examples/dsd100/separate_dsd.py'
SCORED = 'examples/bach10_scoreinformed/separate_bach10.py'


@pytest.fixture
def songs(tmp_path):
    """A folder of three inputs, of which the second is damaged and the last saturates."""
    folder = tmp_path / 'songs'
    folder.mkdir()
    sound_tree.write(str(folder / 'a.wav'), sound_tree.noise(1, 44100))
    (folder / 'b.wav').write_bytes(b'RIFF and no more')
    sound_tree.write(str(folder / 'c.wav'), 3 * np.sign(sound_tree.noise(2, 30000)), subtype='FLOAT')
    return folder


def contents(folder):
    return {os.path.relpath(os.path.join(at, name), folder): open(os.path.join(at, name), 'rb').read()
            for at, _, names in os.walk(folder) for name in names if name.endswith('.wav')}


def test_the_same_stems_and_lines_for_any_number_of_processes(script, songs, dsd_model, tmp_path):
    done = {}
    for nprocs in '1', '2':
        out = tmp_path / 'out'
        done[nprocs] = script(DSD, '-i', songs, '-o', out, '-m', dsd_model, '--engine', 'numpy', '--quiet',
                              '--nprocs', nprocs, *(['--report'] if nprocs == '2' else []))
        os.rename(out, tmp_path / nprocs)
    one, two = done['1'], done['2']
    assert one.returncode == two.returncode == 1
    names = ['%s/%s.wav' % (song, stem) for song in 'ac' for stem in ('vocals', 'bass', 'drums', 'other')]
    assert one.stdout.splitlines() == [str(tmp_path / 'out' / name) for name in names]
    assert two.stdout.splitlines() == [str(tmp_path / 'out' / name) for name in names + ['index.html']]
    assert sorted(one.stderr.splitlines()) == sorted(two.stderr.splitlines())
    assert 'c.wav: ' in two.stderr and 'samples of the stems were beyond full scale' in two.stderr
    assert 'b.wav' in two.stderr and '1 of 3 files failed' in two.stderr
    stems = contents(tmp_path / '2')
    assert len(stems) >= 8
    assert {name: stems[name] for name in contents(tmp_path / '1')} == contents(tmp_path / '1')
    assert (tmp_path / '2' / 'index.html').exists()


def test_an_input_flag_that_is_repeated_adds_to_the_first(script, songs, dsd_model, tmp_path):
    done = script(DSD, '-i', songs / 'a.wav', '-i', songs / 'c.wav', '-o', tmp_path / 'out', '-m', dsd_model,
                  '--engine', 'numpy', '--nprocs', '1')
    assert done.returncode == 0 and sorted(os.listdir(tmp_path / 'out')) == ['a', 'c']


def test_a_sound_is_no_title(script, songs, dsd_model, tmp_path):
    done = script(DSD, '-i', songs / 'a.wav', '-o', tmp_path / 'out', '-m', dsd_model, '--report', songs / 'c.wav')
    assert done.returncode == 2 and not (tmp_path / 'out').exists()
    assert 'c.wav for its title, which is the name of a file or folder: give --report behind' in done.stderr


def test_warnings_and_late_failures_of_processes_are_said(script, dsd_model, songs, tmp_path):
    sound_tree.write(str(songs / 'b.wav'), sound_tree.noise(3, 20000))
    sound_tree.write(str(songs / 'd.wav'), sound_tree.noise(3, 2000), rate=500)   # found out where it is separated
    done = script(DSD, '-i', songs, '-o', tmp_path / 'out', '-m', dsd_model, '--engine', 'numpy', '--nprocs', '2')
    assert done.returncode == 1
    assert 'd.wav has 500 Hz, expected 1000' in done.stderr and '1 of 4 files failed' in done.stderr
    assert 'Traceback' not in done.stderr
    assert len(contents(tmp_path / 'out')) == 12 and not (tmp_path / 'out' / 'd' / 'vocals.wav').exists()


def test_an_input_whose_processes_die_is_named(monkeypatch):
    monkeypatch.setattr(jobs, 'run', lambda work, items, *rest, **more: list(map(jobs._died, items)))
    flags = argparse.Namespace(scheduler=None, nprocs=2, quiet=True)
    plan = [('a.wav', ['vocals.wav'], object())]
    failures = side_by_side.separate(plan, None, argparse.Namespace(path='m.pkl'), None, flags)
    assert failures == [('a.wav', 'a.wav: every worker that took it died (killed, or out of memory?): try fewer '
                                  'processes')]


def test_every_warning_of_every_input_is_said(monkeypatch, caplog):
    """What is no warning is about the process, and is said once."""
    caplog.set_level('INFO')
    said = [('engine', logging.INFO, 'NumPy separates'), ('audio', logging.WARNING, 'no samples')]
    monkeypatch.setattr(jobs, 'run', lambda work, items, *rest, **more: [
        jobs.Outcome(item, (None, said)) for item in items])
    plan = [(name + '.wav', [name], None) for name in 'ab']
    flags = argparse.Namespace(scheduler=None, nprocs=2, quiet=True)
    assert side_by_side.separate(plan, None, argparse.Namespace(path='m.pkl'), None, flags) == []
    assert caplog.messages == ['NumPy separates', 'no samples', 'no samples']


@pytest.mark.parametrize('gpu, engine, nprocs, several', [
    (False, None, None, True), (True, None, None, False), (True, 'numpy', None, True), (True, None, 2, True)])
def test_a_gpu_has_one_process_unless_it_is_not_used(monkeypatch, gpu, engine, nprocs, several):
    monkeypatch.setattr(side_by_side, 'wanted_gpu', lambda flags: gpu)
    flags = argparse.Namespace(scheduler=None, nprocs=nprocs, engine=engine)
    assert side_by_side.wanted(flags, 2) == several
    assert not side_by_side.wanted(flags, 1)


def test_a_process_makes_a_separator_for_each_model_and_its_settings(tmp_path):
    """A worker of a cluster outlives a run: the next one may have another model of the same name."""
    model, recipe = tmp_path / 'm.pkl', recipes.bach10.SEPARATION
    shipped = store.load(known.locate('bach10_compact'), recipe.networks, 'a test')
    flags = argparse.Namespace(method='network', engine='numpy', batch_size=4)
    first = shipped.settings
    second = dataclasses.replace(first, overlap=first.overlap - 1)

    def made(settings):
        return side_by_side._separator(recipe, str(model), settings, flags)
    store.save(str(model), shipped.params, shipped.network, first, {})
    one = made(first)
    assert made(first) is one
    assert made(second) is not one and made(second).settings == second
    two = made(first)
    os.utime(str(model), ns=(0, 0))
    assert made(first) is not two


def test_scores_travel_to_processes(script, tmp_path):
    pieces = []
    for name in 'one', 'two':
        piece = tmp_path / 'pieces' / name
        piece.mkdir(parents=True)
        pieces.append(piece / (name + '.wav'))
        sound_tree.write(str(pieces[-1]), sound_tree.noise(4, 44100, 1))
        for instrument in 'bassoon', 'clarinet', 'saxophone', 'violin':
            (piece / ('%s_b.txt' % instrument)).write_text('0.1,0.9,C4\n')
    done = {nprocs: script(SCORED, '-i', *pieces, '-o', tmp_path / nprocs, '--engine', 'numpy', '--quiet', '--nprocs',
                           nprocs) for nprocs in '12'}
    assert done['1'].returncode == done['2'].returncode == 0, done['2'].stderr
    assert done['1'].stderr == done['2'].stderr
    assert contents(tmp_path / '1') == contents(tmp_path / '2') and len(contents(tmp_path / '1')) == 8


def test_the_shortest_sounds_are_separated_with_scores(script, tmp_path):
    for count in 1, 3000, 7000:
        sound_tree.write(str(tmp_path / 'in' / ('%d.wav' % count)), sound_tree.noise(1, count))
    for name in 'bassoon', 'clarinet', 'saxophone', 'violin':
        (tmp_path / (name + '_b.txt')).write_text('0.,0.9,C4\n')
    done = script(SCORED, '-i', tmp_path / 'in', '-o', tmp_path / 'out', '--scores', tmp_path, '--engine', 'numpy',
                  '--nprocs', '1')
    assert done.returncode == 0, done.stderr
    lengths = [len(soundfile.read(tmp_path / 'out' / name)[0]) for name in contents(tmp_path / 'out')]
    assert sorted(lengths) == [1] * 4 + [3000] * 4 + [7000] * 4


def test_progress_on_a_terminal(songs, dsd_model, tmp_path):
    seen = terminal.run(80, DSD, '-i', songs, '-o', tmp_path / 'out', '-m', dsd_model, '--engine', 'numpy', '--nprocs',
                        '2')
    assert seen.code == 1 and 'Traceback' not in seen.text
    assert any('2/2' in bar for bar in seen.bars)
    assert not any('of sound' in bar for bar in seen.bars)
    assert sum(line.endswith('.wav') and os.path.exists(line) for line in seen.lines) == 8


def test_a_cluster_separates_relative_paths(script, songs, dsd_model, tmp_path):
    distributed = pytest.importorskip('distributed')
    with distributed.LocalCluster(n_workers=1, threads_per_worker=2, host='127.0.0.1', dashboard_address=None,
                                  silence_logs=50) as local:
        done = script(DSD, '-i', 'a.wav', 'c.wav', '-o', '../out', '-m', dsd_model, '--engine', 'numpy', '--quiet',
                      '--scheduler', local.scheduler_address, cwd=songs)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == '../out/c/other.wav'
    assert len(contents(tmp_path / 'out')) == 8
