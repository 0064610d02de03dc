"""What the separation scripts refuse or warn of, a line each."""
import argparse
import dataclasses
import os
import shutil

import numpy as np
import pytest
import soundfile

from deepconvsep import recipes
from deepconvsep.errors import UsageError
from deepconvsep.formats import pickles
from deepconvsep.models import store
from deepconvsep.network import architecture
from deepconvsep.separation import former, plan
from examples.dsd100 import recipe

DSD = 'examples/dsd100/separate_dsd.py'
IKALA = 'examples/ikala/separate_ikala.py'
STEMS = ['bass.wav', 'drums.wav', 'other.wav', 'vocals.wav']

#: A pointer file of Git LFS, by its specification.
POINTER = (b'version https://git-lfs.github.com/spec/v1\noid sha256:'
           b'4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n')

pytestmark = pytest.mark.filterwarnings('ignore')


@pytest.mark.parametrize('args,code,message', [
    (['-o', 'out', '-m', 'MODEL'], 2, 'the following arguments are required: -i'),
    (['-i', 'WAV', '-o', 'out', '-m', 'MODEL', '--nonsense'], 2, 'unrecognized arguments: --nonsense'),
    (['-i', 'WAV', '-o', 'out', '-m', 'MODEL', '--batch_size', '0'], 2, "got '0', expected a whole number above 0"),
    (['-i', 'WAV', '-o', 'out', '-m', 'MODEL', '--overlap', '30'], 2, '--overlap is 30, expected less than the 30'),
    (['-i', 'WAV', '-o', 'out', '-m', 'MODEL', '--window', 'kaiser'], 2, "invalid choice: 'kaiser'"),
    (['-i', 'WAV', '-o', 'out', '-m', 'MODEL', '--format', 'flac', '--subtype', 'float'], 2, 'FLAC cannot hold FLOAT'),
    (['-i', 'WAV', 'WAV', '-o', 'out', '-m', 'MODEL'], 2, 'is given twice'),
    (['-i', 'WAV', 'copy/short14337.flac', '-o', 'out', '-m', 'MODEL'], 2, 'would both be written to'),
    (['-i', 'none.wav', '-o', 'out', '-m', 'MODEL'], 1, 'none.wav: No such file'),
    (['-i', 'copy', '-o', 'WAV', '-m', 'MODEL'], 1, 'is a file, expected a folder'),
    (['-i', 'bare', '-o', 'out', '-m', 'MODEL'], 1, 'the folder bare holds no sound file'),
    (['-i', 'WAV', '-o', 'out', '-m', 'none.pkl'], 1, 'cannot read the model none.pkl: No such file'),
    (['-i', 'WAV', '-o', 'out', '-m', 'WAV'], 1, 'is not a model'),
    (['-i', 'text.wav', '-o', 'out', '-m', 'MODEL'], 1, 'text.wav is not a sound file'),
    (['-i', 'vocals.wav', '-o', '.', '-m', 'MODEL', '--overwrite'], 2, 'is an input and would be overwritten'),
    (['-i', 'WAV', '-o', '', '-m', 'MODEL'], 2, "argument -o/--odir: got '', expected a path"),
    (['-i', 'WAV', '', '-o', 'out', '-m', 'MODEL'], 2, "argument -i/--ifile: got '', expected a path"),
    (['-i', 'WAV', '-o', 'out', '-m', ''], 2, "argument -m/--mfile: got '', expected a path"),
    (['-i', 'WAV', '-o', 'out', '-m', 'pointer.pkl'], 1, 'pointer.pkl is not a model or is damaged (KeyError): it is a '
     'Git LFS pointer in place of the file: run "git lfs pull" there'),
    (['-i', 'WAV', '-o', 'out', '-m', 'pointer.npz'], 1, 'run "git lfs pull" there'),
    (['-i', 'pointer.wav', '-o', 'out', '-m', 'MODEL'], 1, 'run "git lfs pull" there'),
])
def test_mistakes_are_one_line_and_never_reach_theano(script, golden, complete_model, tmp_path, args, code, message):
    (tmp_path / 'blocked').mkdir()
    (tmp_path / 'blocked' / 'theano.py').write_text('raise SystemExit("theano was imported")')
    (tmp_path / 'copy').mkdir()
    (tmp_path / 'bare').mkdir()
    wav = golden('5_end_to_end/dsd/short14337.wav')
    soundfile.write(str(tmp_path / 'copy' / 'short14337.flac'), np.zeros(10), 44100)
    shutil.copy(wav, str(tmp_path / 'vocals.wav'))
    (tmp_path / 'text.wav').write_text('not a sound')
    for name in ('pointer.pkl', 'pointer.npz', 'pointer.wav'):
        (tmp_path / name).write_bytes(POINTER)
    args = [{'WAV': wav, 'MODEL': complete_model}.get(arg, arg) for arg in args]
    done = script(DSD, *args, env={'PYTHONPATH': str(tmp_path / 'blocked')})
    lines = [line for line in done.stderr.splitlines() if line]
    assert done.returncode == code and message in lines[-1], done.stderr
    assert 'Traceback' not in done.stderr and 'theano was' not in done.stderr
    assert len(lines) == 1 or lines[0].startswith('I ')
    assert done.stdout == '' and not (tmp_path / 'out' / 'vocals.wav').exists()


@pytest.mark.parametrize('path', [DSD, IKALA])
def test_help_without_theano(script, tmp_path, path):
    (tmp_path / 'theano.py').write_text('raise SystemExit("theano was imported")')
    done = script(path, '--help', env={'PYTHONPATH': str(tmp_path)})
    assert done.returncode == 0 and '--batch_size' in done.stdout and 'theano was' not in done.stderr


def test_a_model_of_another_script_is_named(script, golden, tmp_path):
    pickles.dump_arrays(str(tmp_path / 'm.pkl'),
                         [np.zeros(shape, np.float32) for shape in architecture.DSD100_FOUR_BRANCHES.param_shapes()])
    done = script(IKALA, '-i', golden('5_end_to_end/dsd/mix.wav'), '-o', tmp_path, '-m', tmp_path / 'm.pkl')
    assert done.returncode == 1
    assert 'holds 17 arrays of the DSD100 network with four branches; separate_ikala.py needs 13' in done.stderr
    done = script(DSD, '-i', golden('5_end_to_end/dsd/short14337.wav'), '-o', tmp_path, '-m', tmp_path / 'm.pkl')
    assert done.returncode == 0 and '17 arrays, DSD100 network with four branches' in done.stderr


def write_model(path, model, change, settings=recipe.LEGACY_SETTINGS):
    """The recorded model with its weights changed by a function, and settings."""
    loaded = store.load(model, recipe.NETWORKS, 'a test')
    store.save(str(path), [change(param) for param in loaded.params], loaded.network, settings, {})
    return path


@pytest.mark.parametrize('subtype', ['PCM_16', 'FLOAT'])
def test_weights_that_give_no_masks_leave_no_stems(script, golden, dsd_model, tmp_path, subtype):
    model = write_model(tmp_path / 'm.pkl', dsd_model, lambda param: param * np.float32(1e20))
    source = golden('5_end_to_end/dsd/short14337.wav')
    done = script(DSD, '-i', source, '-o', tmp_path / 'out', '-m', model, '--subtype', subtype, '--report', '--quiet')
    assert done.returncode == 1 and done.stdout == ''
    assert done.stderr.count('\n') == 1 and 'Traceback' not in done.stderr
    assert '%s: the network gives no finite masks at 0.00 s' % source in done.stderr
    assert os.listdir(str(tmp_path / 'out')) == []


def test_assumed_settings_are_said(script, golden, dsd_model, tmp_path):
    """A model that has lost its settings is separated by the original script's; its copy with settings is quiet."""
    source = golden('5_end_to_end/dsd/short14337.wav')
    model = write_model(tmp_path / 'm.pkl', dsd_model, lambda param: param, recipe.SETTINGS)
    done = script(DSD, '-i', source, '-o', tmp_path / 'with', '-m', model, '--quiet')
    assert done.returncode == 0 and done.stderr == ''
    os.unlink(str(tmp_path / 'm.json'))
    done = script(DSD, '-i', source, '-o', tmp_path / 'without', '-m', model, '--quiet')
    assert done.returncode == 0 and done.stderr.count('\n') == 1
    assert 'W separate: %s is missing' % (tmp_path / 'm.json') in done.stderr
    assert 'assumed window hanning, overlap 25, frames of 1024 samples, hop 512, 44100 Hz' in done.stderr


def test_two_stems_of_one_name_are_refused(script, golden, dsd_model, tmp_path):
    sources = dataclasses.replace(recipe.LEGACY_SETTINGS, sources=('vocals', 'accompaniment', 'drums', 'other'))
    model = write_model(tmp_path / 'm.pkl', dsd_model, lambda param: param, sources)
    flags = ['-i', golden('5_end_to_end/dsd/short14337.wav'), '-o', tmp_path / 'out', '-m', model, '--quiet']
    done = script(DSD, *flags, '--accompaniment')
    assert done.returncode == 2 and not (tmp_path / 'out').exists()
    place = tmp_path / 'out' / 'accompaniment.wav'
    assert 'would both be written to %s: leave out --accompaniment' % place in done.stderr
    assert script(DSD, *flags).returncode == 0


def test_a_window_that_leaves_gaps_is_refused(script, golden, dsd_model, tmp_path):
    """Every 700 samples, Hann's frames of 1024 meet and Blackman's do not."""
    wide = dataclasses.replace(recipe.LEGACY_SETTINGS, hop_size=700)
    model = write_model(tmp_path / 'm.pkl', dsd_model, lambda param: param, wide)
    flags = ['-i', golden('5_end_to_end/dsd/short14337.wav'), '-o', tmp_path / 'out', '-m', model, '--quiet']
    done = script(DSD, *flags, '--window', 'blackmanharris')
    assert done.returncode == 2 and not (tmp_path / 'out').exists()
    assert '--window is blackmanharris, which leaves gaps between frames of 1024 samples every 700' in done.stderr
    assert script(DSD, *flags).returncode == 0


def test_stems_of_a_former_run_are_no_inputs(script, golden, complete_model, tmp_path):
    """The output folders lie inside the input folder; the second run has another one, and another format."""
    songs = tmp_path / 'songs'
    songs.mkdir()
    shutil.copy(golden('5_end_to_end/dsd/short14337.wav'), str(songs / 'a.wav'))
    flags = ['-m', complete_model, '--engine', 'numpy', '--nprocs', '1', '-i', 'songs', '-o']
    first = script(DSD, *flags, os.path.join('songs', 'out'), '--accompaniment')
    assert first.returncode == 0 and sorted(os.listdir(str(songs / 'out' / 'a'))) == ['accompaniment.wav', *STEMS]
    for place in ('second', '.'):
        done = script(DSD, *flags, os.path.join('songs', place), '--format', 'flac')
        assert done.returncode == 0, done.stderr
        assert [os.path.split(path)[0] for path in done.stdout.split()] == [os.path.join('songs', place, 'a')] * 4
        assert '%s is left out, and ' % os.path.join('songs', 'out', 'a', 'accompaniment.wav') in done.stderr


@pytest.mark.parametrize('kind,files,left,named', [
    (recipes.dsd100, ['a.wav', 'o/a/vocals.flac', 'o/a/b.wav', 'o/a/music.wav'], ['o/a/vocals.flac'], False),
    (recipes.dsd100, ['a.wav', 'o/a-voice.wav', 'o/a_violin.wav'], ['o/a-voice.wav', 'o/a_violin.wav'], False),
    (recipes.bach10, ['a.wav', 'a_violin.wav', 'a_viola.wav', 'b_violin.wav', 'a-violin.wav'], ['a_violin.wav'], False),
    (recipes.ikala, ['a.wav', 'o/a/drums.wav', 'o/drums.wav'], ['o/a/drums.wav'], False),
    # the true stems of DSD100, and what a separation of one file leaves: nobody can tell them apart
    (recipes.dsd100, ['Mixtures/Dev/a/mixture.wav', *('Sources/Dev/a/' + stem for stem in STEMS)], [], True),
    (recipes.dsd100, ['a.wav', 'b.wav', *('o/' + stem for stem in STEMS)], [], True),
    (recipes.dsd100, ['a.wav', *('o/' + stem for stem in STEMS[1:])], [], False),
])
def test_what_looks_like_a_stem(tmp_path, caplog, kind, files, left, named):
    for name in files:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b'')
    inputs = plan.gather([str(tmp_path)], str(tmp_path / 'elsewhere'))
    kept = former.without_stems(inputs, [str(tmp_path)], kind.SEPARATION, kind.SOURCES)
    assert {os.path.relpath(path, str(tmp_path)) for path in inputs.keys() - kept.keys()} == set(left)
    assert ('is left out' in caplog.text) == bool(left) and ('which look like stems' in caplog.text) == named
    # what is named is wanted
    every = [str(tmp_path / name) for name in files]
    caplog.clear()
    assert former.without_stems(inputs, every, kind.SEPARATION, kind.SOURCES) == inputs and not caplog.text


def test_links_are_followed_and_sounds_that_cannot_be_read_are_said(tmp_path, caplog):
    for name in ('in/a.wav', 'in/b.m4a', 'in/notes.txt', 'other/c.opus', 'in/out/d.wav'):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b'')
    os.symlink(str(tmp_path / 'other'), str(tmp_path / 'in' / 'linked'))
    os.symlink(str(tmp_path / 'in'), str(tmp_path / 'other' / 'circle'))
    found = plan.gather([str(tmp_path / 'in')], str(tmp_path / 'in' / 'out'))
    assert found == {str(tmp_path / 'in' / 'a.wav'): 'a', str(tmp_path / 'in' / 'linked' / 'c.opus'): 'linked/c'}
    assert 'since they cannot be read: %s; convert them' % (tmp_path / 'in' / 'b.m4a') in caplog.text
    assert 'notes.txt' not in caplog.text


def test_a_sound_and_a_link_to_it_are_the_same_input(tmp_path):
    (tmp_path / 'a.wav').write_bytes(b'')
    os.symlink(str(tmp_path / 'a.wav'), str(tmp_path / 'b.wav'))
    with pytest.raises(UsageError, match='b.wav is given twice'):
        plan.gather([str(tmp_path / 'a.wav'), str(tmp_path / 'b.wav')], str(tmp_path / 'out'))


def test_a_former_page_leads_to_nothing_outside_of_its_folder(tmp_path, caplog):
    """A page may be of anybody: what is removed with it lies in its folder of pictures."""
    folder = tmp_path / 'out'
    (folder / 'report').mkdir(parents=True)
    for path in (tmp_path / 'mine.png', folder / 'report' / '1-mixture.png'):
        path.write_bytes(b'')
    links = ('a_violin.wav', 'report/1-mixture.png', 'report/../../mine.png', str(tmp_path / 'mine.png'))
    (folder / 'index.html').write_bytes(former.MARK + b' '.join(b'<a href="%s">' % link.encode() for link in links))
    sound = str(tmp_path / 'a.wav')
    former.remove([(sound, [str(folder / 'a_violin.wav')])], {sound: 'a'}, ('violin',), recipes.bach10.SEPARATION,
                  argparse.Namespace(ifile=[sound], odir=str(folder), report=None))
    assert os.listdir(str(folder)) == [] and (tmp_path / 'mine.png').exists()
    assert 'index.html, which showed the stems that are replaced' in caplog.text
