"""Markers of missing values, and the same words as ordinary texts."""

from tests.workflow.corpus.case import Case, boolean, category, datetime, empty, number


def lines(*rows: str) -> bytes:
    return "".join(f"{row}\n" for row in rows).encode()


WORDS = ["NA", "N/A", "n/a", "NULL", "null", "None", "nan", "NaN", "#N/A", "?", "-", ".", "\\N"]


def word(text: str) -> Case:
    """One marker in a column of each type."""
    return Case(
        f"word-{text}",
        lines("x,b,t,c", "1.5,true,2020-01-13,red", f"{text},{text},{text},blue", "-2.5,false,2020-02-29,red"),
        [
            number("x", [1.5, None, -2.5]),
            boolean("b", [True, None, False]),
            datetime("t", ["2020-01-13T00:00:00", None, "2020-02-29T00:00:00"]),
            category("c", ["red", "blue", "red"]),
        ],
        reading={"missing": [text]},
    )


FORTY = [str(each) for each in range(38)]  # two more cells make forty

CASES = [
    *map(word, WORDS),
    Case(
        "empty-and-blank-cells",
        b"x,b,t,c\n1.5,true,2020-01-13,red\n,,,\n  ,   , , \n2.5,,2020-01-14,blue\n,false,,red\n",
        [
            number("x", [1.5, 2.5, None]),
            boolean("b", [True, None, False]),
            datetime("t", ["2020-01-13T00:00:00", "2020-01-14T00:00:00", None]),
            category("c", ["red", "blue", "red"]),
        ],
        notes=["2 .*(lines|rows)"],
    ),
    Case(
        "blank-cells-among-others",
        b"x,c\n1.5,red\n   ,blue\n2.5,  \n",
        [number("x", [1.5, None, 2.5]), category("c", ["red", "blue", None])],
    ),
    Case(
        "several-words-in-one-column",
        b"x,y\n1,2\nNA,?\n?,3\n4,NA\nn/a,5\n",
        [number("x", [1, None, None, 4, None]), number("y", [2, None, 3, None, 5])],
    ),
    Case(
        "word-with-spaces-around",
        b"x,y\n1, 2\n NA , 3\n2,NA \n",
        [number("x", [1, None, 2]), number("y", [2, 3, None])],
    ),
    Case(
        "word-in-quotes",
        b'"x","c"\n"1.5","a"\n"NA","b"\n"2.5","a"\n',
        [number("x", [1.5, None, 2.5]), category("c", ["a", "b", "a"])],
        reading={"missing": ["NA"]},
    ),
    Case(
        "mostly-missing",
        b"x,y\nNA,1\nNA,2\n3.5,3\nNA,4\n",
        [number("x", [None, None, 3.5, None]), number("y", [1, 2, 3, 4])],
    ),
    Case(
        "penguins",
        b"species,island,bill_length_mm,body_mass_g,sex,year\n"
        b"Adelie,Torgersen,39.1,3750,male,2007\n"
        b"Adelie,Torgersen,NA,NA,NA,2007\n"
        b"Gentoo,Biscoe,46.1,4500,female,2008\n",
        [
            category("species", ["Adelie", "Adelie", "Gentoo"]),
            category("island", ["Torgersen", "Torgersen", "Biscoe"]),
            number("bill_length_mm", [39.1, None, 46.1]),
            number("body_mass_g", [3750, None, 4500]),
            category("sex", ["male", None, "female"]),
            number("year", [2007, 2007, 2008]),
        ],
        reading={"missing": ["NA"]},
    ),
    Case(
        "NA-is-Namibia",
        b"country,n\nNA,1\nDE,2\nFR,3\nNA,4\n",
        [category("country", ["NA", "DE", "FR", "NA"]), number("n", [1, 2, 3, 4])],
        reading={"missing": []},
        quiet=True,
    ),
    Case(
        "question-mark-means-missing-in-texts-too",
        b"horsepower,workclass\n130,Private\n?,?\n150,State\n",
        [number("horsepower", [130, None, 150]), category("workclass", ["Private", None, "State"])],
        reading={"missing": ["?"]},
    ),
    Case(
        "another-word-stays-a-word-in-texts",
        b"x,grade\n1.5,A\nNA,-\n2.5,B\n3.5,None\n",
        [number("x", [1.5, None, 2.5, 3.5]), category("grade", ["A", "-", "B", "None"])],
        reading={"missing": ["NA"]},
    ),
    Case(
        "dash-in-texts-is-text",
        b"grade,n\n-,1\n+,2\n-,3\n",
        [category("grade", ["-", "+", "-"]), number("n", [1, 2, 3])],
        reading={"missing": []},
    ),
    Case(
        "none-is-a-category",
        b"allergies,n\nNone,1\nnuts,2\nNone,3\n",
        [category("allergies", ["None", "nuts", "None"]), number("n", [1, 2, 3])],
        reading={"missing": []},
    ),
    Case(
        "dash-beside-negative-numbers",
        b"x,y\n-1,.5\n-,.\n-2.5,-.5\n",
        [number("x", [-1, None, -2.5]), number("y", [0.5, None, -0.5])],
    ),
    Case(
        "hash-NA-begins-a-line",
        b"x,y\n1,2\n#N/A,3\n4,5\n",
        [number("x", [1, None, 4]), number("y", [2, 3, 5])],
        reading={"missing": ["#N/A"]},
    ),
    Case(
        "booleans-with-NA",
        b"smoker,n\nyes,1\nNA,2\nno,3\n",
        [boolean("smoker", [True, None, False], labels=["yes", None, "no"]), number("n", [1, 2, 3])],
        reading={"missing": ["NA"]},
    ),
    Case(
        "dates-with-dash",
        b"born;n\n13.01.2020;1\n-;2\n28.02.2020;3\n",
        [datetime("born", ["2020-01-13T00:00:00", None, "2020-02-28T00:00:00"]), number("n", [1, 2, 3])],
        reading={"missing": ["-"], "date_formats": {"born": "%d.%m.%Y"}},
    ),
    Case(
        "zero-and-one-with-missing-stay-numbers",
        b"died,n\n0,1\n1,2\nNA,3\n1,4\n",
        [number("died", [0, 1, None, 1]), number("n", [1, 2, 3, 4])],
    ),
    Case(
        "too-many-words-are-texts",
        lines("x", "1", "NA", "two", "3", "four"),
        [category("x", ["1", "NA", "two", "3", "four"])],
        reading={"missing": []},
    ),
    Case(
        "numbers-with-a-typo",
        lines("x", *FORTY, "1o", "NA"),
        [category("x", [*FORTY, "1o", None])],
    ),
    Case(
        "numbers-with-too-many-typos",
        lines("x", *FORTY[:18], "1o", "NA"),
        [category("x", [*FORTY[:18], "1o", "NA"])],
    ),
    Case(
        "only-a-missing-marker",
        b"x,y\n1,NA\nNA,NA\n3,NA\n",
        [number("x", [1, None, 3]), empty("y")],
        notes=[r"\by\b"],
    ),
    Case(
        "empty-throughout",
        b"x,y,c\n1,,a\n2,,b\n3,,a\n",
        [number("x", [1, 2, 3]), empty("y"), category("c", ["a", "b", "a"])],
        notes=[r"\by\b"],
    ),
    Case(
        "every-field-quoted-and-some-empty",
        b'"x","y","c"\n"1","2.5","a"\n"","","b"\n"3","4.5",""\n',
        [number("x", [1, None, 3]), number("y", [2.5, None, 4.5]), category("c", ["a", "b", None])],
    ),
]
