"""Settings of Sphinx for `make docs`."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from deepconvsep import __version__

project = 'DeepConvSep'
version = release = __version__
templates_path = ['_templates']
extensions = ['sphinx.ext.autodoc', 'sphinx.ext.autosummary', 'numpydoc', 'myst_parser']
exclude_patterns = ['_build']
myst_heading_anchors = 3
# the documentation is built without Theano and what only training and evaluation need
autodoc_mock_imports = ['theano', 'lasagne', 'pandas', 'seaborn', 'dask', 'distributed', 'pygpu']
autosummary_generate = True
numpydoc_show_class_members = False
# the diagram of the architecture is shown as text: nothing is loaded from elsewhere
suppress_warnings = ['misc.highlighting_failure']
html_theme = 'alabaster'
html_theme_options = {'page_width': '1140px', 'body_max_width': 'none', 'sidebar_width': '240px',
                      'font_size': '16px', 'code_font_size': '0.8em', 'fixed_sidebar': True,
                      'font_family': 'system-ui, sans-serif', 'head_font_family': 'system-ui, sans-serif'}
