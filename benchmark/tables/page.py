"""Write a page of tables as Markdown, for people, and as LaTeX, for papers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from tabulate import tabulate

# In a section's legend, stands for the sentence on how the markup shows the best and second-best values.
RANKS = "<ranks>"


@dataclass(frozen=True)
class Cell:
    """A text in a table; plain strings serve where there is neither rank nor footnote."""

    text: str
    rank: str = ""  # 'best' or 'second'
    footnote: int = 0  # its number; 0 for none


@dataclass(frozen=True)
class Section:
    """One table of a page."""

    title: str
    caption: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str | Cell]]
    legend: Sequence[str] = ()  # sentences without a full stop; `RANKS` stands for one of them
    footnotes: Sequence[tuple[int, str]] = ()  # number, or 0 for a remark on the whole table; text
    # The texts of footnotes have no full stop either.


@dataclass(frozen=True)
class Page:
    """Tables below each other."""

    title: str
    sections: Sequence[Section]
    caption: str = ""  # what every table says of the profile
    notes: Sequence[str] = ()  # sentences at the end

    def markdown(self) -> str:
        """Write the page as Markdown: a heading and a table per section."""
        lines = [f"# {self.title}"] if self.title else []
        for section in self.sections:
            body = tabulate(
                _rows(section, _MARKDOWN),
                headers=[_MARKDOWN.escape(heading) for heading in section.headings],
                tablefmt="pipe",
                disable_numparse=True,
            )
            legend = _legend(section, _MARKDOWN)
            about = [text for text in (section.caption, self.caption, legend) if text]
            lines += [f"## {section.title}", *about, body, *_footnotes(section, _MARKDOWN)]
        lines += [_MARKDOWN.escape(note) for note in self.notes]
        return "\n\n".join(lines) + "\n"

    def latex(self) -> str:
        """Write the page for \\input in a LaTeX document that loads the packages booktabs and graphicx."""
        lines = ["% needs \\usepackage{booktabs,graphicx}"]
        for section in self.sections:
            texts = (self.title, section.title, section.caption, self.caption)
            about = [text.rstrip(".") for text in texts if text]
            body = pd.DataFrame(
                _rows(section, _LATEX), columns=[_tex(heading) for heading in section.headings]
            ).to_latex(index=False, escape=False, column_format="l" + "r" * (len(section.headings) - 1))
            below = (_tex(_legend(section, _LATEX)), *_footnotes(section, _LATEX))
            lines += [
                "\\begin{table}[htbp]",
                "\\centering",
                f"\\caption{{{_tex('. '.join(about))}.}}",
                # No wider than the page.
                "\\resizebox{\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi}{!}{%",
                f"{body.rstrip()}}}",
                "\\par\\smallskip\\footnotesize",
                *(f"{text}\\par" for text in below if text),
                "\\end{table}",
            ]
        remarks = [f"{_tex(note)}\\par" for note in self.notes]
        return "\n".join([*lines, *(["{\\footnotesize", *remarks, "}"] if remarks else [])]) + "\n"


@dataclass(frozen=True)
class _Markup:
    """What Markdown and LaTeX write differently."""

    escape: Callable[[str], str]
    ranks: Mapping[str, str]  # rank to a format of the cell's text
    footnote: str  # a format of a footnote's number
    legend: str  # in place of `RANKS`


# TeX's special characters, and characters that its fonts lack.
_TEX = str.maketrans(
    {
        **{character: f"\\{character}" for character in "&%$#_{}"},
        "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
        "<": r"$<$", ">": r"$>$", "↑": r"$\uparrow$", "↓": r"$\downarrow$", "†": r"$\dagger$", "±": r"$\pm$",
        "×": r"$\times$", "−": "$-$", "–": "--", "σ": r"$\sigma$", "λ": r"$\lambda$",
    }
)  # fmt: skip


def _tex(text: str) -> str:
    return text.translate(_TEX)


_MARKDOWN = _Markup(
    escape=lambda text: text.replace("|", "\\|").replace("<", "&lt;"),
    ranks={"best": "**{}**", "second": "_{}_", "": "{}"},
    footnote="[{}]",
    legend="Best of ours **bold**, second _italic_",
)
_LATEX = _Markup(
    escape=_tex,
    ranks={"best": r"\textbf{{{}}}", "second": r"\underline{{{}}}", "": "{}"},
    footnote=r"\textsuperscript{{{}}}",
    legend="Best of ours bold, second underlined",
)


def _rows(section: Section, markup: _Markup) -> list[list[str]]:
    return [
        [_cell(cell if isinstance(cell, Cell) else Cell(cell), markup) for cell in row]
        for row in section.rows
    ]


def _cell(cell: Cell, markup: _Markup) -> str:
    mark = markup.footnote.format(cell.footnote) if cell.footnote else ""
    return f"{markup.ranks[cell.rank].format(markup.escape(cell.text))} {mark}".strip()


def with_full_stop(text: str) -> str:
    """End a sentence with a full stop, also one that ends with an abbreviation's."""
    return text if text.endswith(".") else f"{text}."


def _legend(section: Section, markup: _Markup) -> str:
    sentences = [markup.legend if sentence == RANKS else sentence for sentence in section.legend]
    return ". ".join(sentences) + "." if sentences else ""


def _footnotes(section: Section, markup: _Markup) -> list[str]:
    return [
        f"{markup.footnote.format(number) if number else ''} {markup.escape(with_full_stop(text))}".lstrip()
        for number, text in section.footnotes
    ]
