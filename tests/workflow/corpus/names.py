"""Column names with a meaning in the reading library."""

from tests.workflow.corpus.case import Case, boolean, category, number


def named(*names: str) -> Case:
    """Columns with these names, quoted for CSV."""
    header = ",".join('"' + name.replace('"', '""') + '"' for name in names)
    rows = "".join(",".join(f"{row}.5" for _ in names) + "\n" for row in range(3))
    expected = [number(name, [0.5, 1.5, 2.5]) for name in names]
    return Case(f"named {' '.join(names)}", f"{header}\n{rows}".encode(), expected, quiet=True)


CASES = [
    named("count", "len", "literal", "index", "value", "row_nr"),
    named("*", "^a$", "a", "^.*$"),
    named('say "hi"', "it's", "`x`"),
    named("a/b", "a~b", "a.b", "a\\b", "{a}", "$a", "%a"),
    named("height, cm", "height; cm"),
    named("__index__", "Unnamed", "column_2", "null", "None", "NaN"),
    named("name", "type", "missing", "values", "counts"),
    Case(
        "named-count-of-texts",
        b"count,n\nred,1\nblue,2\nred,3\n",
        [category("count", ["red", "blue", "red"]), number("n", [1, 2, 3])],
    ),
    Case(
        "named-count-of-booleans",
        b"count,proportion\nyes,1\nno,2\nyes,3\n",
        [boolean("count", [True, False, True]), number("proportion", [1, 2, 3])],
    ),
    Case("named-star-alone", b"*\n1\n2\n", [number("*", [1, 2])]),
]
