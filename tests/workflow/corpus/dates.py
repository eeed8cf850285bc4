"""Dates and times in common formats."""

from collections.abc import Sequence

from tests.workflow.corpus.case import Case, category, datetime, number

BOTH_FIT = "day.*month|month.*day"


def form(
    name: str,
    cells: list[str],
    values: Sequence[str | None],
    date_format: str | None = None,
    *,
    notes: tuple[str, ...] = (),
) -> Case:
    """A column of dates and one of numbers, separated by tabs as dates may contain commas."""
    rows = "".join(f"{cell}\t{at}.5\n" for at, cell in enumerate(cells))
    return Case(
        name,
        f"t\tn\n{rows}".encode(),
        [datetime("t", values), number("n", [at + 0.5 for at in range(len(cells))])],
        reading={} if date_format is None else {"date_formats": {"t": date_format}},
        notes=notes,
    )


def words(name: str, cells: list[str]) -> Case:
    """A column of texts that resemble dates."""
    rows = "".join(f"{cell}\t{at}.5\n" for at, cell in enumerate(cells))
    return Case(name, f"t\tn\n{rows}".encode(), [category("t", list(cells)), number("n")])


def integers(name: str, cells: list[int]) -> Case:
    """A column of numbers that resemble dates."""
    rows = "".join(f"{cell},{at}.5\n" for at, cell in enumerate(cells))
    return Case(name, f"t,n\n{rows}".encode(), [number("t", list(cells)), number("n")])


DAYS = ["2020-01-13T00:00:00", "2020-02-05T00:00:00"]  # only the first has a day above 12
EARLY = ["2020-02-01T00:00:00", "2020-04-03T00:00:00"]  # days and months are ambiguous

CASES = [
    form("iso-dates", ["2020-01-13", "2020-02-05"], DAYS, "ISO 8601"),
    form(
        "iso-times",
        ["2020-01-13T10:30:00", "2020-02-05T23:59:59.25"],
        ["2020-01-13T10:30:00", "2020-02-05T23:59:59.25"],
    ),
    form(
        "iso-times-with-a-space",
        ["2020-01-13 10:30", "2020-02-05 23:59"],
        ["2020-01-13T10:30:00", "2020-02-05T23:59:00"],
    ),
    form("iso-times-in-utc", ["2020-01-13T10:30:00Z", "2020-02-05T00:00:00Z"], ["2020-01-13T10:30:00", DAYS[1]]),
    form(
        "utc-in-words",
        ["2019-12-13 13:27:00 UTC", "2019-12-14 00:00:01 UTC"],
        ["2019-12-13T13:27:00", "2019-12-14T00:00:01"],
    ),
    form(
        "offset-after-a-space",
        ["2019-12-13 13:27:00 +0200", "2019-12-14 00:30:00 +0200"],
        ["2019-12-13T11:27:00", "2019-12-13T22:30:00"],
    ),
    form(
        "a-mix-of-zones",
        ["2019-12-13T13:27:00+01:00", "2019-12-13T13:27:00Z", "2019-07-13T13:27:00+02:00", "2019-12-13 13:27:00-0530"],
        ["2019-12-13T12:27:00", "2019-12-13T13:27:00", "2019-07-13T11:27:00", "2019-12-13T18:57:00"],
    ),
    form(
        "z-on-some-rows",
        ["2020-01-13T10:00:00Z", "2020-01-13T11:00:00"],
        ["2020-01-13T10:00:00", "2020-01-13T11:00:00"],
    ),
    form(
        "fractions-on-some-rows",
        ["2020-01-13T10:00:00.5", "2020-01-13T10:00:00", "2020-01-13T10:00:00.123456"],
        ["2020-01-13T10:00:00.5", "2020-01-13T10:00:00", "2020-01-13T10:00:00.123456"],
    ),
    form("dates-and-times-mixed", ["2020-01-13", "2020-02-05 10:00:00"], [DAYS[0], "2020-02-05T10:00:00"]),
    form("year-with-slashes", ["2020/01/13", "2020/02/05"], DAYS, "%Y/%m/%d"),
    form("days-with-points", ["13.01.2020", "05.02.2020"], DAYS, "%d.%m.%Y"),
    form("short-days-with-points", ["13.1.2020", "5.2.2020"], DAYS, "%d.%m.%Y"),
    form(
        "days-with-points-and-times",
        ["13.01.2020 18:30", "05.02.2020 06:05"],
        ["2020-01-13T18:30:00", "2020-02-05T06:05:00"],
        "%d.%m.%Y",
    ),
    form("days-first-with-slashes", ["05/02/2020", "13/01/2020"], DAYS[::-1], "%d/%m/%Y"),
    form("months-first-with-slashes", ["1/13/2020", "2/5/2020"], DAYS, "%m/%d/%Y"),
    form(
        "twelve-hours",
        ["01/13/2020 05:04:00 PM", "02/05/2020 12:00:00 AM"],
        ["2020-01-13T17:04:00", DAYS[1]],
        "%m/%d/%Y",
    ),
    form(
        "short-twelve-hours",
        ["1/13/2020 5:04 pm", "2/5/2020 12:30 pm"],
        ["2020-01-13T17:04:00", "2020-02-05T12:30:00"],
        "%m/%d/%Y",
    ),
    form("days-with-dashes", ["13-01-2020", "05-02-2020"], DAYS, "%d-%m-%Y"),
    form("months-by-name", ["13-Jan-2020", "05-Feb-2020"], DAYS, "%d-%b-%Y"),
    form("months-by-name-in-capitals", ["13-JAN-2020", "05-FEB-2020"], DAYS, "%d-%b-%Y"),
    form("months-by-name-first", ["Jan 13, 2020", "Feb 5, 2020"], DAYS, "%b %d, %Y"),
    form("eight-digits", ["20200113", "20200205"], DAYS, "%Y%m%d"),
    form(
        "months",
        ["2020-01", "2020-02", "2019-12"],
        ["2020-01-01T00:00:00", "2020-02-01T00:00:00", "2019-12-01T00:00:00"],
        "%Y-%m",
    ),
    form("weeks", ["2020-W03-1", "2020-W06-3"], DAYS, "%G-W%V-%u"),
    form(
        "two-digit-years",
        ["13.01.20", "31.12.68", "01.01.69", "24.12.99"],
        ["2020-01-13T00:00:00", "2068-12-31T00:00:00", "1969-01-01T00:00:00", "1999-12-24T00:00:00"],
        "%d.%m.%y",
    ),
    form("both-fit-slashes", ["02/01/2020", "04/03/2020"], EARLY, "%m/%d/%Y", notes=(BOTH_FIT,)),
    form("both-fit-points", ["01.02.2020", "03.04.2020"], EARLY, "%d.%m.%Y"),
    form("both-fit-dashes", ["01-02-2020", "03-04-2020"], EARLY, "%d-%m-%Y", notes=(BOTH_FIT,)),
    Case(
        "both-fit-slashes-in-a-semicolon-file",
        b"t;n\n01/02/2020;1\n03/04/2020;2\n",
        [datetime("t", EARLY), number("n", [1, 2])],
        reading={"separator": ";", "date_formats": {"t": "%d/%m/%Y"}},
        notes=[BOTH_FIT],
    ),
    Case(
        "both-fit-slashes-beside-decimal-commas",
        b"t\tn\n01/02/2020\t1,5\n03/04/2020\t2,5\n",
        [datetime("t", EARLY), number("n", [1.5, 2.5])],
        reading={"separator": "\t", "decimal": ",", "date_formats": {"t": "%d/%m/%Y"}},
        notes=[BOTH_FIT],
    ),
    Case(
        "months-first-for-certain-in-a-semicolon-file",
        b"t;n\n01/02/2020;1\n01/13/2020;2\n",
        [datetime("t", ["2020-01-02T00:00:00", "2020-01-13T00:00:00"]), number("n", [1, 2])],
        reading={"date_formats": {"t": "%m/%d/%Y"}},
    ),
    Case(
        "two-columns-two-forms",
        b"from,to,n\n13.01.2020,01/13/2020,1\n14.01.2020,01/15/2020,2\n",
        [
            datetime("from", ["2020-01-13T00:00:00", "2020-01-14T00:00:00"]),
            datetime("to", ["2020-01-13T00:00:00", "2020-01-15T00:00:00"]),
            number("n", [1, 2]),
        ],
        reading={"date_formats": {"from": "%d.%m.%Y", "to": "%m/%d/%Y"}},
    ),
    Case(
        "quoted-with-commas-and-missing",
        b't,n\n"Jan 13, 2020",1\nNA,2\n"",3\n"Feb 5, 2020",4\n',
        [datetime("t", [DAYS[0], None, None, DAYS[1]]), number("n", [1, 2, 3, 4])],
        reading={"date_formats": {"t": "%b %d, %Y"}, "missing": ["NA"]},
    ),
    Case(
        "sentinel-of-the-past",
        b"left,n\n2020-01-13,1\n1900-01-01,2\n2020-02-05,3\n1900-01-01,4\n",
        [datetime("left", [DAYS[0], "1900-01-01T00:00:00", DAYS[1], "1900-01-01T00:00:00"]), number("n")],
        notes=["1900-01-01"],
    ),
    Case(
        "sentinel-of-the-future",
        b"left;n\n13.01.2020;1\n31.12.9999;2\n05.02.2020;3\n31.12.9999;4\n",
        [datetime("left", [DAYS[0], "9999-12-31T00:00:00", DAYS[1], "9999-12-31T00:00:00"]), number("n")],
        notes=["9999"],
    ),
    Case(
        "seconds-option",
        b"t,n\n1578873600,1\n1580860800,2\n",
        [datetime("t", DAYS), number("n", [1, 2])],
        options={"date_formats": {"t": "seconds"}},
        reading={"date_formats": {"t": "seconds"}},
    ),
    Case(
        "milliseconds-option",
        b"t,n\n1578873600000,1\n1580860800500,2\n,3\n",
        [datetime("t", [DAYS[0], "2020-02-05T00:00:00.5", None]), number("n", [1, 2, 3])],
        options={"date_formats": {"t": "milliseconds"}},
    ),
    integers("seconds-without-option-are-numbers", [1578873600, 1580860800]),
    integers("eight-digits-that-are-no-dates", [12345678, 20209999, 87654321]),
    integers("eight-digits-with-one-invalid-date", [20200113, 20200205, 20201399]),
    integers("four-digits-are-years", [2019, 2020]),
    words("no-day-of-any-year", ["2020-02-30", "2020-02-31"]),
    words("days-first-and-months-first", ["13/01/2020", "01/13/2020"]),
    words("times-of-day", ["10:30", "23:59"]),
    words("fractions", ["1/2", "3/4"]),
    words("some-are-dates", ["2020-01-13", "later", "2020-02-05", "soon"]),
    form("short-years-months-first", ["1/13/20", "2/5/20"], DAYS, "%m/%d/%y"),
    form(
        "days-with-points-times-and-zones",
        ["13.01.2020 18:30 +01:00", "05.02.2020 06:05 UTC"],
        ["2020-01-13T17:30:00", "2020-02-05T06:05:00"],
        "%d.%m.%Y",
    ),
    form("not-a-time", ["2020-01-13", "NaT", "2020-02-05"], [DAYS[0], None, DAYS[1]], "ISO 8601"),
    words("thirteen-months", ["2020-12", "2020-13"]),
    Case(
        "sentinel-with-option-missing",
        b"left;n\n13.01.2020;1\n31.12.9999;2\n05.02.2020;3\n",
        [datetime("left", [DAYS[0], None, DAYS[1]]), number("n", [1, 2, 3])],
        options={"missing": ["31.12.9999"]},
    ),
]
