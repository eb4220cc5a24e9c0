"""Packages live in three places: the core, the plugins (each a package of its own), and the assets."""

from setuptools import find_packages, setup

CORE = find_packages(include=["suite", "suite.*"])
PLUGINS = find_packages("plugins")

setup(
    packages=[*CORE, *PLUGINS, "suite_assets"],
    package_dir={
        "suite_assets": "assets",
        **{name: f"plugins/{name.replace('.', '/')}" for name in PLUGINS},
    },
    package_data={"suite_assets": ["**/*"], "suite": ["py.typed", "plugins/templates/**/*.tmpl"]},
)
