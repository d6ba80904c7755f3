"""`edgecvar deploy`: a bundle onto a device, over ssh."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Optional

import click

from edgecvar.terminal import say, say_json

if TYPE_CHECKING:
    from edgecvar.deploy.deployment import Outcome

_FILE = click.Path(path_type=Path)


@click.command("deploy")
@click.argument("device", metavar="USER@HOST")
@click.argument("bundle", type=_FILE)
@click.option("--config", metavar="FILE", type=_FILE, help="Of the service [default: what is there, or a page alone].")
@click.option("--wheel", metavar="PATH", type=_FILE, help="Of edgecvar, or a folder of wheels [default: the index's].")
@click.option("--offline", is_flag=True, help="The device installs from --wheel's folder alone.")
@click.option(
    "--trust",
    metavar="KEY.pub",
    type=_FILE,
    envvar="EDGECVAR_TRUST",
    help="Only what this key signed, here and there [default: $EDGECVAR_TRUST].",
)
@click.option("--unsigned", is_flag=True, help="End what an earlier --trust began.")
@click.option("--root", metavar="FOLDER", help="On the device [default: ~/.local/share/edgecvar].")
@click.option("--python", metavar="NAME", help="The device's [default: one that has TensorRT, else the system's].")
@click.option("--no-service", is_flag=True, help="Leave the service alone: only switch to the new release.")
@click.option("--keep", type=click.IntRange(1, 100), metavar="N", help="Releases that stay there [default: 3].")
@click.option("--wait", type=float, metavar="SECONDS", help="For the service to be well [default: 120].")
@click.option("--dry-run", is_flag=True, help="Look at the device and say what would be done.")
@click.option("-p", "--port", type=click.IntRange(1, 65535), metavar="N", help="As ssh takes it; so do -i, -F and -o.")
@click.option("-i", "--identity", metavar="FILE", type=_FILE)
@click.option("-F", "--ssh-config", metavar="FILE", type=_FILE)
@click.option("-o", "--ssh-option", multiple=True, metavar="KEY=VALUE")
@click.option("--json", "as_json", is_flag=True, help="Write the result as one JSON document.")
def command(
    device: str,
    bundle: Path,
    dry_run: bool,
    no_service: bool,
    as_json: bool,
    port: Optional[int],
    **options: Any,
) -> None:
    """Install edgecvar and BUNDLE on a device, build its engines, verify, and run `edgecvar serve` there.

    Everything is made ready beside what runs; then one link is switched and the service starts anew. Where the bundle
    does not verify, or the service is not well in time, what ran before runs again. Nothing needs root on the device.
    """
    from edgecvar.bundle.manifest import open_bundle
    from edgecvar.config import from_flags
    from edgecvar.deploy.deployment import DeployConfig, deploy
    from edgecvar.deploy.target import Target
    from edgecvar.progress import StepBar
    from edgecvar.sinks.untrained import warn_untrained

    ssh = {name: options.pop(name) for name in ("identity", "ssh_config", "ssh_option")}
    target = Target(device, port, ssh["identity"], ssh["ssh_config"], tuple(ssh["ssh_option"]))
    given = {name: value for name, value in options.items() if value is not None}
    config = from_flags(DeployConfig, {**given, "service": not no_service})
    opened = open_bundle(bundle, config.trust)
    warn_untrained(opened)
    with StepBar(f"connecting to {device}") as bar:
        outcome = deploy(target, opened, config, dry_run, bar.show)
    if as_json:
        say_json(document(device, outcome, dry_run))
    else:
        _print(outcome, dry_run, config.service)
    if outcome.plan.judgement.against:  # of a dry run alone
        raise SystemExit(1)


def document(device: str, outcome: Outcome, dry_run: bool) -> Dict[str, Any]:
    """Plain data."""
    plan = outcome.plan
    facts = plan.facts
    return {
        "device": device,
        "dry_run": dry_run,
        "unchanged": plan.unchanged,
        "facts": {
            "title": facts.title,
            "machine": facts.machine,
            "jetpack": facts.jetpack,
            "l4t": facts.l4t,
            "tensorrt": None if facts.python is None else facts.python.tensorrt,
            "python": None if facts.python is None else facts.python.name,
            "power": facts.power,
            "free_bytes": facts.free,
            "release": None if facts.current is None else facts.current.number,
            "service_active": facts.service.active,
        },
        "against": plan.judgement.against,
        "notes": outcome.notes,
        "steps": plan.steps,
        "release": outcome.release,
        "bundle": plan.bundle,
        "version": plan.wheels.version,
        "sent": {"files": outcome.sent_files, "bytes": outcome.sent_bytes},
        "verified": outcome.verified,
        "removed": list(outcome.removed),
        "page": None if plan.text.page is None else plan.text.page.url,
        "tunnel": outcome.tunnel,
    }


def _print(outcome: Outcome, dry_run: bool, service: bool) -> None:
    plan = outcome.plan
    say(f"device: {plan.facts.text}")
    for note in outcome.notes:
        say(f"note: {note}")
    if dry_run:
        for against in plan.judgement.against:
            say(f"against it: {against}")
        for step in ["do nothing: it is what is there already"] if plan.unchanged else plan.steps:
            say(f"would {step}")
        return
    if outcome.verified is None:
        say(f"release {outcome.release} is this already: nothing was done")
    else:
        compared = ", ".join(outcome.verified["compared"]) or "nothing else is there"
        say(f"sent {outcome.sent_files} of {len(plan.parts)} files, {outcome.sent_bytes / 1e6:.1f} MB")
        say(f"verified: {compared}, against {outcome.verified['reference']}")
        does = "runs" if service else "is the current one"
        say(f"release {outcome.release} {does}: {plan.bundle}, edgecvar {plan.wheels.version}")
    if plan.text.page is not None and service:
        say(f"page: {plan.text.page.url} of the device; here after: {outcome.tunnel}")
