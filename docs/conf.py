"""Sphinx configuration."""

from sklearn_unlearn import __version__

project = "sklearn_unlearn"
author = "The sklearn_unlearn developers"
release = __version__
extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.extlinks",
    "sphinx.ext.mathjax",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
]
extlinks = {"arxiv": ("https://arxiv.org/abs/%s", "arXiv:%s")}
numpydoc_show_class_members = False
exclude_patterns = ["_build"]
suppress_warnings = ["config.cache"]
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "filename_pattern": "/plot_",
    "ignore_pattern": "benchmarks|studies",
    "download_all_examples": False,
}
