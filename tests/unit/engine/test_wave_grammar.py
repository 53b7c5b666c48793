"""WAVE exactly as its grammar has it: what is read, what it means, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from meldpy.engine.wave import Braces, Char, Name, Number, Sequence, Text, Tree, parse_call
from meldpy.errors import UsageError
from tests.unit.engine.test_wave import engine_type, read


def tree(text: str) -> Tree:
    _, trees = parse_call(f"f({text})")
    assert trees is not None
    assert len(trees) == 1
    return trees[0]


@pytest.mark.parametrize("text", ["0", "-0", "10", "-17", "1.5", "0.5", "1e3", "1E+3", "-1.25e-10", "1e05", "-inf"])
def test_numbers(text: str) -> None:
    assert tree(text) == Number(text)


@pytest.mark.parametrize(
    "text",
    ["1_000", "007", "+5", "00", "-01", "1.", ".5", "1e", "0x1f", "1e+", "--1", "+inf", "- 1", "1_", "٣", "１２", "1٣",
     "1e٣", "1.٣", "-٣", "²"],
)  # fmt: skip
def test_what_looks_like_a_number_and_is_none(text: str) -> None:
    with pytest.raises(UsageError):
        tree(text)
    with pytest.raises(UsageError):
        tree(f"[{text}]")


def test_the_message_says_how_numbers_are_written() -> None:
    for text in ("1_000", "007", "+5", "٣"):
        with pytest.raises(UsageError, match="is not a number as WAVE writes it") as caught:
            tree(text)
        assert repr(text) in caught.value.reason
        assert caught.value.remedy is not None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("'x'", "x"),
        ("'\"'", '"'),
        (r"'\''", "'"),
        (r"'\"'", '"'),
        (r"'\\'", "\\"),
        (r"'\n'", "\n"),
        (r"'\u{0}'", "\0"),
        (r"'\u{01F600}'", "\U0001f600"),
        ("'\t'", "\t"),
        ("'\u2603'", "\u2603"),
    ],
)
def test_chars(text: str, value: str) -> None:
    assert tree(text) == Char(value)


@pytest.mark.parametrize("text", ["''", "'ab'", "'\n'", r"'\q'", "'''", r"'\u{}'", r"'\u{1234567}'", r"'\u{d800}'"])
def test_no_chars(text: str) -> None:
    with pytest.raises(UsageError):
        tree(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('""', ""),
        ('"a\'b\t"', "a'b\t"),
        (r'"\"\\\t\u{263a}"', '"\\\t\u263a'),
        ('"// no comment"', "// no comment"),
        ('"""\n"""', ""),
        ('"""\nA single line\n"""', "A single line"),
        ('"""\n    Indented\n      more\n  """', "  Indented\n    more"),
        ('"""\r\n  a\r\n  b\r\n  """', "a\nb"),
        ('"""\n  kept: \\r\n  broken: ""\\""\n  """', 'kept: \r\nbroken: """"'),
        ('"""\n\n\n"""', "\n"),
        ('"""\n"quoted" and \'so\'\n"""', "\"quoted\" and 'so'"),
    ],
)
def test_strings(text: str, value: str) -> None:
    assert tree(text) == Text(value)
    assert tree(f"[{text}, {text}]") == Sequence("[", (Text(value), Text(value)))


@pytest.mark.parametrize(
    "text",
    ['"',
     '"a\nb"', r'"\q"', r'"\u{110000}"', '"""', '""""""', '"""a"""', '"""a\n"""', '"""\nb"""', '"""\n  a\n b\n  """',
     '"""\n\tx\n\t"""', '"""\n\\q\n"""', '"""\n', '""" \n"""'],
)  # fmt: skip
def test_no_strings(text: str) -> None:
    with pytest.raises(UsageError):
        tree(text)


@pytest.mark.parametrize("text", ["a", "abc-d2", "GET-it", "x-2y", "HTTP3", "a-2"])
def test_labels(text: str) -> None:
    for written in (text, f"%{text}"):
        assert tree(written) == Name(text)
        assert tree(f"{{{written}: 1}}") == Braces(((text, Number("1")),))


@pytest.mark.parametrize("text", ["aB", "Ab", "a_b", "a--b", "-a", "a-", "%", "%%a", "é", "a-b-"])
def test_no_labels(text: str) -> None:
    with pytest.raises(UsageError):
        tree(text)


def test_blanks_and_comments() -> None:
    text = "// first\n[ 1 , // one\r\n\t2,\n] // last\n"
    assert tree(text) == Sequence("[", (Number("1"), Number("2")))
    for other in ("\u00a01", "1\u2003", "1\f", "/ comment\n1", "# c\n1"):
        with pytest.raises(UsageError):
            tree(other)


@pytest.mark.parametrize(
    "text",
    ["()", "(,)", "[,]", "[1,,2]", "{,}", "{a: 1, a: 2}", "{a, a}", "{a: 1, %a: 2}", "{a: 1, b}", "{a, b: 1}",
     "{a: 1 b: 2}", "{a b}", "{:", "{:,}", "a(1, 2)", "a()", "some", "some()", "none(1)", "true(1)", "inf(1)"],
)  # fmt: skip
def test_what_is_not_grammatical(text: str) -> None:
    with pytest.raises(UsageError):
        tree(text)


def test_commas_at_the_end() -> None:
    assert tree("(1, 2,)") == Sequence("(", (Number("1"), Number("2")))
    assert tree("{a: 1,}") == Braces((("a", Number("1")),))
    assert tree("{a, b,}") == Braces((("a", None), ("b", None)))
    assert tree("{:}") == tree("{}") == Braces(())
    assert parse_call("f(1, 2,)") == ("f", (Number("1"), Number("2")))
    assert parse_call("f()") == ("f", ())


# --- what keywords are -----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("wit", "text", "value"),
    [
        ('(enum "true" "ok")', "%ok", "ok"),
        ('(enum "red")', "%red", "red"),
        ("bool", "true", True),
        ("(option bool)", "true", True),
        ("(option f64)", "inf", float("inf")),
        ("(option u8)", "5", 5),
        ("(result u8)", "5", 5),
        ("(list (option u8))", "[none, 1, some(2)]", [None, 1, 2]),
    ],
)
def test_keywords_and_labels_are_told_apart(wit: str, text: str, value: Any) -> None:
    exported = "enum" in wit
    type_ = engine_type(f'(type $d {wit}) (export $t "t" (type $d))' if exported else f"(type $t {wit})")
    back = read(text, type_)
    assert (back.payload if hasattr(back, "payload") else back) == value


@pytest.mark.parametrize(
    ("wit", "text"),
    [
        ("bool", "%true"),
        ("f64", "%nan"),
        ("(option u8)", "%none"),
        ("(option u8)", "%some(1)"),
        ("(result u8)", "%ok(1)"),
        ("(result)", "%err"),
        ("(option (option u8))", "1"),
        ("(option (result u8))", "1"),
        ("(result (option u8))", "1"),
    ],
)
def test_what_is_no_keyword_and_what_is_not_flat(wit: str, text: str) -> None:
    with pytest.raises(UsageError):
        read(text, engine_type(f"(type $t {wit})"))


@pytest.mark.parametrize(
    ("wit", "text"), [('(enum "true" "ok")', "ok"), ('(variant (case "none") (case "err" u8))', "err(1)")]
)
def test_a_case_that_is_called_as_a_keyword_wants_a_percent_sign(wit: str, text: str) -> None:
    type_ = engine_type(f'(type $d {wit}) (export $t "t" (type $d))')
    with pytest.raises(UsageError, match=f"the case is written %{text.partition('(')[0]}"):
        read(text, type_)
    read(f"%{text}", type_)
