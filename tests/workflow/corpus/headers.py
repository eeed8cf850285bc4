"""Header lines, and lines above them."""

from tests.workflow.corpus.case import Case, boolean, category, number

CASES = [
    Case(
        "pandas-index",
        b",x,c\n0,1.5,a\n1,2.5,b\n2,3.5,a\n",
        [number("column_1", [0, 1, 2], index=True), number("x", [1.5, 2.5, 3.5]), category("c", ["a", "b", "a"])],
        notes=["column_1"],
    ),
    Case(
        "pandas-index-after-rows-were-dropped",
        b",x,c\n0,1.5,a\n2,2.5,b\n5,3.5,a\n6,4.5,a\n",
        [number("column_1", [0, 2, 5, 6], index=True), number("x"), category("c")],
    ),
    Case(
        "pandas-index-semicolon",
        b";x;c\n0;1,5;a\n1;2,5;b\n2;3,5;a\n",
        [number("column_1", index=True), number("x", [1.5, 2.5, 3.5]), category("c", ["a", "b", "a"])],
        reading={"separator": ";", "decimal": ","},
    ),
    Case(
        "row-names-of-r",
        b'"","mpg","cyl"\n"Mazda RX4",21,6\n"Datsun 710",22.8,4\n"Valiant",18.1,6\n',
        [
            category("column_1", ["Mazda RX4", "Datsun 710", "Valiant"], index=True),
            number("mpg", [21, 22.8, 18.1]),
            number("cyl", [6, 4, 6]),
        ],
        notes=["column_1"],
    ),
    Case(
        "row-numbers-of-r",
        b'"","len","supp"\n"1",4.2,"VC"\n"2",11.5,"VC"\n"3",7.3,"OJ"\n',
        [
            number("column_1", [1, 2, 3], index=True),
            number("len", [4.2, 11.5, 7.3]),
            category("supp", ["VC", "VC", "OJ"]),
        ],
    ),
    Case(
        "first-column-without-a-name-that-is-no-index",
        b",x\n3.2,1\n1.1,2\n3.2,3\n",
        [number("column_1", [3.2, 1.1, 3.2]), number("x", [1, 2, 3])],
    ),
    Case(
        "first-column-without-a-name-of-groups",
        b",x\na,1\na,2\nb,3\n",
        [category("column_1", ["a", "a", "b"]), number("x", [1, 2, 3])],
    ),
    Case(
        "a-named-first-column-that-counts",
        b"id,x\n0,1.5\n1,2.5\n2,3.5\n",
        [number("id", [0, 1, 2], index=True), number("x", [1.5, 2.5, 3.5])],
    ),
    Case(
        "last-column-without-a-name-and-values",
        b"x,y,\n1,2,\n3,4,\n",
        [number("x", [1, 3]), number("y", [2, 4])],
        notes=["(?i)dropped|left out"],
    ),
    Case(
        "last-column-without-a-name-and-values-semicolon",
        b"x;y;\r\n1,5;2;\r\n3,5;4;\r\n",
        [number("x", [1.5, 3.5]), number("y", [2, 4])],
        reading={"separator": ";", "decimal": ","},
        notes=["(?i)dropped|left out"],
    ),
    Case(
        "several-last-columns-without-names-and-values",
        b"x,y,,,\n1,2,,,\n3,4,,,\n",
        [number("x", [1, 3]), number("y", [2, 4])],
    ),
    Case(
        "last-column-without-a-name-and-with-values",
        b"x,y,\n1,2,a\n3,4,b\n5,6,a\n",
        [number("x", [1, 3, 5]), number("y", [2, 4, 6]), category("column_3", ["a", "b", "a"])],
    ),
    Case(
        "the-same-name-twice",
        b"x,y,x\n1,2,3\n4,5,6\n",
        [number("x", [1, 4]), number("y", [2, 5]), number("x_2", [3, 6])],
        notes=["x_2"],
    ),
    Case(
        "the-same-name-three-times",
        b"x,x,x,y\n1,2,3,4\n5,6,7,8\n",
        [number("x", [1, 5]), number("x_2", [2, 6]), number("x_3", [3, 7]), number("y", [4, 8])],
        notes=["x_2", "x_3"],
    ),
    Case(
        "duplicate-name-after-trimming",
        b"x, x,y\n1,2,3\n4,5,6\n",
        [number("x", [1, 4]), number("x_2", [2, 5]), number("y", [3, 6])],
        notes=["x_2"],
    ),
    Case(
        "duplicate-name-beside-its-replacement",
        b"x,x,x_2\n1,2,3\n4,5,6\n",
        [number("x", [1, 4]), number("x_3", [2, 5]), number("x_2", [3, 6])],
        notes=["x_3"],
    ),
    Case(
        "one-title-line",
        b"Sales of 2020\nmonth,shop,sold\n1,a,20\n2,b,30\n3,a,25\n",
        error="skip_lines=1",
    ),
    Case(
        "title-and-empty-line",
        b"Sales of 2020\n\nmonth,shop,sold\n1,a,20\n2,b,30\n3,a,25\n",
        error="skip_lines=2",
    ),
    Case(
        "two-title-lines-semicolon",
        b"Export aus SAP\r\nStand: 13.01.2020\r\nMonat;Absatz\r\n1;20,5\r\n2;30,5\r\n3;10,5\r\n",
        error="skip_lines=2",
    ),
    Case(
        "title-lines-filled-up-with-separators",
        b"Sales of 2020,,\n,,\nmonth,shop,sold\n1,a,20\n2,b,30\n3,a,25\n",
        error="skip_lines=2",
    ),
    Case(
        "title-lines-option",
        b"Sales of 2020\nas of 13 January\nmonth,shop,sold\n1,a,20\n2,b,30\n",
        [number("month", [1, 2]), category("shop", ["a", "b"]), number("sold", [20, 30])],
        options={"skip_lines": 2},
        reading={"skip_lines": 2, "separator": ","},
    ),
    Case(
        "title-and-empty-line-option",
        b"Absatz\n\nMonat;Absatz\n1;20,5\n2;30,5\n",
        [number("Monat", [1, 2]), number("Absatz", [20.5, 30.5])],
        options={"skip_lines": 2},
        reading={"skip_lines": 2, "separator": ";", "decimal": ","},
    ),
    Case(
        "comment-lines",
        b"# measured by hand, on a Monday\n# in metres\nx,y\n1.5,2\n2.5,3\n",
        [number("x", [1.5, 2.5]), number("y", [2, 3])],
        reading={"separator": ","},
    ),
    Case(
        "comment-lines-semicolon-crlf",
        b"#Station: Wien\r\n#Einheit: m, kg\r\nx;y\r\n1,5;2\r\n2,5;3\r\n",
        [number("x", [1.5, 2.5]), number("y", [2, 3])],
        reading={"separator": ";", "decimal": ","},
    ),
    Case(
        "colour-codes-begin-rows",
        b"colour,n\n#ff0000,1\n#00ff00,2\n#0000ff,3\n",
        [category("colour", ["#ff0000", "#00ff00", "#0000ff"]), number("n", [1, 2, 3])],
        quiet=True,
    ),
    Case(
        "header-with-a-leading-hash",
        b"#chrom\tstart\tstrand\nchr1\t100\t+\nchr2\t200\t-\nchr1\t300\t-\n",
        [
            category("chrom", ["chr1", "chr2", "chr1"]),
            number("start", [100, 200, 300]),
            category("strand", ["+", "-", "-"]),
        ],
        reading={"separator": "\t"},
    ),
    Case(
        "names-with-spaces-around",
        b" length , body mass ,\tcolour\n1.5,2,red\n2.5,3,blue\n",
        [number("length", [1.5, 2.5]), number("body mass", [2, 3]), category("colour", ["red", "blue"])],
    ),
    Case(
        "names-like-values",
        b"2019,2020,true,1.5\n1,2,false,a\n3,4,true,b\n",
        [number("2019", [1, 3]), number("2020", [2, 4]), boolean("true", [False, True]), category("1.5", ["a", "b"])],
    ),
    Case(
        "a-named-first-column-that-does-not-count",
        b"id,x\n3,1.5\n1,2.5\n3,3.5\n",
        [number("id", [3, 1, 3]), number("x", [1.5, 2.5, 3.5])],
    ),
    Case(
        "a-counting-column-that-is-no-index",
        b"year,x\n1,1.5\n2,2.5\n3,3.5\n",
        [number("year", [1, 2, 3]), number("x", [1.5, 2.5, 3.5])],
        quiet=True,
    ),
    Case(
        "pandas-index-written-twice",
        b",Unnamed: 0,x\n0,0,1.5\n1,1,2.5\n2,2,3.5\n",
        [number("column_1", index=True), number("Unnamed: 0", index=True), number("x", [1.5, 2.5, 3.5])],
    ),
    Case(
        "rownames",
        b'"rownames","x"\n"Alabama",1.5\n"Alaska",2.5\n"Arizona",3.5\n',
        [category("rownames", ["Alabama", "Alaska", "Arizona"], index=True), number("x", [1.5, 2.5, 3.5])],
    ),
    Case(
        "a-column-without-a-name-between-others",
        b"x,,y\n1,a,2\n3,b,4\n5,a,6\n",
        [number("x", [1, 3, 5]), category("column_2", ["a", "b", "a"]), number("y", [2, 4, 6])],
    ),
    Case(
        "title-with-a-comma",
        b"Sales of 2020, all shops\nmonth,shop,sold\n1,a,20\n2,b,30\n3,a,25\n",
        error="skip_lines=1",
    ),
    Case(
        "quoted-title",
        b'"Sales of 2020"\n"month","shop","sold"\n"1","a","20"\n"2","b","30"\n"3","a","25"\n',
        error="skip_lines=1",
    ),
    Case("title-above-a-short-table", b"Sales of 2020\nmonth,shop\n1,a\n2,b\n", error="skip_lines=1"),
]
