"""Pairs of words that are booleans, and others that are not."""

from tests.workflow.corpus.case import Case, boolean, category, number


def pair(yes: str, no: str) -> Case:
    """A column of two words."""
    content = f"b,n\n{yes},1\n{no},2\n{no},3\n{yes},4\n".encode()
    return Case(
        f"{yes}-{no}",
        content,
        [boolean("b", [True, False, False, True], labels=[yes, no, no, yes]), number("n", [1, 2, 3, 4])],
    )


CASES = [
    *(pair(yes, no) for yes, no in (("yes", "no"), ("Yes", "No"), ("Y", "N"), ("t", "f"), ("T", "F"))),
    *(pair(yes, no) for yes, no in (("true", "false"), ("TRUE", "FALSE"), ("True", "False"))),
    Case(
        "capitals-with-NA",
        b"b,n\nTRUE,1\nNA,2\nFALSE,3\n",
        [boolean("b", [True, None, False], labels=["TRUE", None, "FALSE"]), number("n", [1, 2, 3])],
        reading={"missing": ["NA"]},
    ),
    Case(
        "yes-no-with-empty-and-question-mark",
        b"b;n\nyes;1,5\n;2,5\nno;3,5\n?;4,5\n",
        [boolean("b", [True, None, False, None]), number("n", [1.5, 2.5, 3.5, 4.5])],
        reading={"missing": ["?"]},
    ),
    Case(
        "letters-with-blanks-quoted",
        b'"b","n"\n"Y","1"\n" ","2"\n"N","3"\n',
        [boolean("b", [True, None, False]), number("n", [1, 2, 3])],
    ),
    Case("zero-one", b"b,n\n0,1.5\n1,2.5\n0,3.5\n", [number("b", [0, 1, 0]), number("n")]),
    Case("a-third-answer", b"b,n\nyes,1\nno,2\nmaybe,3\n", [category("b", ["yes", "no", "maybe"]), number("n")]),
    Case("directions", b"d,n\nN,1\nS,2\nE,3\nY,4\n", [category("d", ["N", "S", "E", "Y"]), number("n")]),
    Case("sexes", b"sex,n\nM,1\nF,2\nF,3\n", [category("sex", ["M", "F", "F"]), number("n")]),
    Case("one-sex-alone", b"sex,n\nF,1\nF,2\nNA,3\n", [category("sex", ["F", "F", "NA"]), number("n")]),
    Case(
        "in-several-spellings",
        b"b,n\nYes,1\nyes,2\nNO,3\n",
        [boolean("b", [True, True, False], labels=["Yes", "yes", "NO"]), number("n", [1, 2, 3])],
    ),
    Case("yes-no-and-a-number", b"b,n\nyes,1\nno,2\n3,3\n", [category("b", ["yes", "no", "3"]), number("n")]),
]
