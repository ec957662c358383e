"""README and lib/README: the snippet runs with the values shown, and what they link to exists."""

import doctest
import re

import pytest

from companion.tree import ROOT

README = ROOT / "README.md"
LIBRARY = ROOT / "lib" / "README.md"
TEXT = README.read_text(encoding="utf-8")
LINKS = [
    (path.parent, target)
    for path in (README, LIBRARY)
    for target in re.findall(r"\]\(([^)#]+)\)", path.read_text(encoding="utf-8"))
]


def test_the_snippet_gives_the_values_shown():
    (snippet,) = re.findall(r"```python\n(.*?)```", LIBRARY.read_text(encoding="utf-8"), re.S)
    test = doctest.DocTestParser().get_doctest(snippet, {}, "README.md", str(LIBRARY), 0)
    result = doctest.DocTestRunner(verbose=False).run(test)
    assert result.attempted >= 8 and result.failed == 0


@pytest.mark.parametrize(("folder", "target"), LINKS)
def test_links_within_the_repository_exist(folder, target):
    assert target.startswith("https://") or (folder / target).exists()


def test_nothing_is_left_to_fill_in():
    assert not re.findall(r"RUNTIME|TODO|FIXME|XXX", TEXT)


def test_every_make_target_named_exists():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"`g?make ([a-z-]+)", TEXT)):
        assert re.search(rf"^{target}:", makefile, re.M), target
