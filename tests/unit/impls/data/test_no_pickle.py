"""No data file may run code: only the reader of CIFAR-10's batches can reach pickle, and it allows three names."""

import ast
import io
import pickle
import re
from pathlib import Path

import pytest

import impls.data
from impls.data import cifar_batch

FOLDER = Path(impls.data.__file__).parent
EXCEPTION = Path(cifar_batch.__file__)
MODULES = {"pickle", "_pickle", "cPickle", "cloudpickle", "dill", "joblib", "jsonpickle", "marshal", "shelve", "torch"}
FUNCTIONS = {"read_pickle", "eval", "exec", "__import__", "import_module"}


def ways_to_pickle(source: str) -> list[str]:
    """Each import, call or argument in `source` through which a file's content could be unpickled."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.split(".")[0] in MODULES]
        elif isinstance(node, ast.ImportFrom):
            imported = [node.module or "", *(alias.name for alias in node.names)]
            found += [name for name in imported if name.split(".")[0] in MODULES | FUNCTIONS]
        elif isinstance(node, ast.Name) and node.id in FUNCTIONS:
            found.append(node.id)
        elif isinstance(node, ast.Attribute) and node.attr in FUNCTIONS | {"pickle"}:
            found.append(node.attr)
        elif isinstance(node, ast.keyword) and node.arg == "allow_pickle" and ast.unparse(node.value) != "False":
            found.append(node.arg)
    return found


@pytest.mark.parametrize("path", sorted({*FOLDER.rglob("*.py")} - {EXCEPTION}), ids=lambda path: path.name)
def test_no_pickle_is_reachable(path):
    assert ways_to_pickle(path.read_text()) == []


def test_the_reader_of_batches_uses_pickle_only_through_its_allow_list():
    source = EXCEPTION.read_text()
    assert ways_to_pickle(source) == ["pickle"]
    assert set(re.findall(r"pickle\.\w+", source)) == {"pickle.Unpickler", "pickle.UnpicklingError"}
    assert issubclass(cifar_batch.BatchUnpickler, pickle.Unpickler)
    assert source.count("pickle.Unpickler)") == 1  # as its base class alone


def test_the_allow_list_is_what_the_published_batches_need():
    needed = {"numpy.core.multiarray._reconstruct", "numpy.ndarray", "numpy.dtype"}
    assert {".".join(names) for names in cifar_batch.ALLOWED} == needed


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"),
        ("posix", "system"),
        ("subprocess", "Popen"),
        ("builtins", "eval"),
        ("__builtin__", "eval"),
        ("builtins", "getattr"),
        ("importlib", "import_module"),
        ("numpy", "load"),
        ("numpy.testing", "runstring"),
        ("numpy", "dtype.__class__"),
        ("numpy.core", "multiarray._reconstruct"),
    ],
)
def test_any_other_name_is_refused(module, name):
    unpickler = cifar_batch.BatchUnpickler(io.BytesIO())
    with pytest.raises(pickle.UnpicklingError, match=f"it asks for '{module}.{name}', which no batch needs"):
        unpickler.find_class(module, name)


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "def read():\n    import _pickle as p",
        "from pickle import loads",
        "from numpy import pickle",
        "import joblib.numpy_pickle",
        "import numpy as np\nnp.load(path, allow_pickle=True)",
        "np.load(path, allow_pickle=flag)",
        "pd.read_pickle(path)",
        "__import__('pickle')",
    ],
)
def test_the_search_finds_pickle(source):
    assert ways_to_pickle(source)


def test_the_search_lets_plain_reading_through():
    assert not ways_to_pickle("import numpy as np\nnp.load(path, allow_pickle=False)\nnp.frombuffer(content, np.uint8)")
