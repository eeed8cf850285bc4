"""Notations of numbers, and texts that resemble numbers."""

from tests.workflow.corpus.case import Case, category, number

CASES = [
    Case(
        "spaces-around",
        b" x , y ,c\n 1.5 ,2,red \n-2.5,  3 , blue\n",
        [number("x", [1.5, -2.5]), number("y", [2, 3]), category("c", ["red", "blue"])],
    ),
    Case("quoted", b'"x","y"\n"1.5","2"\n"-2.5","3"\n', [number("x", [1.5, -2.5]), number("y", [2, 3])]),
    Case(
        "thousands",
        b'x,y\n"1,234.5",7\n12,8\n"1,234,567",9\n"-4,000.25",10\n',
        [number("x", [1234.5, 12, 1234567, -4000.25]), number("y", [7, 8, 9, 10])],
        reading={"decimal": "."},
    ),
    Case(
        "thousands-without-decimals",
        b'x,y\n"1,234",7\n12,8\n"1,234,567",9\n',
        [number("x", [1234, 12, 1234567]), number("y")],
    ),
    Case(
        "thousands-in-tabs",
        b"x\ty\n1,234.5\t7\n2,500.75\t8\n",
        [number("x", [1234.5, 2500.75]), number("y", [7, 8])],
        reading={"decimal": "."},
    ),
    Case(
        "dollars",
        b'x,y\n$12,1\n"$1,200.50",2\n$0.99,3\n',
        [number("x", [12, 1200.5, 0.99]), number("y", [1, 2, 3])],
        notes=[r"\$|currenc"],
    ),
    Case(
        "euros-behind",
        "x;y\n12,50 €;1\n1.200,00 €;2\n0,99 €;3\n".encode(),
        [number("x", [12.5, 1200, 0.99]), number("y", [1, 2, 3])],
        reading={"decimal": ","},
        notes=["€|currenc"],
    ),
    Case(
        "pounds-and-missing",
        "x,y\n£12,1\nNA,2\n£ 3.5,3\n".encode(),
        [number("x", [12, None, 3.5]), number("y", [1, 2, 3])],
        reading={"missing": ["NA"]},
        notes=["£|currenc"],
    ),
    Case(
        "percent",
        b"x,y\n30.9 %,1\n5%,2\n-1.5 %,3\n",
        [number("x", [30.9, 5, -1.5]), number("y", [1, 2, 3])],
        notes=["%|percent"],
    ),
    Case(
        "exponents-and-signs",
        b"x,y\n1.e5,1\n1e5,2\n1E+05,3\n1e-3,4\n",
        [number("x", [1e5, 1e5, 1e5, 1e-3]), number("y", [1, 2, 3, 4])],
        quiet=True,
    ),
    Case(
        "points-and-signs",
        b"x,y\n.5,1\n5.,2\n+3,3\n-.5,4\n",
        [number("x", [0.5, 5, 3, -0.5]), number("y", [1, 2, 3, 4])],
    ),
    Case(
        "infinity",
        b"x,y,z\n1,2,3\ninf,Infinity,Inf\n-inf,-Infinity,-Inf\n4,5,6\n",
        [number(name, [low, None, None, high]) for name, low, high in (("x", 1, 4), ("y", 2, 5), ("z", 3, 6))],
        notes=["inf"],
    ),
    Case(
        "integers-past-64-bits",
        b"x,y\n18446744073709551616,1\n100000000000000000000000000000,2\n-5,3\n",
        [number("x", [18446744073709551616.0, 1e29, -5]), number("y", [1, 2, 3])],
    ),
    Case("large-exponents", b"x,y\n1e20,1\n-3e38,2\n1.7e308,3\n", [number("x", [1e20, -3e38, 1.7e308]), number("y")]),
    Case(
        "labels-past-2-to-the-53",
        b"x,y\n9007199254740992,1\n9007199254740993,2\n9007199254740992,3\n",
        [
            number("x", labels=["9007199254740992", "9007199254740993", "9007199254740992"]),
            number("y", [1, 2, 3]),
        ],
    ),
    Case("past-float64", b"x,y\n1,1\n1e400,2\n3,3\n", error=r"\bx\b.*(row 2|line 3|1e400)"),
    Case("integer-past-float64", b"x,y\n1,1\n2,2\n" + b"9" * 400 + b",3\n", error=r"\bx\b.*(row 3|line 4)"),
    Case("integers-then-a-fraction", b"x,y\n1,1\n2,1\n3,1\n4.5,1\n", [number("x", [1, 2, 3, 4.5]), number("y")]),
    Case(
        "comma-NA-fractions",
        b"x,y\n1.5,a\n2.5,b\nNA,c\n",
        [number("x", [1.5, 2.5, None]), category("y", ["a", "b", "c"])],
    ),
    Case("zero-and-one", b"x,y\n0,1.5\n1,2.5\n1,3.5\n0,4.5\n", [number("x", [0, 1, 1, 0]), number("y")], quiet=True),
    Case("years", b"year,y\n2019,1\n2020,2\n2021,3\n", [number("year", [2019, 2020, 2021]), number("y")], quiet=True),
    Case(
        "no-numbers",
        b"version,code,size,ratio,group,phone\n1.2.3,0x10,5 kg,3:4,1_000,555-1234\n1.2.4,0x1f,7 kg,1:2,2_000,555-9876\n",
        [
            category("version", ["1.2.3", "1.2.4"]),
            category("code", ["0x10", "0x1f"]),
            category("size", ["5 kg", "7 kg"]),
            category("ratio", ["3:4", "1:2"]),
            category("group", ["1_000", "2_000"]),
            category("phone", ["555-1234", "555-9876"]),
        ],
        quiet=True,
    ),
    Case(
        "lists-of-numbers",
        b'x,y\n"1,2,3",1\n"4,5,6",2\n"7,8",3\n',
        [category("x", ["1,2,3", "4,5,6", "7,8"]), number("y", [1, 2, 3])],
    ),
    Case(
        "short-groups-are-no-thousands",
        b'x,y\n"1,23,4",1\n"12,34",2\n',
        [category("x", ["1,23,4", "12,34"]), number("y", [1, 2])],
    ),
    Case(
        "accountants-negatives",
        b'x,y\n"(1,250.50)",1\n300,2\n(75),3\n',
        [number("x", [-1250.5, 300, -75]), number("y", [1, 2, 3])],
    ),
    Case("swiss-thousands", b"x,y\n1'234.50,1\n12,2\n", [number("x", [1234.5, 12]), number("y", [1, 2])]),
    Case(
        "french-thousands",
        "x;y\n1\u202f234,5;1\n12,25;2\n1\u00a0000\u00a0000;3\n".encode(),
        [number("x", [1234.5, 12.25, 1000000]), number("y", [1, 2, 3])],
        reading={"decimal": ","},
    ),
]
