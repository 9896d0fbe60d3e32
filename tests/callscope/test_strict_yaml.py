"""Reading YAML that strangers send."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callscope import strict_yaml

PRINTABLE = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), max_size=9)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | PRINTABLE,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(PRINTABLE, inner, max_size=3),
    max_leaves=8,
)


def problem(text: str) -> str:
    (found,) = strict_yaml.read(text).problems
    return str(found)


def test_values_come_with_their_lines() -> None:
    document = strict_yaml.read("a: 1\nb:\n  - x\n  - c: 2.5\n")
    assert document.data == {"a": 1, "b": ["x", {"c": 2.5}]}
    assert document.lines[("b", 1, "c")] == 4
    assert document.problems == ()


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("no", "no"),
        ("12:30", "12:30"),
        ("2024-05-01", "2024-05-01"),
        ("true", True),
        ("~", None),
        ("-7", -7),
        ("1e3", 1000.0),
        ("'1'", "1"),
        ("1_000", "1_000"),
    ],
)
def test_plain_scalars_follow_the_core_schema(written: str, value: object) -> None:
    assert strict_yaml.read(f"a: {written}").data == {"a": value}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1: the text is empty"),
        ("a: 1\nb: [", "line 2: not valid YAML"),
        ("a: 1\n---\nb: 2", "line 2: a second document"),
        ("a: &x 1\nb: 2", "line 1: anchors and aliases"),
        ("a: 1\nb: *x", "line 2: anchors and aliases"),
        ("a: !!python/name:os.system x", "line 1: tags are not accepted"),
        ("a: 1\n\nb: \x07", "line 3: a character that YAML does not allow: U+0007"),
        ("[" * 50 + "]" * 50, "line 1: nested deeper than 20 levels"),
        (r'a: "\ud83d"', "line 1: a: half a character"),
        ("[a]: 1", "line 1: a key must be text"),
        ("a: 1\nb: 2\na: 3", "line 3: a: written twice, first on line 1"),
        ("x" * (strict_yaml.MAX_CHARACTERS + 1), "line 1: the text is longer than 262,144"),
    ],
)
def test_what_is_refused_is_named_with_its_line(text: str, said: str) -> None:
    assert problem(text).startswith(said)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a:\n  - b: 1\n   c: 2", "line 3: not valid YAML: this line is not indented like"),
        ("a:\n  b: 1\n c: 2", "line 3: not valid YAML: this line is not indented like"),
        ("a:\n  - x\n - y", "line 3: not valid YAML: this line is not indented like"),
        ("a:\n  - x\n  b: 1", "line 3: not valid YAML: this line is not indented like"),
        ("a:\n\tb: 1", "line 2: not valid YAML: a tab: write spaces instead"),
        ("a: b: c", "line 1: not valid YAML: a colon where none can be: if it is part of a text"),
        ("a: b\n  c: d", "line 2: not valid YAML: a colon where none can be"),
        ("- a\n- 'twas b\n- c", "line 2: not valid YAML: a quotation mark opens here, none closes"),
        ("- 'twas b\n- don't", "line 2: not valid YAML: more follows where a quotation mark"),
        ('- "yes", she said', "line 1: not valid YAML: more follows where a quotation mark"),
        ("a: @b", "line 1: not valid YAML: a text may not begin with this character"),
        ("a:\nb\nc: 1", "line 2: not valid YAML: neither a field (`name: value`) nor an item"),
        ("a: - b", "line 1: not valid YAML: a list (`- value`) must begin on a line of its own"),
        ("a: [b, c\nd: 1", "line 2: not valid YAML: a bracket is not closed, or a comma"),
        ('a: "b \\d"', "line 1: not valid YAML: found unknown escape character 'd'"),
    ],
)
def test_what_is_no_yaml_is_told_with_a_remedy(text: str, said: str) -> None:
    assert problem(text).startswith(said)


def test_a_bomb_of_aliases_is_refused_before_it_unfolds() -> None:
    levels = "\n".join(
        f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" if n else "l0: &l0 [lol]"
        for n in range(40)
    )
    assert "anchors and aliases" in problem(levels)


def test_a_duplicate_key_keeps_the_first_value_and_reports_the_path() -> None:
    document = strict_yaml.read("a:\n  - b: 1\n    b: 2\n")
    assert document.data == {"a": [{"b": 1}]}
    assert str(document.problems[0]) == "line 3: a[0].b: written twice, first on line 2"


def test_a_problem_at_something_unwritten_points_to_what_encloses_it() -> None:
    document = strict_yaml.read("a:\n  b: 1\n")
    assert str(document.problem(("a", "c"), "is missing")) == "line 1: a.c: is missing"


def test_items_are_named_by_their_id() -> None:
    document = strict_yaml.read('a:\n  - id: x\n    b: [{id: "y z"}, {id: 1}, z]\n')
    for path, where in (
        (("a", 0, "c"), "a[0] (x).c"),
        (("a", 0, "b", 0), "a[0] (x).b[0]"),  # an id that is none: a space
        (("a", 0, "b", 1, "id"), "a[0] (x).b[1].id"),
        (("a", 0, "b", 2), "a[0] (x).b[2]"),
    ):
        assert document.problem(path, "").where == where


@given(JSON)
def test_json_is_read_as_it_is(value: object) -> None:
    assert strict_yaml.read(json.dumps(value, ensure_ascii=False)).data == value


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused_and_nothing_else(text: str) -> None:
    document = strict_yaml.read(text)
    assert document.problems or document.data is None or document.lines[()] >= 1
