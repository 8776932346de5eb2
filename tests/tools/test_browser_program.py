from pathlib import Path

import pytest

from tools.browser_program import find, main


def test_the_browser_that_is_named_comes_first_and_one_that_is_not_there_is_none(tmp_path: Path) -> None:
    for name in ("chromium", "other"):
        (tmp_path / name).write_text("")
        (tmp_path / name).chmod(0o755)
    assert find({"PATH": str(tmp_path)}) == tmp_path / "chromium"
    assert find({"PATH": str(tmp_path), "SAIH_BROWSER": "other"}) == tmp_path / "other"
    assert find({"PATH": str(tmp_path), "SAIH_BROWSER": "absent"}) is None
    assert find({"PATH": str(tmp_path / "empty")}) is None


def test_a_missing_browser_is_told_with_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("SAIH_BROWSER", raising=False)
    assert main(["path"]) == 3
    assert "tools/browser install" in capsys.readouterr().err
