"""25 tables of public packages, the obvious target of each, and the column types that a person would expect.

They have typical properties of real files: words for missing values, unnamed columns that count the rows, numbers with
separators, spaces around names and cells, dates of many forms, JSON, gzip, lone CR lines.
"""

from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Literal

from service.workflow.data.types.names import TypeName
from service.workflow.tasks import Task

MEDIA_TYPES = {
    ".csv": "text/csv",
    ".dat": "application/octet-stream",
    ".gz": "application/gzip",
    ".json": "application/json",
}
NUMBER: Literal["number"] = "number"
CATEGORY: Literal["category"] = "category"
BOOLEAN: Literal["boolean"] = "boolean"
DATETIME: Literal["datetime"] = "datetime"


@dataclass(frozen=True)
class Table:
    """A file of a package, unchanged.

    Args:
        path: below the folder in which packages are installed.
        target: the column that a person would have predicted.
        rows: how many there are, the header and empty lines left out.
        types: the types that a person expects for the columns that matter.
        missing: how many values are missing in the columns in which some are.
        counters: columns that only count the rows, which no model should see.
    """

    path: str
    target: str
    rows: int
    types: dict[str, TypeName]
    task: Task = Task.REGRESSION
    missing: dict[str, int] = field(default_factory=dict)
    counters: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The data set's and the model's: the package and the file."""
        file = PurePosixPath(self.path)
        return f"{file.parts[0]}-{file.name.split('.')[0]}".lower()

    @property
    def media_type(self) -> str:
        """By the suffix."""
        return MEDIA_TYPES[PurePosixPath(self.path).suffix]


TABLES = (
    # NA for missing numbers and words
    Table(
        path="palmerpenguins/data/penguins.csv",
        target="body_mass_g",
        rows=344,
        types={
            "species": CATEGORY,
            "bill_length_mm": NUMBER,
            "flipper_length_mm": NUMBER,
            "body_mass_g": NUMBER,
            "sex": CATEGORY,
            "year": NUMBER,
        },
        missing={"bill_length_mm": 2, "body_mass_g": 2, "sex": 11},
    ),
    # names with units, Yes and No, ISO dates, remarks as text
    Table(
        path="palmerpenguins/data/penguins-raw.csv",
        target="Species",
        rows=344,
        types={
            "Species": CATEGORY,
            "Individual ID": CATEGORY,
            "Clutch Completion": BOOLEAN,
            "Date Egg": DATETIME,
            "Body Mass (g)": NUMBER,
            "Delta 15 N (o/oo)": NUMBER,
            "Comments": CATEGORY,
        },
        task=Task.MULTICLASS,
        missing={"Body Mass (g)": 2, "Sex": 11, "Delta 15 N (o/oo)": 14},
    ),
    # R's row names: a first column without a name
    Table(
        path="bokeh_sampledata/_data/auto-mpg2.csv",
        target="hwy",
        rows=234,
        types={"manufacturer": CATEGORY, "displ": NUMBER, "cyl": NUMBER, "drv": CATEGORY, "hwy": NUMBER},
        counters=("column_1",),
    ),
    # a column called Na
    Table(
        path="bokeh_sampledata/_data/forensic_glass.csv",
        target="type",
        rows=214,
        types={"RI": NUMBER, "Na": NUMBER, "K": NUMBER, "type": CATEGORY},
        task=Task.MULTICLASS,
    ),
    # spaces after the commas, before quotes too
    Table(
        path="bokeh_sampledata/_data/sprint.csv",
        target="Time",
        rows=85,
        types={"Name": CATEGORY, "Country": CATEGORY, "Medal": CATEGORY, "Time": NUMBER, "Year": NUMBER},
    ),
    # commas within quotes, an age missing in every second row, 0 and 1 as classes
    Table(
        path="bokeh_sampledata/_data/titanic_all.csv",
        target="survived",
        rows=1313,
        types={"name": CATEGORY, "class": CATEGORY, "age": NUMBER, "sex": CATEGORY, "survived": NUMBER},
        task=Task.BINARY,
        missing={"age": 557},
    ),
    # gzip; times with Z
    Table(
        path="bokeh_sampledata/_data/sea_surface_temperature.csv.gz",
        target="temperature (celsius)",
        rows=19226,
        types={"time (UTC)": DATETIME, "temperature (celsius)": NUMBER},
    ),
    # every field quoted, and some of the numbers empty
    Table(
        path="bokeh_sampledata/_data/lincoln_weather.csv",
        target="TMAX",
        rows=366,
        types={"STATION": CATEGORY, "DATE": DATETIME, "TMAX": NUMBER, "TMIN": NUMBER},
        missing={"TMAX": 1, "TMIN": 1},
    ),
    # a JSON array of objects with null
    Table(
        path="vega_datasets/_data/cars.json",
        target="Miles_per_Gallon",
        rows=406,
        types={"Name": CATEGORY, "Horsepower": NUMBER, "Year": DATETIME, "Origin": CATEGORY},
        missing={"Miles_per_Gallon": 8, "Horsepower": 6},
    ),
    # 2012/01/31
    Table(
        path="vega_datasets/_data/seattle-weather.csv",
        target="weather",
        rows=1461,
        types={"date": DATETIME, "precipitation": NUMBER, "temp_max": NUMBER, "weather": CATEGORY},
        task=Task.MULTICLASS,
    ),
    # Jan 1 2000
    Table(
        path="vega_datasets/_data/stocks.csv",
        target="price",
        rows=560,
        types={"symbol": CATEGORY, "date": DATETIME, "price": NUMBER},
    ),
    # semicolons
    Table(
        path="statsmodels/datasets/modechoice/modechoice.csv",
        target="choice",
        rows=840,
        types={"mode": NUMBER, "choice": NUMBER, "ttme": NUMBER, "gc": NUMBER},
        task=Task.BINARY,
    ),
    # 19580329
    Table(
        path="statsmodels/datasets/co2/co2.csv",
        target="co2",
        rows=2284,
        types={"date": DATETIME, "co2": NUMBER},
        missing={"co2": 59},
    ),
    # tabs, texts filled up with spaces, one space for a missing number
    Table(
        path="statsmodels/datasets/star98/src/star98.dat",
        target="MATH",
        rows=303,
        types={"COUNTY": CATEGORY, "DISTRICT": CATEGORY, "LOWINC": NUMBER, "MATH": NUMBER, "READM11": NUMBER},
        missing={"READM11": 1},
    ),
    # 01/31/2004, the month first
    Table(
        path="dmba/csvFiles/FlightDelays.csv.gz",
        target="Flight Status",
        rows=2201,
        types={"CRS_DEP_TIME": NUMBER, "CARRIER": CATEGORY, "FL_DATE": DATETIME, "Weather": NUMBER},
        task=Task.BINARY,
    ),
    # lone CR lines, 1-Mar-05, the last days still to be predicted
    Table(
        path="dmba/csvFiles/bicup2006.csv.gz",
        target="DEMAND",
        rows=1512,
        types={"DATE": DATETIME, "DEMAND": NUMBER},
        missing={"DEMAND": 189},
    ),
    # Jan-90, "35,153,577"
    Table(
        path="dmba/csvFiles/Sept11Travel.csv.gz",
        target="VMT (billions)",
        rows=172,
        types={"Month": DATETIME, "Air RPM (000s)": NUMBER, "Rail PM": NUMBER, "VMT (billions)": NUMBER},
    ),
    # 1/31/2008 0:01, postcodes, Yes and No
    Table(
        path="dmba/csvFiles/LaptopSalesJanuary2008.csv.gz",
        target="Retail Price",
        rows=7956,
        types={
            "Date": DATETIME,
            "Customer Postcode": CATEGORY,
            "Retail Price": NUMBER,
            "RAM (GB)": NUMBER,
            "Integrated Wireless?": BOOLEAN,
            "Bundled Applications?": BOOLEAN,
        },
        missing={"OS X Store": 4},
    ),
    # spaces at the end of names; None is a word here
    Table(
        path="dmba/csvFiles/WestRoxbury.csv.gz",
        target="TOTAL VALUE",
        rows=5802,
        types={"TOTAL VALUE": NUMBER, "LOT SQFT": NUMBER, "FLOORS": NUMBER, "REMODEL": CATEGORY},
        missing={"REMODEL": 0},
    ),
    # names with #, %, $ and a quote; rows without a target
    Table(
        path="dmba/csvFiles/Universities.csv.gz",
        target="Graduation rate",
        rows=1302,
        types={"State": CATEGORY, "# appli. rec'd": NUMBER, "% fac. w/PHD": NUMBER, "Graduation rate": NUMBER},
        missing={"% fac. w/PHD": 32, "Graduation rate": 98},
    ),
    # a third of the rows without a target, columns that are nearly empty
    Table(
        path="dmba/csvFiles/NYPD_Motor_Vehicle_Collisions_1000.csv.gz",
        target="BOROUGH",
        rows=1000,
        types={"DATE": DATETIME, "BOROUGH": CATEGORY, "LATITUDE": NUMBER, "LOCATION": CATEGORY},
        task=Task.MULTICLASS,
        missing={"BOROUGH": 311, "LATITUDE": 119},
    ),
    # a column that counts the rows and has a name; " Male" beside "Female"
    Table(
        path="ISLP/data/Credit.csv",
        target="Balance",
        rows=400,
        types={"Income": NUMBER, "Gender": CATEGORY, "Student": BOOLEAN, "Married": BOOLEAN, "Balance": NUMBER},
        counters=("ID",),
    ),
    # "17-08-1984", the day first
    Table(
        path="lifelines/datasets/lymph_node.csv",
        target="survtime",
        rows=686,
        types={"diagdateb": DATETIME, "recdate": DATETIME, "deathdate": DATETIME, "age": NUMBER, "survtime": NUMBER},
        counters=("id",),
    ),
    # R's row names in quotes, NA in more than a third of the rows
    Table(
        path="lifelines/datasets/ACTG175.csv",
        target="cens",
        rows=2139,
        types={"age": NUMBER, "cd40": NUMBER, "cd496": NUMBER, "days": NUMBER, "cens": NUMBER},
        task=Task.BINARY,
        missing={"cd496": 797},
        counters=("column_1",),
    ),
    # NA in most columns, the target too
    Table(
        path="plotnine/data/txhousing.csv",
        target="median",
        rows=8602,
        types={"city": CATEGORY, "year": NUMBER, "sales": NUMBER, "median": NUMBER, "inventory": NUMBER},
        missing={"sales": 568, "median": 616, "inventory": 1467},
    ),
)
