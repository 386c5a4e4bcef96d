"""Kill a Python process of ours with SIGKILL at a named place, from inside, without touching it.

A folder with a ``sitecustomize.py`` goes on ``PYTHONPATH``; when the named module has been
imported, its function is wrapped so that the process kills itself there.
"""

from __future__ import annotations

from pathlib import Path

SITECUSTOMIZE = """
import importlib.abc, os, signal, sys

MODULE, NAME, WHEN = {place!r}.split(":")
CONDITION = {condition!r}


def kill():
    os.kill(os.getpid(), signal.SIGKILL)


def wrap(function):
    def wrapped(*args, **kwargs):
        wanted = all(str(kwargs.get(k)) == v for k, v in CONDITION.items())
        if WHEN == "before" and wanted:
            kill()
        result = function(*args, **kwargs)
        if WHEN == "after" and wanted:
            kill()
        return result
    return wrapped


class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name != MODULE:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        run = spec.loader.exec_module

        def exec_module(module):
            run(module)
            owner, *rest = module, *NAME.split(".")
            for part in rest[:-1]:
                owner = getattr(owner, part)
            setattr(owner, rest[-1], wrap(getattr(owner, rest[-1])))

        spec.loader.exec_module = exec_module
        return spec


if any(part.endswith("worker") for part in sys.orig_argv):
    import importlib.util
    sys.meta_path.insert(0, Finder())
"""


def plant(folder: Path, place: str, **condition: str) -> str:
    """Write the killer; gives the folder for ``PYTHONPATH``.

    Parameters
    ----------
    place
        ``module:function:before`` or ``module:function:after``.
    condition
        Keyword arguments that the call must have.
    """
    folder.mkdir(exist_ok=True)
    text = SITECUSTOMIZE.format(place=place, condition=condition)
    (folder / "sitecustomize.py").write_text(text)
    return str(folder)
