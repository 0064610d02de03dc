"""A headless Chromium, by its DevTools protocol over two pipes: no driver, no other package."""
import base64
import itertools
import json
import os
import select
import shutil
import subprocess
import sys
import time

PROGRAM = next(filter(None, map(shutil.which, ('chromium', 'chromium-browser', 'google-chrome'))), None)
FLAGS = ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run', '--mute-audio',
         '--disable-extensions', '--disable-background-networking', '--remote-debugging-pipe',
         '--autoplay-policy=user-gesture-required']
PATIENCE = 60   # seconds


class Browser:
    """One page of a browser; `problems` collects what its console complains of.

    Parameters
    ----------
    folder : str
        For the profile.
    """

    def __init__(self, folder):
        there, self._out = os.pipe()
        self._in, back = os.pipe()
        # the browser reads commands from descriptor 3 and answers on 4
        program = ('import os, sys; ends = [os.dup(os.dup(int(end))) for end in sys.argv[1:3]]; '
                   'os.dup2(ends[0], 13); os.dup2(ends[1], 14); os.dup2(13, 3); os.dup2(14, 4); '
                   'os.execv(sys.argv[3], sys.argv[3:])')
        self._process = subprocess.Popen(
            [sys.executable, '-c', program, str(there), str(back), PROGRAM] + FLAGS + ['--user-data-dir=' + folder],
            pass_fds=[there, back], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(there)
        os.close(back)
        self._numbers, self._pending, self._session, self._loaded = itertools.count(1), b'', None, 0
        self.problems = []
        target = self.call('Target.createTarget', url='about:blank')['targetId']
        self._session = self.call('Target.attachToTarget', targetId=target, flatten=True)['sessionId']
        for domain in ('Page', 'Runtime', 'Log', 'Network'):
            self.call(domain + '.enable')

    def close(self):
        self._process.terminate()
        self._process.wait()
        os.close(self._in)
        os.close(self._out)

    def _message(self, until):
        while b'\0' not in self._pending:
            if not select.select([self._in], [], [], max(0, until - time.monotonic()))[0]:
                raise TimeoutError('the browser does not answer')
            found = os.read(self._in, 1 << 16)
            if not found:
                raise EOFError('the browser ended')
            self._pending += found
        text, self._pending = self._pending.split(b'\0', 1)
        return json.loads(text)

    def call(self, method, **params):
        """The result of a command; events that come in between are noted."""
        number, until = next(self._numbers), time.monotonic() + PATIENCE
        command = {'id': number, 'method': method, 'params': params}
        if self._session:
            command['sessionId'] = self._session
        os.write(self._out, json.dumps(command).encode() + b'\0')
        while True:
            message = self._message(until)
            if message.get('id') == number:
                assert 'error' not in message, message
                return message['result']
            self._note(message.get('method'), message.get('params'))

    def _note(self, event, params):
        if event == 'Page.loadEventFired':
            self._loaded += 1
        elif event == 'Runtime.exceptionThrown':
            self.problems.append(params['exceptionDetails'].get('exception', {}).get('description', str(params)))
        elif event == 'Runtime.consoleAPICalled' and params['type'] in ('error', 'warning', 'assert'):
            self.problems.append(str(params['args']))
        elif event == 'Log.entryAdded' and params['entry']['level'] in ('error', 'warning'):
            self.problems.append(params['entry']['text'])

    def open(self, address):
        """Load a page."""
        before = self._loaded
        self.call('Page.navigate', url=address)
        while self._loaded == before:
            message = self._message(time.monotonic() + PATIENCE)
            self._note(message.get('method'), message.get('params'))

    def ask(self, expression):
        """The value of an expression of JavaScript, awaited."""
        found = self.call('Runtime.evaluate', expression=expression, awaitPromise=True, returnByValue=True)
        assert 'exceptionDetails' not in found, found
        return found['result'].get('value')

    def wait(self, expression):
        """Ask until the expression is true; return its value."""
        until = time.monotonic() + PATIENCE
        while True:
            found = self.ask(expression)
            if found:
                return found
            assert time.monotonic() < until, 'never: %s' % expression
            time.sleep(0.05)

    def click(self, selector, across=0.5):
        """Click with the mouse at this share of the width of an element."""
        x, y = self.ask('(() => { const found = document.querySelector(%s); found.scrollIntoView({block: "center"});'
                        'const box = found.getBoundingClientRect();'
                        'return [box.x + %f * box.width, box.y + box.height / 2] })()' % (json.dumps(selector), across))
        for kind in ('mousePressed', 'mouseReleased'):
            self.call('Input.dispatchMouseEvent', type=kind, x=x, y=y, button='left', clickCount=1)

    def press(self, key, code, shift=False):
        """Press a key of the keyboard."""
        text = {'text': key} if len(key) == 1 else {}
        for kind in ('keyDown', 'keyUp'):
            self.call('Input.dispatchKeyEvent', type=kind, key=key, code=code, modifiers=8 if shift else 0,
                      **(text if kind == 'keyDown' else {}))

    def resize(self, width, height, dark=False, calm=False):
        """Show the page as on a screen of this size, with these preferences."""
        self.call('Emulation.setDeviceMetricsOverride', width=width, height=height, deviceScaleFactor=1,
                  mobile=width < 500)
        self.call('Emulation.setEmulatedMedia', features=[
            {'name': 'prefers-color-scheme', 'value': 'dark' if dark else 'light'},
            {'name': 'prefers-reduced-motion', 'value': 'reduce' if calm else 'no-preference'}])

    def picture(self, path):
        """Write a screenshot of the whole page as PNG."""
        found = self.call('Page.captureScreenshot', format='png', captureBeyondViewport=True)
        with open(path, 'wb') as out:
            out.write(base64.b64decode(found['data']))
