"""HTML by construction."""

from __future__ import annotations

from edgecvar.cli.report.page.elements import Markup, element, image, joined, percent, short, table, text_lines


def test_text_and_attributes_are_escaped_and_markup_is_not_escaped_again() -> None:
    inner = element("b", "<&>", title='"<')
    assert inner == '<b title="&quot;&lt;">&lt;&amp;&gt;</b>'
    assert element("p", inner, "\x1b", None, [" ", 3]) == f"<p>{inner}\\x1b 3</p>"
    assert isinstance(joined(inner, "x"), Markup)


def test_attributes_are_named_as_keywords_can_be() -> None:
    assert element("a", class_="x", stroke_width=2, title=None) == '<a class="x" stroke-width="2"></a>'
    assert element("meta", http_equiv="x") == '<meta http-equiv="x">'


def test_lines_stay_lines() -> None:
    assert text_lines("a: <b>\nc:\t\x07") == "a: &lt;b&gt;\nc:\\t\\x07"


def test_long_names_keep_their_beginning_and_end() -> None:
    name = f"begin{'x' * 500}end"
    assert short("as it is") == "as it is"
    assert short(name).startswith("begin") and short(name).endswith("end") and len(short(name)) < 100


def test_a_table_marks_its_columns_of_text() -> None:
    made = table(("name", "clips"), [("<a>", "3")], names=(0,))
    assert '<td class="name">&lt;a&gt;</td><td>3</td>' in made
    assert '<th class="name" scope="col">name</th><th scope="col">clips</th>' in made


def test_a_picture_is_inside_the_page_and_said_in_words() -> None:
    assert image(b"abc", 'a "b"', kind="png").startswith('<img src="data:image/png;base64,YWJj" alt="a &quot;b&quot;"')


def test_parts_are_written_with_one_figure_behind_the_point() -> None:
    assert (percent(0.12345), percent(1.0), percent(None)) == ("12.3%", "100.0%", "-")
