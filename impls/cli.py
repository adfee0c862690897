"""The plain command line: runs every cell without Snakemake. Start with `python -m impls --help`."""

from __future__ import annotations

import argparse
import json
import sys
import types
import typing
from pathlib import Path

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, PydanticUndefined

from impls.campaign.options import CampaignOptions
from impls.command_line import UNFINISHED, Parser, run_command
from impls.data import names as data_names
from impls.engine.options import Options
from impls.engine.spec import CellSpec
from impls.engine.train import train
from impls.errors import UserError
from impls.parent_watch import watch_parent
from impls.registry import FRAMEWORKS, experiments, spec_class
from impls.sources import training_sources
from impls.workers.options import WorkersOptions

EXAMPLES = """examples:
  a first look, on the built-in stand-in data, in a minute:
    python -m impls train feedforward --framework torch --method cdni --hidden-units 64 --learning-rate 1e-3 \\
        --iterations 2000 --evaluate-every 200
  the paper's 4-layer net with synthetic gradients, 3 replicas, stopped after an hour and continued later:
    python -m impls train feedforward --framework jax --method dni --data original --replicas 3 --max-minutes 60
    python -m impls train feedforward --framework jax --method dni --data original --replicas 3 --resume

exit codes: 0 done, 1 a cell of a campaign failed, 2 something must be changed, 75 a training reached its --max-minutes,
130 stopped
"""

CAMPAIGN = """\
Works through config/campaign.yaml, the most valuable cells first, several at once. It stops before the time runs out.
Ctrl-C, a signal or the end of the time stops every cell at a checkpoint; a kill loses about a minute of training.
See docs/campaign.md.

  python -m impls campaign --dry-run --budget-minutes 600           print the plan, with estimated times
  python -m impls campaign --budget-minutes 600                     work through the plan
  python -m impls campaign --budget-minutes 600 --resume results/campaign
  python -m impls campaign --budget-minutes 30 --only 'mnist/*/depth~3' --framework jax --out results/depth3

exit codes: 0 as planned (everything is done, or the time is over), 1 a cell failed, 2 something must be changed,
130 stopped
"""


WORKERS = """\
Times backpropagation and synthetic gradients with several processes that share one net (an addition: the paper reports
no times), on links of several delays. It needs PyTorch, and a machine that does nothing else.

  python -m impls workers                                           every schedule, links of 0, 1, 5 and 20 ms
  python -m impls workers --schedules locked unlocked --link-delays 0 5 --starts 1 --output /tmp/times.json
  python -m impls workers --depth 5 --hidden-units 1000             larger layers

one_process: backpropagation, all cores, no link; locked: each worker waits for its turn; gpipe, 1f1b: micro-batches;
data_parallel: each worker has the whole net and a share of the batch; delayed: true gradients, late; unlocked:
synthetic gradients.

exit codes: 0 done, 2 something must be changed, 130 stopped
"""


def main(arguments: list[str] | None = None) -> int:
    """Run one subcommand; returns the exit code, as `EXAMPLES` lists them."""
    watch_parent()
    parsed = build_parser().parse_args(arguments)
    return run_command(lambda: parsed.run(parsed))


def build_parser() -> argparse.ArgumentParser:
    """The parser; `train <experiment>` has a flag for every field of the experiment's spec and of the run's options."""
    parser = Parser(
        prog="python -m impls",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(required=True, metavar="command")

    train_parser = commands.add_parser("train", help="train one cell of an experiment", allow_abbrev=False)
    train_experiments = train_parser.add_subparsers(required=True, metavar="experiment")
    for experiment in experiments():
        spec = spec_class(experiment)
        sub = train_experiments.add_parser(
            experiment, help=(sys.modules[spec.__module__].__doc__ or "").partition("\n")[0], allow_abbrev=False
        )
        _add_fields(sub.add_argument_group("what to compute; the defaults are the paper's"), spec)
        _add_fields(sub.add_argument_group("how to run it"), Options)
        sub.set_defaults(run=_train, experiment=experiment)

    list_parser = commands.add_parser("list", help="list every cell of a preset, its progress, and its command")
    list_parser.add_argument(
        "--configfile", type=Path, default=Path("config/quick.yaml"), help="the preset (%(default)s)"
    )
    list_parser.set_defaults(run=_list)

    campaign_parser = commands.add_parser(
        "campaign",
        help="work through a list of paper-scale cells in a given time",
        description=CAMPAIGN,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    _add_fields(campaign_parser, CampaignOptions)
    campaign_parser.set_defaults(run=_campaign)

    workers_parser = commands.add_parser(
        "workers",
        help="time several processes that share one net, with and without synthetic gradients",
        description=WORKERS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    _add_fields(workers_parser, WorkersOptions)
    workers_parser.set_defaults(run=_workers)

    evaluate_parser = commands.add_parser("evaluate", help="evaluate a finished run again, from its stored parameters")
    evaluate_parser.add_argument("folder", type=Path, help="the folder that `train` wrote")
    evaluate_parser.set_defaults(run=_evaluate)

    export_parser = commands.add_parser("export", help="write the curves of runs for another tool, such as TensorBoard")
    export_parser.add_argument("results", type=Path, help="folder of runs, such as results/quick, or of one training")
    export_parser.add_argument("--to", choices=("tensorboard",), required=True, help="the tool")
    export_parser.add_argument("--output", type=Path, help="an empty or new folder (default: RESULTS/tensorboard)")
    export_parser.set_defaults(run=_export)

    data_parser = commands.add_parser("data", help="find or download a data set, check it, and describe it")
    data_parser.add_argument("dataset", choices=data_names(), help="name of the data set")
    _add_fields(data_parser, Options, only="data")
    data_parser.add_argument("--output", type=Path, help="file for the manifest, as JSON")
    data_parser.set_defaults(run=_data)

    makespan_parser = commands.add_parser(
        "makespan", help="estimate how long a preset takes on several devices, such as the GPUs of a cluster"
    )
    makespan_parser.add_argument("--configfile", type=Path, default=Path("config/paper.yaml"), help="(%(default)s)")
    makespan_parser.add_argument(
        "--devices", type=int, nargs="+", default=[1, 8, 64], metavar="N", help="numbers of devices (default: 1 8 64)"
    )
    makespan_parser.add_argument("--device", choices=("cpu", "cuda"), default="cuda", help="their kind (%(default)s)")
    makespan_parser.set_defaults(run=_makespan)

    sources_parser = commands.add_parser("sources", help="list the source files that a training job depends on")
    sources_parser.add_argument("experiment", choices=experiments())
    sources_parser.add_argument("framework", choices=FRAMEWORKS)
    sources_parser.set_defaults(run=lambda a: print(*training_sources(a.experiment, a.framework), sep="\n"))
    return parser


def _add_fields(parser: argparse._ActionsContainer, model: type[BaseModel], only: str | None = None) -> None:
    """One flag per field of a pydantic model, with the field's description, choices and default."""
    for name, field in model.model_fields.items():
        if only not in (None, name):
            continue
        flag = "--" + name.replace("_", "-")
        if field.annotation is bool:
            parser.add_argument(
                flag,
                action=argparse.BooleanOptionalAction,
                default=argparse.SUPPRESS,
                help=f"{field.description} (default: {'yes' if field.default else 'no'})",
            )
            continue
        kind = field.annotation
        if typing.get_origin(kind) in (types.UnionType, typing.Union):  # `X | None`: a given value is an X
            kind = next(part for part in typing.get_args(kind) if part is not type(None))
        choices = typing.get_args(kind) if typing.get_origin(kind) is typing.Literal else None
        many = typing.get_origin(kind) is tuple
        default = field.default
        shown = (
            ""
            if default in (None, PydanticUndefined)
            else f" (default: {' '.join(map(str, default)) if many else default})"
        )
        parser.add_argument(
            flag,
            required=default is PydanticUndefined,
            default=argparse.SUPPRESS,
            choices=choices,
            nargs="*" if many else None,
            metavar=None if choices else name.split("_")[-1].upper(),
            help=f"{field.description}{shown}".replace("%", "%%"),
        )


def _from_flags(model: type[BaseModel], parsed: argparse.Namespace) -> BaseModel:
    """Check the given flags against their model; every bad value is listed."""
    given = {name: value for name, value in vars(parsed).items() if name in model.model_fields}
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise UserError("; ".join(_in_words(e) for e in error.errors())) from None


def _in_words(error: ErrorDetails) -> str:
    """One error of a model as text: of one flag, or (without a location) of several flags that do not fit together."""
    message = error["msg"].removeprefix("Value error, ")
    if not error["loc"]:
        return message
    return f"--{str(error['loc'][0]).replace('_', '-')}: {message} (given: {error['input']})"


def _train(parsed: argparse.Namespace) -> int:
    spec = _from_flags(spec_class(parsed.experiment), parsed)
    options = _from_flags(Options, parsed)
    assert isinstance(spec, CellSpec)
    assert isinstance(options, Options)
    record = train(parsed.experiment, spec, options)
    rate = (
        f"{record.model_steps_per_second:.1f} model-steps/s" if record.model_steps_per_second else "nothing left to do"
    )
    if record.diverged_seeds:
        print(f"diverged, with values that are not finite: seeds {', '.join(map(str, record.diverged_seeds))}")
    print(f"{record.status} at iteration {record.iteration_reached} of {record.iterations}, {rate}")
    return 0 if record.status == "complete" else UNFINISHED


def _evaluate(parsed: argparse.Namespace) -> None:
    from impls.engine.evaluate import evaluate

    for line in evaluate(parsed.folder):
        print(line)


def _export(parsed: argparse.Namespace) -> None:
    from impls.export import to_tensorboard

    output = parsed.output or parsed.results / parsed.to
    count = to_tensorboard(parsed.results, output)
    print(f"{count} run{'s' * (count != 1)} exported; to see them: tensorboard --logdir {output}")


def _campaign(parsed: argparse.Namespace) -> int:
    from impls.campaign.command import campaign

    options = _from_flags(CampaignOptions, parsed)
    assert isinstance(options, CampaignOptions)
    return campaign(options)


def _workers(parsed: argparse.Namespace) -> None:
    from impls.workers.measure import measure

    options = _from_flags(WorkersOptions, parsed)
    assert isinstance(options, WorkersOptions)
    measure(options)
    print(options.output)


def _list(parsed: argparse.Namespace) -> None:
    from impls.presets import describe_cells

    for line in describe_cells(parsed.configfile):
        print(line)


def _makespan(parsed: argparse.Namespace) -> None:
    from impls.makespan import describe
    from impls.presets import load_preset

    if min(parsed.devices) < 1:
        raise UserError("--devices: each number must be 1 or more")
    for line in describe(load_preset(parsed.configfile).model_copy(update={"device": parsed.device}), parsed.devices):
        print(line)


def _data(parsed: argparse.Namespace) -> None:
    from impls.data import load
    from impls.engine.files import write_atomically

    dataset = load(parsed.dataset, getattr(parsed, "data", "embedded"))
    print(f"{dataset.name}: {dataset.description}")
    for name, split in dataset.splits.items():
        print(f"  {name}: inputs {split.inputs.shape}, labels {split.labels.shape}")
    if parsed.output:
        parsed.output.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(parsed.output, (json.dumps(dataset.manifest(), indent=1) + "\n").encode())
