"""Write a page of tables as Markdown, for people, and as LaTeX, for papers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from tabulate import tabulate

# In a section's legend, stands for the sentence on how the markup shows the best and second-best values.
RANKS = "<ranks>"


@dataclass(frozen=True)
class Cell:
    """A text in a table; plain strings serve where there is neither rank nor note."""

    text: str
    rank: str = ""  # 'best' or 'second'
    note: str = ""  # for a footnote, without a full stop; equal notes share one


@dataclass(frozen=True)
class Section:
    """One table of a page."""

    title: str
    caption: str
    headings: Sequence[str | Cell]
    rows: Sequence[Sequence[str | Cell]]
    legend: Sequence[str] = ()  # sentences without a full stop; `RANKS` stands for one of them
    remarks: Sequence[str] = ()  # below the table, without a full stop

    @property
    def footnotes(self) -> dict[str, int]:
        """The notes of its cells with their numbers, in reading order."""
        cells = [cell for row in (self.headings, *self.rows) for cell in row if isinstance(cell, Cell)]
        notes = dict.fromkeys(cell.note for cell in cells if cell.note)
        return {note: number for number, note in enumerate(notes, 1)}


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
            headings, *rows = _texts(section, _MARKDOWN)
            body = tabulate(rows, headers=headings, tablefmt="pipe", disable_numparse=True)
            legend = _legend(section, _MARKDOWN)
            about = [text for text in (section.caption, self.caption, legend) if text]
            lines += [f"## {section.title}", *about, body, *_below(section, _MARKDOWN)]
        lines += [_MARKDOWN.escape(note) for note in self.notes]
        return "\n\n".join(lines) + "\n"

    def latex(self, name: str) -> str:
        """Write the page as LaTeX: to be compiled alone, or for \\input in a document.

        Such a document loads the packages booktabs and graphicx.

        Args:
            name: The table's name, of which the labels are made: `tab:<name>`, or with the number of the
                section, `tab:<name>-2`.
        """
        lines = [_TEX_START]
        for number, section in enumerate(self.sections, 1):
            label = f"tab:{name}" if len(self.sections) == 1 else f"tab:{name}-{number}"
            texts = (self.title, section.title, section.caption, self.caption)
            about = [text.rstrip(".") for text in texts if text]
            headings, *rows = _texts(section, _LATEX)
            body = pd.DataFrame(rows, columns=headings).to_latex(
                index=False, escape=False, column_format="l" + "r" * (len(headings) - 1)
            )
            below = [_tex(_legend(section, _LATEX)), *_below(section, _LATEX)]
            if number == len(self.sections):
                below += map(_tex, self.notes)
            lines += [
                "\\begin{table}[htbp]",
                "\\centering",
                f"\\caption{{{_tex('. '.join(about))}.}}\\label{{{label}}}",
                # No wider than the page.
                "\\resizebox{\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi}{!}{%",
                f"{body.rstrip()}}}",
                "\\par\\smallskip\\footnotesize",
                *(f"{text}\\par" for text in below if text),
                "\\end{table}",
            ]
        return "\n".join([*lines, _TEX_END]) + "\n"


@dataclass(frozen=True)
class _Markup:
    """What Markdown and LaTeX write differently."""

    escape: Callable[[str], str]
    ranks: Mapping[str, str]  # rank to a format of the cell's text
    footnote: str  # a format of a footnote's number
    legend: str  # in place of `RANKS`


# LaTeX makes \documentclass an error once it has read one: so a file can tell whether a document inputs it.
_TEX_START = r"""% Compiles alone. A document that inputs it loads booktabs and graphicx.
\expandafter\ifx\csname @twoclasseserror\endcsname\documentclass
  \let\endtables\relax
\else
  \documentclass{article}
  \usepackage{booktabs,graphicx}
  \begin{document}
  \def\endtables{\end{document}}
\fi"""
_TEX_END = r"\endtables"

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
    legend="Best of ours **bold**, second _italic_, among rows that lack no score and beat the blurry input",
)
_LATEX = _Markup(
    escape=_tex,
    ranks={"best": r"\textbf{{{}}}", "second": r"\underline{{{}}}", "": "{}"},
    footnote=r"\textsuperscript{{{}}}",
    legend="Best of ours bold, second underlined, among rows that lack no score and beat the blurry input",
)


def _texts(section: Section, markup: _Markup) -> list[list[str]]:
    """Write the headings and the rows of a section."""
    footnotes = section.footnotes
    return [
        [_cell(cell if isinstance(cell, Cell) else Cell(cell), footnotes, markup) for cell in row]
        for row in (section.headings, *section.rows)
    ]


def _cell(cell: Cell, footnotes: Mapping[str, int], markup: _Markup) -> str:
    mark = markup.footnote.format(footnotes[cell.note]) if cell.note else ""
    return f"{markup.ranks[cell.rank].format(markup.escape(cell.text))} {mark}".strip()


def with_full_stop(text: str) -> str:
    """End a sentence with a full stop, also one that ends with an abbreviation's."""
    return text if text.endswith(".") else f"{text}."


def _legend(section: Section, markup: _Markup) -> str:
    sentences = [markup.legend if sentence == RANKS else sentence for sentence in section.legend]
    return ". ".join(sentences) + "." if sentences else ""


def _below(section: Section, markup: _Markup) -> list[str]:
    """Write the footnotes of a section, then its remarks."""
    notes = [(markup.footnote.format(number), note) for note, number in section.footnotes.items()]
    return [
        f"{number} {markup.escape(with_full_stop(text))}".lstrip()
        for number, text in [*notes, *(("", remark) for remark in section.remarks)]
    ]
