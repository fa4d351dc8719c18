import re
from pathlib import Path

import pytest

from transceiver.scenario.load import parse, read_yaml

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "docs" / "scenario.md"]
EXAMPLES = [
    pytest.param(block, id=f"{path.name}-{i}")
    for path in DOCUMENTS
    for i, block in enumerate(re.findall(r"```yaml\n(name:.*?)```", path.read_text(), re.DOTALL))
]


@pytest.mark.parametrize("text", EXAMPLES)
def test_every_complete_example_is_a_valid_scenario(text: str) -> None:
    assert parse(read_yaml(text)).name


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 4


def test_the_readme_program_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", DOCUMENTS[0].read_text(), re.DOTALL)
    exec(compile(program, "README.md", "exec"), {})
    bit_error_rate = float(re.findall(r"tensor\(([0-9.e-]+)\)", capsys.readouterr().out)[0])
    assert bit_error_rate < 1e-3
