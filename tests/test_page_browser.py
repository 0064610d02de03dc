"""The mixer of the page in a browser: play, mute, solo, seek, by mouse and by keyboard, from a disk and a server."""
import functools
import http.server
import pathlib
import threading

import browser
import numpy as np
import pytest
import soundfile

from deepconvsep.report import page

pytestmark = pytest.mark.skipif(not browser.PROGRAM, reason='Chromium is not installed')
RATE, SECONDS = 8000, 40


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A page of a song with two stems, of which one has a true stem, and the rest of the mixture."""
    folder = tmp_path_factory.mktemp('page')
    time = np.arange(SECONDS * RATE) / RATE
    for name, frequency in (('mixture', 300), ('a', 500), ('b', 700), ('rest', 900), ('true', 1100)):
        soundfile.write(str(folder / (name + '.wav')), 0.1 * np.sin(2 * np.pi * frequency * time), RATE)
    paths = {name: str(folder / (name + '.wav')) for name in ('a', 'b')}
    song = page.Song('song', str(folder / 'mixture.wav'), dict(paths, **{'all but a': str(folder / 'rest.wav')}),
                     {'a': str(folder / 'true.wav')})
    other = page.Song('other', str(folder / 'mixture.wav'), paths)
    page.write(str(folder), [song, other], 'Two songs', ['x'], {})
    return folder


@pytest.fixture(scope='module')
def chromium(tmp_path_factory):
    running = browser.Browser(str(tmp_path_factory.mktemp('profile')))
    yield running
    running.close()


@pytest.fixture
def opened(chromium, folder):
    chromium.problems.clear()
    chromium.resize(1200, 900)
    chromium.open(pathlib.Path(folder / 'index.html').as_uri())
    yield chromium
    assert chromium.problems == []


def audible(opened, number=0):
    """(part, kind) of the players that would be heard."""
    players = opened.ask('mixer[%d].state().players' % number)
    return {(player['part'], player['kind']) for player in players if not player['muted']}


def playing(opened, beyond=0.3, number=0):
    return opened.wait('(() => { const state = mixer[%d].state();'
                       'return state.place > %f && state.players.every(player => !player.paused) && state })()'
                       % (number, beyond))


def assert_paused(opened, number=0):
    state = opened.wait('(() => { const state = mixer[%d].state(); return !state.playing && state })()' % number)
    assert all(player['paused'] for player in state['players'])
    return state


BOTH = {('1', 'separated'), ('2', 'separated')}


def test_all_stems_play_in_step(opened):
    assert audible(opened) == BOTH, 'what overlaps with the stems, and the mixture, are silent at first'
    opened.click('.play')
    state = playing(opened)
    assert opened.ask('document.querySelector(".play").textContent') == 'Pause'
    # once settled; a player that has lost the others is brought back
    opened.ask('document.querySelectorAll("#sound-1 audio")[1].currentTime = 20')
    opened.wait('(() => { const times = mixer[0].state().players.map(player => player.time);'
                'return Math.max(...times) - Math.min(...times) < 0.1 })()')
    assert len(state['players']) == 5 and opened.ask('mixer[0].state().place') < 15
    opened.click('.play')
    place = assert_paused(opened)['place']
    assert 0 < place < SECONDS
    heads = opened.ask('Array.from(document.querySelectorAll("#sound-1 .head")).map(head =>'
                       'parseFloat(head.style.left))')
    assert len(heads) == 5 and np.allclose(heads, 100 * place / SECONDS, atol=0.01)


def test_mute_solo_and_the_keyboard(opened):
    opened.click('[data-part="1"] .mute')
    assert audible(opened) == {('2', 'separated')}
    assert opened.ask('document.querySelector("[data-part=\'1\'] .mute").getAttribute("aria-pressed")') == 'true'
    opened.press('1', 'Digit1')
    assert audible(opened) == {('1', 'separated')}, 'a solo is heard even if it was muted'
    opened.press('1', 'Digit1')
    assert audible(opened) == BOTH
    opened.click('[data-part="3"] .solo')
    assert audible(opened) == {('3', 'separated')}
    opened.press('3', 'Digit3')
    opened.press('!', 'Digit2', shift=True)
    assert audible(opened) == {('1', 'separated'), ('3', 'separated')}
    opened.press('9', 'Digit9')
    assert audible(opened) == {('1', 'separated'), ('3', 'separated')}, 'there is no stem 9'
    opened.press('0', 'Digit0')
    assert audible(opened) == {('mixture', 'mixture')}
    opened.press('0', 'Digit0')
    opened.press(' ', 'Space')
    playing(opened)
    opened.press(' ', 'Space')
    assert_paused(opened)


def test_a_button_that_has_the_focus_takes_the_space_bar(opened):
    opened.ask('document.querySelector("[data-part=\'2\'] .mute").focus()')
    opened.press(' ', 'Space')
    assert audible(opened) == {('1', 'separated')} and not opened.ask('mixer[0].state().playing')


def test_separated_and_reference_at_the_same_place(opened):
    opened.click('.play')
    before = playing(opened)['place']
    opened.click('[data-listen="reference"]')
    assert audible(opened) == {('1', 'reference')}, 'stem 2 has no true stem'
    opened.press('r', 'KeyR')
    assert audible(opened) == BOTH
    assert before <= opened.ask('mixer[0].state().place') < 15 and opened.ask('mixer[0].state().playing')


@pytest.mark.parametrize('served', [False, True])
def test_seek(opened, folder, served):
    if served:   # by Python's own server, which cannot send a part of a file
        server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), functools.partial(Quiet, directory=str(folder)))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        opened.open('http://127.0.0.1:%d/index.html' % server.server_port)
    opened.click('[data-part="2"] .picture', across=0.5)
    assert opened.ask('mixer[0].state().place') == pytest.approx(SECONDS / 2, abs=0.1)
    opened.press('ArrowRight', 'ArrowRight')
    assert opened.ask('mixer[0].state().place') == pytest.approx(SECONDS / 2 + 5, abs=0.1)
    assert opened.ask('document.querySelector(".clock").textContent') in ('0:24 / 0:40', '0:25 / 0:40')
    opened.press(' ', 'Space')
    state = playing(opened, SECONDS / 2 + 5.1)
    assert min(player['time'] for player in state['players']) > SECONDS / 2 + 4.5
    opened.click('.seek', across=0.25)
    playing(opened, 9)
    assert opened.ask('mixer[0].state().place') < 20
    opened.click('[data-part="1"] .picture', across=0.995)
    assert assert_paused(opened)['place'] == pytest.approx(SECONDS, abs=0.01), 'it stops at the end'
    opened.press(' ', 'Space')
    playing(opened)
    assert opened.ask('mixer[0].state().place') < 15, 'and begins again'
    if served:
        opened.open('about:blank')
        server.shutdown()
        server.server_close()


def test_one_song_at_a_time(opened):
    opened.click('#sound-1 .play')
    playing(opened)
    opened.click('#sound-2 .play')
    playing(opened, number=1)
    assert_paused(opened)
    opened.press('1', 'Digit1')
    assert audible(opened, 1) == {('1', 'separated')} and audible(opened) == BOTH


@pytest.mark.parametrize('dark,calm', [(False, False), (True, True)])
@pytest.mark.parametrize('width', [1200, 390])
def test_nothing_is_cut_off(opened, width, dark, calm):
    opened.resize(width, 844, dark, calm)
    assert opened.ask('document.documentElement.scrollWidth') <= width
    outside = ('Array.from(document.querySelectorAll("button, input, .pitches span")).filter(found => { const box ='
               'found.getBoundingClientRect(); return box.width && (box.left < 0 || box.right > innerWidth) }).length')
    assert opened.ask(outside) == 0
    shown = opened.ask('Array.from(document.querySelectorAll("#sound-1 .picture")).filter(found =>'
                       'found.getBoundingClientRect().width).length')
    assert shown == (5 if width == 1200 else 4), 'on a phone separated or reference, by what is listened to'
    marked = opened.ask('Array.from(document.querySelectorAll("#sound-1 .track")).filter(found => getComputedStyle('
                        'found.querySelector(".picture")).boxShadow !== "none").map(found => found.dataset.kind)')
    assert marked == ['separated'] * 2, 'what sounds is marked, and nothing else'
    beside = opened.ask('(() => { const at = name => document.querySelector("#sound-1 .row[data-part=\'1\'] " + name)'
                        '.getBoundingClientRect(); return at(".buttons").top < at("h3").bottom })()')
    assert beside == (width == 390), 'on a phone the buttons stand beside the name'
    light = opened.ask('getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)[0] > 127')
    assert light != dark
    opened.press('v', 'KeyV')
    waves = ('Array.from(document.querySelectorAll("#sound-1 .picture svg")).filter(found =>'
             'found.getBoundingClientRect().width).length')
    assert opened.ask(waves) == shown
    opened.click('.play')
    playing(opened)
    assert opened.ask('document.querySelector("#sound-1 .head").getBoundingClientRect().height') > 100
