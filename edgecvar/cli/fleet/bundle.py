"""`edgecvar bundle`: what a bundle is, what two differ in, who signed one."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

import click

from edgecvar.cli.flags import trust_flag
from edgecvar.terminal import say, say_json

PASSWORD = "EDGECVAR_KEY_PASSWORD"

json_flag = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
bundle_argument = click.argument("bundle", type=click.Path(path_type=Path))
own_argument = click.argument("bundle", type=click.Path(path_type=Path), required=False)


@click.group("bundle")
def command() -> None:
    """Look at bundles, and sign them.

    \b
    edgecvar bundle info my.edgecvar
    edgecvar bundle diff old.edgecvar new.edgecvar
    edgecvar bundle keygen fleet.key
    edgecvar bundle sign my.edgecvar --key fleet.key
    edgecvar run camera.mp4 --bundle my.edgecvar --trust fleet.pub
    """


@command.command("info")
@own_argument
@trust_flag
@json_flag
def info(bundle: Optional[Path], trust: Optional[Path], as_json: bool) -> None:
    """Say what BUNDLE is: network, labels, stages, sizes, where it comes from, engines, signature.

    Without BUNDLE it is the one that the package ships, and the folder that it says can be copied.
    """
    from edgecvar.bundle.contents import contents_of
    from edgecvar.bundle.default import default_bundle
    from edgecvar.bundle.manifest import open_bundle
    from edgecvar.cli.report.bundle.contents import contents_document, print_contents
    from edgecvar.console import Console

    contents = contents_of(open_bundle(bundle or default_bundle(), trust))
    if as_json:
        say_json(contents_document(contents))
    else:
        print_contents(contents, Console())


@command.command("diff")
@click.argument("before", type=click.Path(path_type=Path))
@click.argument("after", type=click.Path(path_type=Path))
@json_flag
def diff(before: Path, after: Path, as_json: bool) -> None:
    """Say what differs from BEFORE to AFTER: settings, labels, stages, files, and what an update sends."""
    from edgecvar.bundle.difference import difference
    from edgecvar.bundle.manifest import open_bundle
    from edgecvar.cli.report.bundle.difference import difference_document, print_difference
    from edgecvar.console import Console

    found = difference(open_bundle(before), open_bundle(after))
    if as_json:
        say_json(difference_document(found))
    else:
        print_difference(found, Console())


@command.command("check")
@bundle_argument
@trust_flag
@json_flag
def check(bundle: Path, trust: Optional[Path], as_json: bool) -> None:
    """Hold every file of BUNDLE against its manifest, and that against its signature with --trust."""
    from edgecvar.bundle.manifest import open_bundle

    opened = open_bundle(bundle, trust)
    files = len(opened.manifest.sha256)
    if as_json:
        say_json({"bundle": str(bundle), "files": files, "signed_by": opened.signed_by})
        return
    whose = "nobody was asked for (--trust KEY.pub)" if opened.signed_by is None else f"by key {opened.signed_by}"
    say(f"{bundle}: {files} files are as they were compiled; signature: {whose}")


@command.command("sign")
@bundle_argument
@click.option(
    "--key",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The secret key, of `keygen` or minisign.",
)
def sign(bundle: Path, key: Path) -> None:
    """Sign BUNDLE as it is: every file is held against the manifest first.

    A key's password is asked for, or read from EDGECVAR_KEY_PASSWORD. `minisign -Vm manifest.json -p KEY.pub`, in the
    bundle, checks the signature too.
    """
    from edgecvar.bundle.manifest import open_bundle
    from edgecvar.bundle.signing import SIGNATURE
    from edgecvar.bundle.signing import sign as sign_manifest

    opened = open_bundle(bundle)
    public = sign_manifest(
        opened.path, opened.manifest.seal, key, lambda: _password(f"Password of {key}", confirm=False)
    )
    say(f"{opened.path / SIGNATURE}: signed by key {public.name}")


@command.command("keygen")
@click.argument("key", type=click.Path(path_type=Path), metavar="KEY")
@click.option("--no-password", is_flag=True, help="Leave the secret key open, for a machine that signs alone.")
def keygen(key: Path, no_password: bool) -> None:
    """Make a pair of keys: fleet.key signs and stays where bundles are compiled, fleet.pub goes to the devices.

    The password is asked for, or read from EDGECVAR_KEY_PASSWORD. minisign reads both files, and `sign` those of
    minisign.
    """
    from edgecvar.bundle.keys import write_keys
    from edgecvar.errors import need_extra

    need_extra("sign", "a pair of keys", "cryptography")
    password = "" if no_password else _password("Password of the new key (empty: none)", confirm=True)
    public_file, public = write_keys(key, password)
    say(f"{key}: the secret key{'' if password else ', without a password'}; keep it where bundles are compiled")
    say(f"{public_file}: the public key {public.name}; give it to devices (--trust {public_file})")


def _password(prompt: str, confirm: bool) -> str:
    """From the environment, or typed where there is a terminal; raises ConfigError."""
    import os
    import sys

    from edgecvar.errors import ConfigError

    given = os.environ.get(PASSWORD)
    if given is not None:
        return given
    if not sys.stdin.isatty():
        raise ConfigError(
            f"a password is wanted, and there is no terminal to type it on; set {PASSWORD} (empty for none)"
        )
    typed: str = click.prompt(prompt, hide_input=True, confirmation_prompt=confirm, default="", show_default=False)
    return typed
