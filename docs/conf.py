"""Sphinx configuration."""

from sklearn_unlearn import __version__

project = "sklearn_unlearn"
author = "The sklearn_unlearn developers"
copyright = f"{author}. BSD 3-Clause."  # noqa: A001, Sphinx's name for it
release = __version__
extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.extlinks",
    "sphinx.ext.intersphinx",
    "sphinx.ext.mathjax",
    "myst_parser",
    "numpydoc",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build"]
templates_path = ["_templates"]
suppress_warnings = ["config.cache"]

# Pages of classes and functions.
autosummary_generate = True
maximum_signature_line_length = 80
# Docstrings say what types mean.
autodoc_typehints = "none"
numpydoc_show_class_members = False  # the template lists them
toc_object_entries_show_parents = "hide"

# Links.
extlinks = {"arxiv": ("https://arxiv.org/abs/%s", "arXiv:%s")}
_SITES = {
    "numpy": "https://numpy.org/doc/stable/",
    "python": "https://docs.python.org/3/",
    "scipy": "https://docs.scipy.org/doc/scipy/",
    "sklearn": "https://scikit-learn.org/stable/",
    "skorch": "https://skorch.readthedocs.io/en/stable/",
    "torch": "https://docs.pytorch.org/docs/stable/",
}
# The second location is an empty inventory, which Sphinx takes where the site can't be reached:
# without a network the build has no links to other projects, instead of a warning for each.
intersphinx_mapping = {name: (url, (None, "offline.inv")) for name, url in _SITES.items()}
intersphinx_timeout = 10

# Examples.
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "filename_pattern": "/plot_",
    "ignore_pattern": "benchmarks|studies",
    "doc_module": ("sklearn_unlearn",),
    "backreferences_dir": "gallery/backreferences",
    "download_all_examples": False,
    "capture_repr": (),  # what examples print is enough
    "show_signature": False,
    "write_computation_times": False,
}

# Looks.
html_theme = "pydata_sphinx_theme"
html_title = project
html_static_path = ["_static"]
html_css_files = ["custom.css"]
html_copy_source = False
html_theme_options = {
    "footer_start": ["licence"],
    "footer_end": [],
    "header_links_before_dropdown": 6,
    "navbar_align": "left",
    "show_toc_level": 2,
}
# Pages without pages below them.
_ALONE = ("index", "costs", "studies", "extending", "why_not_retrain", "how_we_test", "related")
html_sidebars = {page: [] for page in (*_ALONE, "stability", "changelog")}
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True


def _skip_what_others_document(app, what, name, thing, skip, options):
    """Leave out methods that come from scikit-learn; their texts link into its guide."""
    function = thing.fget if isinstance(thing, property) else thing
    home = getattr(function, "__module__", None) if callable(function) else None
    return None if home and home.partition(".")[0] == project else True


def setup(app):
    """Connect the above."""
    app.connect("autodoc-skip-member", _skip_what_others_document)
