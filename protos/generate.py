"""Build what is made from the contract: Python stubs, their types, and Envoy's descriptor set.

`python protos/generate.py` writes the package `aviary`; `--lint` and `--breaking IMAGE` check the
protos with buf. buf would fetch imports from its registry; here it gets an image that protoc has
compiled, so both work without a network.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from importlib.resources import files
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

PROTOS = Path(__file__).resolve().parent
ROOT = PROTOS.parent
PACKAGE = "aviary"
DESCRIPTORS = "descriptors.binpb"

# Envoy prints the details of an error, and the body of an HttpBody, only if it knows these types.
ENVOY_NEEDS = (
    "google/api/annotations.proto",
    "google/api/http.proto",
    "google/api/httpbody.proto",
    "google/rpc/error_details.proto",
    "google/rpc/status.proto",
)

# (request streams, response streams) -> what a client's attribute is.
CALLABLES = {
    (False, False): "UnaryUnaryMultiCallable",
    (False, True): "UnaryStreamMultiCallable",
    (True, False): "StreamUnaryMultiCallable",
    (True, True): "StreamStreamMultiCallable",
}


class ToolError(Exception):
    """protoc or buf refused; it has said why on standard error."""


def sources() -> list[str]:
    """Name every proto of ours, relative to the include path."""
    return sorted(str(path.relative_to(PROTOS)) for path in (PROTOS / PACKAGE).rglob("*.proto"))


def run(*command: str | Path) -> None:
    """Run a tool, or raise `ToolError`."""
    if subprocess.run([str(word) for word in command], cwd=ROOT, check=False).returncode:
        raise ToolError(f"{Path(command[0]).name} failed: {' '.join(map(str, command[1:5]))} ...")


def protoc(*arguments: str) -> None:
    """Compile; google/protobuf comes with grpc_tools, google/api and google/rpc with googleapis."""
    googleapis = Path(str(files("google.api").joinpath("annotations.proto"))).parents[2]
    run(sys.executable, "-m", "grpc_tools.protoc", f"-I{PROTOS}", f"-I{googleapis}", *arguments)


def buf(*arguments: str | Path) -> None:
    """Run buf, from beside this interpreter if it is there."""
    beside = Path(sys.executable).with_name("buf")
    run(beside if beside.exists() else "buf", *arguments)


def read_descriptors(path: Path) -> FileDescriptorSet:
    """Read a descriptor set."""
    return FileDescriptorSet.FromString(path.read_bytes())


def python_name(type_name: str, owners: dict[str, str]) -> str:
    """Turn `.aviary.page.v1.PageToken` into the name of its class."""
    return f"{owners[type_name]}.{type_name.rpartition('.')[2]}"


def stub_types(file: FileDescriptorProto, owners: dict[str, str]) -> Iterator[str]:
    """Yield the lines of a `_pb2_grpc.pyi`: protoc's gRPC plugin leaves its stubs untyped."""
    used = {name for s in file.service for m in s.method for name in (m.input_type, m.output_type)}
    yield from sorted({f"import {owners[name]}" for name in used} | {"import grpc.aio"})
    for service in file.service:
        yield f"\nclass {service.name}Stub:"
        yield "    def __init__(self, channel: grpc.aio.Channel) -> None: ..."
        for method in service.method:
            kind = CALLABLES[method.client_streaming, method.server_streaming]
            request = python_name(method.input_type, owners)
            response = python_name(method.output_type, owners)
            yield f"    {method.name}: grpc.aio.{kind}["
            yield f"        {request},\n        {response},\n    ]"


def module_of(proto: str) -> str:
    """Name the module that protoc makes of a proto."""
    return proto.removesuffix(".proto").replace("/", ".") + "_pb2"


def write_stub_types(out: Path, descriptors: FileDescriptorSet) -> None:
    """Give every service's stub its types; remove the empty stubs of files without a service."""
    owners = {
        f".{file.package}.{message.name}": module_of(file.name)
        for file in descriptors.file
        for message in file.message_type
    }
    for file in descriptors.file:
        stub = out / f"{file.name.removesuffix('.proto')}_pb2_grpc.py"
        if file.service and stub.exists():
            stub.with_suffix(".pyi").write_text("\n".join(stub_types(file, owners)) + "\n")
        else:
            stub.unlink(missing_ok=True)


def build(out: Path) -> None:
    """Fill an empty folder with the package."""
    protoc(f"--python_out={out}", f"--pyi_out={out}", f"--grpc_python_out={out}", *sources())
    package = out / PACKAGE
    descriptors = package / DESCRIPTORS
    # With the comments, which are the text of the OpenAPI description.
    whole = ("--include_imports", "--include_source_info")
    protoc(*whole, f"-o{descriptors}", *sources(), *ENVOY_NEEDS)
    write_stub_types(out, read_descriptors(descriptors))
    (package / "py.typed").touch()
    for folder in {package, *(path.parent for path in package.rglob("*.py"))}:
        for level in (folder, *folder.relative_to(out).parents[:-1]):
            (out / level / "__init__.py").touch()


def contents(folder: Path) -> set[Path]:
    """Name every file below a folder, but for byte code."""
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {path for path in found if "__pycache__" not in path.parts}


def synchronise(new: Path, old: Path) -> int:
    """Make `old` equal `new`; files that are equal are not touched. Returns how many were not."""
    wanted, present = contents(new), contents(old)
    stale = present - wanted
    changed = [
        path
        for path in wanted
        if path not in present or (old / path).read_bytes() != (new / path).read_bytes()
    ]
    for path in stale:
        (old / path).unlink()
    for path in changed:
        (old / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(new / path, old / path)
    for folder in sorted((path for path in old.rglob("*") if path.is_dir()), reverse=True):
        if folder.name != "__pycache__" and not contents(folder):
            shutil.rmtree(folder)
    return len(stale) + len(changed)


def generate(out: Path = ROOT) -> int:
    """Bring the package below `out` up to date. Returns how many files changed."""
    with tempfile.TemporaryDirectory() as scratch:
        build(Path(scratch))
        return synchronise(Path(scratch) / PACKAGE, out / PACKAGE)


def check(against: Iterable[Path]) -> None:
    """Hold the protos to buf.yaml: lint, format, and compatibility with earlier images."""
    config = ("--config", ROOT / "buf.yaml", "--path", PACKAGE)
    with tempfile.TemporaryDirectory() as scratch:
        image = Path(scratch) / "image.binpb"
        protoc("--include_imports", "--include_source_info", f"-o{image}", *sources())
        buf("lint", image, *config)
        buf("format", "--diff", "--exit-code", PROTOS)
        for earlier in against:
            buf("breaking", image, "--against", earlier.resolve(), *config)


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT, help="where the package aviary/ goes")
    parser.add_argument("--lint", action="store_true", help="check instead of generating")
    parser.add_argument(
        "--breaking",
        type=Path,
        action="append",
        default=[],
        metavar="IMAGE",
        help="check instead of generating, also against this earlier descriptors.binpb",
    )
    options = parser.parse_args()
    try:
        if options.lint or options.breaking:
            check(options.breaking)
            print("the protos pass")
        else:
            print(f"{options.out / PACKAGE}: {generate(options.out)} files changed")
    except ToolError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
