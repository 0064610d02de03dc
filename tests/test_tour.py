"""The notebook docs/tour.ipynb: its cells run in order, and say what the text between them promises."""
import json
import os
import re
import subprocess
import sys

from conftest import ROOT

from deepconvsep import files

PATH = os.path.join(ROOT, 'docs', 'tour.ipynb')


def code_cells():
    return [''.join(cell['source']) for cell in files.read_json(PATH)['cells'] if cell['cell_type'] == 'code']


def test_the_notebook_is_stored_without_results():
    book = files.read_json(PATH)
    assert (book['nbformat'], len(code_cells())) == (4, 10)
    for cell in book['cells']:
        assert cell['cell_type'] == 'markdown' or cell['outputs'] == [] and cell['execution_count'] is None
    assert len({cell['id'] for cell in book['cells']}) == len(book['cells'])


def test_the_cells_run_in_order(tmp_path):
    program = ('import json, sys\nscope = {"__name__": "__main__"}\nfor cell in json.load(sys.stdin):\n'
               '    exec(compile(cell, "tour", "exec"), scope)\n')
    done = subprocess.run([sys.executable, '-c', program], input=json.dumps(code_cells()),
                          cwd=os.path.join(ROOT, 'docs'), env=dict(os.environ, TMPDIR=str(tmp_path)),
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    means = {method: float(value) for method, value in
             re.findall(r'^(mixture|network|ideal mask) .* (-?[\d.]+)$', done.stdout, re.MULTILINE)}
    assert means['mixture'] + 3 < means['network'] < means['ideal mask'], done.stdout
    page = done.stdout.splitlines()[-1]
    assert page.startswith(str(tmp_path)) and os.path.getsize(page) > 10000
