"""`peers`: how checkouts are recognised and named, the order of the processes, the table; a tiny peer runs."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import torch

from benchmarks import machine
from benchmarks.cli import main
from benchmarks.peers import command, known, koz4k, process
from benchmarks.peers.peer import named
from impls.registry import spec_class

# Our own code, with the names that koz4k.py uses: an interface that passes a trained prediction of the gradient down.
DNI = """
import contextlib

import torch

context = []


@contextlib.contextmanager
def synthesizer_context(value):
    context.append(value)
    yield
    context.pop()


class BasicSynthesizer(torch.nn.Module):
    def __init__(self, output_dim, n_hidden, context_dim):
        super().__init__()
        assert n_hidden == 1
        self.first = torch.nn.Linear(output_dim + (context_dim or 0), output_dim)
        self.last = torch.nn.Linear(output_dim, output_dim)

    def forward(self, h):
        given = [h] if context[-1] is None else [h, context[-1]]
        return self.last(self.first(torch.cat(given, 1)).relu())


class BackwardInterface(torch.nn.Module):
    def __init__(self, synthesizer):
        super().__init__()
        self.synthesizer = synthesizer

    def forward(self, h):
        predicted = self.synthesizer(h.detach())
        h.backward(predicted.detach())
        above = h.detach().requires_grad_()
        above.register_hook(lambda true: predicted.backward(2 * (predicted.detach() - true) / len(true)))
        return above
"""


@pytest.fixture
def checkout(tmp_path) -> Path:
    """A folder that looks like a clone of koz4k/dni-pytorch."""
    folder = tmp_path / "peer"
    (folder / "examples/mnist-mlp").mkdir(parents=True)
    (folder / "dni.py").write_text(DNI)
    (folder / "examples/mnist-mlp/main.py").write_text("nn.Linear(784, 256)")
    return folder


def commit(folder: Path) -> str:
    """Make the folder a repository with one commit; returns the commit's name."""
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    for words in (["init", "-q"], ["add", "."], [*who, "commit", "-qm", "first"]):
        subprocess.run(["git", "-C", folder, *words], check=True)
    done = subprocess.run(["git", "-C", folder, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_a_checkout_is_named_by_its_commit_and_its_changes(checkout, monkeypatch):
    """Without a repository, by a hash of its files; the commit of our own code never names it."""
    monkeypatch.setenv("DNI_GIT_COMMIT", "0" * 40)
    unknown = named(checkout)
    assert unknown.startswith("commit unknown, SHA-256 of its Python files ")
    name = commit(checkout)
    assert named(checkout) == f"commit {name[:10]}"
    (checkout / "dni.py").write_text(DNI + "\n")
    assert named(checkout) == f"commit {name[:10]} with changes"
    (checkout / ".git").rename(checkout.parent / "away")
    assert named(checkout) != unknown, "the hash is that of the files"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "give the folder of a checkout. To get one: git clone https://github.com/koz4k/dni-pytorch"),
        (["."], ". is not a checkout of a repository that is known here: koz4k/dni-pytorch"),
        (["nowhere"], "there is no folder nowhere; clone one of: koz4k/dni-pytorch"),
        ([".", "--rounds", "2"], "--rounds must be at least 3"),
        ([".", "--steps", "0"], "--replicas and --steps must be at least 1"),
        ([".", "--save", "nowhere/peers.json"], "there is no folder nowhere for peers.json"),
    ],
)
def test_a_mistake_is_one_line(tmp_path, monkeypatch, capsys, flags, message):
    monkeypatch.chdir(tmp_path)
    assert main(["peers", *flags]) == 4
    assert capsys.readouterr().err == f"error: {message}\n"


def test_a_file_with_the_name_of_theirs_is_not_enough(checkout):
    assert known.peer_of(checkout) is koz4k.PEER
    (checkout / "dni.py").write_text("nothing")
    assert not koz4k.PEER.has(checkout)


def test_all_nets_take_turns_and_the_ratio_is_that_of_a_round(checkout, monkeypatch, capsys, tmp_path):
    """In the second round everything takes twice as long, so the ratios stay."""
    monkeypatch.setattr(machine.Watch, "stop", lambda _: {"load_average": 0.1, "steal": 0.0, "others": 0.9})
    asked: list = []
    of_one = {"theirs": 0.004, "torch": 0.002, "jax": 0.001}

    def measured(peer, folder, net, steps):
        asked.append(net)
        return of_one[net.name] * net.replicas * (2 if 15 <= len(asked) - 1 < 30 else 1)

    monkeypatch.setattr(command, "_in_own_process", measured)
    file = tmp_path / "peers.json"
    assert main(["peers", str(checkout), "--rounds", "3", "--replicas", "10", "--save", str(file)]) == 0
    assert asked == asked[:15] * 3
    assert asked[:5] == [("bprop", name, 1) for name in of_one] + [("bprop", name, 10) for name in ("torch", "jax")]
    out = capsys.readouterr().out
    assert "| bprop | theirs | 1 | 4.0 | 4.0 to 8.0 | 250 |  |  |" in out
    assert "| cdni | ours, jax | 1 | 1.0 | 1.0 to 2.0 | 1000 | 4.00 | 4.00 to 4.00 |" in out
    assert "| dni | ours, torch | 10 | 20 | 20 to 40 | 500 | 2.00 | 2.00 to 2.00 |" in out
    assert "**The machine was busy" in out and "batch norm" in out and "koz4k/dni-pytorch, commit unknown" in out
    saved = json.loads(file.read_text())["peers"][0]
    assert saved["nets"][0]["seconds_per_step"] == [0.004, 0.008, 0.004]


@pytest.mark.parametrize("method", koz4k.PEER.methods)
def test_our_cell_has_the_sizes_of_the_peer(method):
    experiment, fields = koz4k.PEER.methods[method]
    spec = spec_class(experiment)(**fields)
    assert [linear.shape for linear in spec.layer_maps] == [(784, 256), (256, 256), (256, 10)]
    assert spec.batch_size == koz4k.PEER.batch_size and spec.method == method
    assert spec.cuts == (() if method == "bprop" else (2,))
    if spec.cuts:
        context = 10 if method == "cdni" else 0
        assert [linear.shape for linear in spec.synthetic_gradient_maps(2)] == [(256 + context, 256), (256, 256)]


@pytest.mark.parametrize(("method", "arrays"), [("bprop", 9), ("dni", 13), ("cdni", 13)])
def test_the_net_of_the_peer_learns(checkout, monkeypatch, method, arrays):
    """Every array changes, so its layers, its interface and the labels are connected; the loss falls."""
    torch.manual_seed(0)
    made, adam = [], torch.optim.Adam
    monkeypatch.setattr(torch.optim, "Adam", lambda arrays, lr: adam(made.extend(arrays) or made, lr=lr))
    step = koz4k.PEER.training_step(checkout, method)
    before = [array.detach().clone() for array in made]
    inputs, labels = torch.randn(64, 784), torch.randint(10, (64,))
    losses = [float(step(inputs, labels)) for _ in range(12)]
    assert losses[-1] < 0.8 * losses[0]
    assert len(made) == arrays and not any(map(torch.equal, before, made))


@pytest.mark.parametrize("net", ["theirs", "torch", "jax"])
@pytest.mark.slow("times nets in processes of their own")
def test_a_net_is_timed_in_a_process_of_its_own(checkout, monkeypatch, net):
    monkeypatch.setenv("TORCH_COMPILE_DISABLE", "1")  # compiling the step would take longer than all else here
    assert command._in_own_process(koz4k.PEER, checkout, command.Net("cdni", net, 1), 2) > 0


def test_the_error_of_a_peer_is_told(checkout):
    (checkout / "dni.py").write_text("class BackwardInterface: pass\nraise ValueError('no torch 0.2')")
    with pytest.raises(command.UserError, match=r"koz4k/dni-pytorch, dni, theirs: ValueError: no torch 0.2"):
        command._in_own_process(koz4k.PEER, checkout, command.Net("dni", process.THEIRS, 1), 2)
