"""The import direction, engines and seams of docs/architecture.md, read from the source."""

import ast
import importlib
import inspect
import re
import sys
from pathlib import Path

import pytest

from pipeline.annotate import Annotator
from pipeline.judge import LanguageModel
from pipeline.store import Store
from pipeline.transcribe import SpeechEngine

CLASSES = {"Annotator": Annotator, "SpeechEngine": SpeechEngine, "Judge": LanguageModel, "Store": Store}
ROOT = Path(__file__).parents[1]
STAGES = {"intake", "audio", "transcribe", "speakers", "annotate", "matching", "judge", "score"}
LEVELS = [
    {"errors"},
    {"conversation"},
    {"contract", "text", "known_names"},
    {"settings", "metrics", "word_times", "turns", "confidence_intervals"}
    | {"child_processes", "interpreter", "csv_safety"},
    {"rubric", "privacy"},
    {"models", "encoder"},
    STAGES,
    {"store"},
    {"review", "calibrate"},
    {"export"},
    {"process", "rescore"},
    {"cli"},
    {"__main__"},
]
LEVEL = {name: depth for depth, names in enumerate(LEVELS) for name in names}
ENGINES = {
    "torch": {"transcribe", "speakers", "models"},
    "whisper": {"transcribe", "models"},
    "silero_vad": {"transcribe"},
    "spacy": {"annotate", "matching"},
    "duckdb": {"store"},
    "httpx": {"judge"},
    "prefect": set(),
    "typer": {"cli"},
    "click": {"cli"},
}


def imports(path: Path) -> set[str]:
    """Dotted names imported anywhere in a file."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def top(path: Path) -> str:
    """The pipeline module a file belongs to."""
    part = path.relative_to(ROOT / "pipeline").parts[0]
    return part.removesuffix(".py")


def test_the_order_of_the_documentation_is_the_one_enforced() -> None:
    """Whoever reads docs/architecture.md reads the order that the next test holds modules to."""
    text = " ".join((ROOT / "docs" / "architecture.md").read_text("utf-8").split())
    told = text.split("Imports have an order: ")[1].split(".")[0].replace("the stages (", "").replace(")", "")
    levels = [{name.strip() for name in level.split(",")} for level in told.split(";")]

    assert [*levels, {"__main__"}] == LEVELS


FILES = sorted((ROOT / "pipeline").rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_left_and_stages_never_meet(path: Path) -> None:
    """A module imports only what stands before it in the flow, and stages never one another."""
    me = top(path)
    if me == "__init__":
        assert not {n for n in imports(path) if n.startswith("pipeline.")}
        return
    assert me in LEVEL, f"{me} has no place in the flow: add it to docs/architecture.md and LEVELS"
    for name in imports(path):
        assert not name.startswith("flows") or me == "cli", f"{path} imports {name}"
        if not name.startswith("pipeline.") or name.split(".")[1] not in LEVEL:
            continue
        other = name.split(".")[1]
        assert other == me or LEVEL[other] < LEVEL[me], f"{path} ({me}) imports {name}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_each_engine_is_imported_in_one_place(path: Path) -> None:
    """Torch, spaCy, DuckDB, Prefect and Typer each stay inside their own module."""
    me = top(path)
    for name in imports(path):
        engine = name.split(".")[0]
        if engine in ENGINES:
            assert me in ENGINES[engine], f"{path} imports {name}"


ROW = re.compile(r"^\| (`[^|]+`) \|[^|]+\| ([^|]+) \|$", re.MULTILINE)
EVERYWHERE = {"numpy", "threadpoolctl", "pipeline", "flows", "pydantic_core", "pydantic_settings"}


def engines(module: str) -> set[str]:
    """Packages of other projects that a module or package of ours imports, or finds by ``find_spec``."""
    base = ROOT if module == "flows" else ROOT / "pipeline"
    files = sorted((base / module).rglob("*.py")) or [base / f"{module}.py"]
    names = {name.split(".")[0] for file in files for name in imports(file)}
    named = {n for file in files for n in re.findall(r'find_spec\("(\w+)"\)', file.read_text("utf-8"))}
    return (names | named) - set(sys.stdlib_module_names) - EVERYWHERE


def test_the_table_of_modules_names_their_engines() -> None:
    """Each module stands in one row of docs/architecture.md, with exactly the engines that it imports."""
    told: dict[str, set[str]] = {}
    for modules, named in ROW.findall((ROOT / "docs" / "architecture.md").read_text("utf-8")):
        for module in re.findall(r"`(\w+)/?`", modules):
            plain = re.sub(r"\s*\([^)]*\)", "", named)
            told[module] = set() if plain == "–" else set(plain.split(", "))

    assert told == {module: engines(module) for module in {*LEVEL, "flows"} - {"__main__"}}


def test_the_seams_are_written_as_they_are() -> None:
    """Each function of docs/architecture.md has the parameters named there, in that order."""
    block = (ROOT / "docs" / "architecture.md").read_text("utf-8").split("```python\n")[1].split("```")[0]
    seams = [seam for line in block.splitlines() for seam in re.sub(r"\s+#.*", "", line).split(";")]
    for seam in seams:
        name, parameters = seam.split(" -> ")[0].strip().removesuffix(")").split("(", 1)
        owner, _, last = name.rpartition(".")
        function = getattr(CLASSES.get(owner) or importlib.import_module(f"pipeline.{owner}"), last)
        told = ast.parse(f"def seam({parameters}): ...").body[0]
        assert isinstance(told, ast.FunctionDef)
        real = [p for p in inspect.signature(function).parameters.values() if p.name != "self"]

        assert [a.arg for a in told.args.args] == [p.name for p in real if p.kind != p.KEYWORD_ONLY], name
        assert [a.arg for a in told.args.kwonlyargs] == [p.name for p in real if p.kind == p.KEYWORD_ONLY], (
            name
        )


READERS = {"metrics", "privacy", "transcribe", "speakers", "annotate", "judge", "score"}
OWN_CUT = re.compile(r"len\(.+\.split\(\)\)|\[\^\\W_\]\+")


@pytest.mark.parametrize(
    "path", [p for p in FILES if top(p) in READERS], ids=lambda p: str(p.relative_to(ROOT))
)
def test_speech_is_cut_into_words_by_the_language_layer(path: Path) -> None:
    """Whoever reads speech counts and cuts its words by pipeline/text/words.py."""
    assert not OWN_CUT.search(path.read_text("utf-8"))


OF_A_TEXT = re.compile(r"(?<!join\()\b(?:\w+\.)*_?text(?:\(\w+\))?\.split\(\)")


@pytest.mark.parametrize(
    "path", [p for p in FILES if p.name != "words.py"], ids=lambda p: str(p.relative_to(ROOT))
)
def test_no_module_cuts_a_text_at_white_space_by_itself(path: Path) -> None:
    """``text.split()`` is written only to tidy white space: the words of a text come from text/words.py."""
    assert not OF_A_TEXT.search(path.read_text("utf-8"))


JOURNEY = re.compile(r"^\d\. .*?(?=^\d\. |^\n?While )", re.MULTILINE | re.DOTALL)


def test_the_journey_names_files_and_functions_that_exist() -> None:
    """At most eight steps, each with files and, after each, a function or method that it defines."""
    steps = JOURNEY.findall((ROOT / "docs" / "architecture.md").read_text("utf-8"))
    named = [pair for step in steps for pair in re.findall(r"`([\w/]+\.py)`\s+`([\w.]+)`", step)]

    assert 1 <= len(steps) <= 8
    assert len(named) >= len(steps)
    for file, function in named:
        source = (ROOT / "pipeline" / file).read_text("utf-8")
        for part in function.split("."):
            assert re.search(rf"^\s*(?:def|class) {part}\b", source, re.MULTILINE), f"{file}: {function}"
