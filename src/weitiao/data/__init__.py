"""Files in, Records out, every row in the ledger.

`load_data` is the room's front door; `audit` looks at what it loaded; `read_rows` reads one source as bare rows;
`map_columns` gives their columns a meaning. Tasks are handed in as callables and never imported.
"""

from weitiao.data.audit import audit
from weitiao.data.fields import FieldMap, map_columns
from weitiao.data.items import Item, fingerprint
from weitiao.data.ledger import Drop, Ledger
from weitiao.data.loading import Dataset, load_data
from weitiao.data.reading import FORMATS, FileReading, Reading, read_rows

__all__ = [
    "FORMATS",
    "Dataset",
    "Drop",
    "FieldMap",
    "FileReading",
    "Item",
    "Ledger",
    "Reading",
    "audit",
    "fingerprint",
    "load_data",
    "map_columns",
    "read_rows",
]
