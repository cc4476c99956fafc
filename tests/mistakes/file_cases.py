"""Mistakes about files (rows, recipe, model) and about the bytes in them."""

from tests.mistakes.cases import GOOD, RECIPE, Case, csv, data, planted, rows
from weitiao.data.reading import FORMATS

FILES = "files"
ENCODINGS = "encodings"
OTHER_MODEL = RECIPE.replace("./m", "./n")
JSONL = "".join(f'{{"text": "{text}", "label": "{label}"}}\n' for text, label in rows())
CHARACTERS = "很好看推荐给大家酒店房间太小服务态度也不会再来送餐快味道错就是有点贵质量差用两天坏买"
CHINESE = csv(
    [(f"评论{CHARACTERS[i % 41]}{CHARACTERS[i * 7 % 41] * 3}{i}", label) for i, (_text, label) in enumerate(rows())]
)

FILE_CASES = [
    Case(
        "absent",
        FILES,
        ["error reviews.csv: no such file; paths start at the folder {here}"],
        data("train: reviews.csv"),
    ),
    Case(
        "misspelt",
        FILES,
        ["error god.csv: no such file; did you mean 'good.csv'?; paths start at the folder {here}"],
        data("train: god.csv"),
    ),
    Case(
        "absent test",
        FILES,
        ["error test.csv: no such file; paths start at the folder {here}"],
        data("train: good.csv", "test: test.csv"),
    ),
    Case(
        "a folder", FILES, ["error m: is a folder; name its files with a pattern, such as m/*.json"], data("train: m")
    ),
    Case("empty", FILES, ["error good.csv: the file is empty; expected rows"], files={"good.csv": ""}),
    Case("no rows", FILES, ["error good.csv: the file has a header and no rows"], files={"good.csv": "text,label\n"}),
    Case(
        "empty pattern",
        FILES,
        ["error *.jsonl: no file matches the pattern; it was looked for in the folder {here}"],
        data('train: "*.jsonl"'),
    ),
    Case(
        "torn JSON",
        FILES,
        ["error a.json:1: not valid JSON at column 10 (Expecting value)"],
        data("train: a.json"),
        {"a.json": '{"text": '},
    ),
    Case(
        "torn JSON line",
        FILES,
        [
            "error a.jsonl:41: 1 of 41 rows cannot be used, more than data.max_dropped = 1.00% allows (line 41: not "
            "valid JSON (Expecting property name enclosed in double quotes)); repair them, "
            "or let them go with data.max_dropped=0.025"
        ],
        data("train: a.jsonl"),
        {"a.jsonl": JSONL + '{"text": "x", \n'},
    ),
    Case(
        "no workbook",
        FILES,
        ["error a.xlsx: begins as a zip or an xlsx file does, but ends too early; copy or download it again"],
        data("train: a.xlsx"),
        {"a.xlsx": b"PK\x03\x04 not really"},
    ),
    Case(
        "unknown format",
        FILES,
        [f"error good.csv: unknown format 'xml'; expected one of: {', '.join(FORMATS)}"],
        data("train: good.csv", "format: xml"),
    ),
    Case(
        "parallel files of different lengths",
        FILES,
        [
            "error atis/seq.out: has 1 lines, atis/seq.in has 2; each line must stand beside its sentence",
        ],
        data("train: atis"),
        {"atis/seq.in": "a b\nc\n", "atis/seq.out": "O O\n"},
    ),
    Case(
        "tasks that were all skipped",
        FILES,
        ["error tasks.json: no task has an annotation that was not skipped; predictions do not count"],
        data("train: tasks.json"),
        {"tasks.json": '[{"data": {"text": "a"}, "annotations": [{"was_cancelled": true, "result": []}]}]'},
    ),
    Case(
        "a folder of another layout",
        FILES,
        ["error atis: no .ann file in it"],
        data("train: atis", "format: brat"),
        {"atis/seq.in": "a b\n", "atis/seq.out": "O O\n"},
    ),
    Case(
        "all splits given as one",
        FILES,
        ["error all: holds several splits (dev, train); give it as `data.file`, not as `data.train`"],
        data("train: all"),
        {"all/train.csv": GOOD, "all/dev.csv": GOOD},
    ),
    Case(
        "no such model",
        FILES,
        [
            "error r.yaml:2: model './n': no such folder; expected ./folder, starter:NAME, hf:owner/name or "
            "ms:owner/name"
        ],
        OTHER_MODEL,
    ),
    Case(
        "a file for a model",
        FILES,
        ["error r.yaml:2: model './good.csv' is a file; expected the folder it is in"],
        RECIPE.replace("./m", "./good.csv"),
    ),
    Case(
        "no model",
        FILES,
        ["error r.yaml:2: n: not a model folder: no config.json in it"],
        OTHER_MODEL,
        {"n/notes.txt": "x"},
    ),
    Case(
        "torn weights",
        FILES,
        [
            "error r.yaml:2: n/model.safetensors: the weights are torn: 2 bytes, where the header asks for 24; "
            "copy or download it again"
        ],
        OTHER_MODEL,
        {"n/config.json": '{"model_type": "bert"}', "n/model.safetensors": b"\x10\x00"},
    ),
    Case(
        "weights that can carry code",
        FILES,
        [
            "error r.yaml:2: n: holds old weights only (pytorch_model.bin), which are not loaded because they "
            "can carry "
            "code; convert them with: weitiao models convert n n-safetensors"
        ],
        OTHER_MODEL,
        {"n/config.json": '{"model_type": "bert"}', "n/pytorch_model.bin": b"x"},
    ),
    Case(
        "unknown family",
        FILES,
        ["error r.yaml:2: n/config.json: transformers does not know the model family 'brt'; did you mean 'bert'?"],
        OTHER_MODEL,
        {"n/config.json": '{"model_type": "brt"}'},
    ),
    Case(
        "recipe and data and model at once",
        FILES,
        [
            "error r.yaml:5: unknown key 'sed'; did you mean 'seed'?",
            "error reviews.csv: no such file; paths start at the folder {here}",
            "error r.yaml:2: model './n': no such folder; expected ./folder, starter:NAME, hf:owner/name or "
            "ms:owner/name",
        ],
        data("train: reviews.csv").replace("./m", "./n") + "sed: 1\n",
    ),
    Case(
        "unknown encoding",
        ENCODINGS,
        [
            "error good.csv: unknown encoding 'utf8x'; did you mean 'utf8'?; expected a name such as utf-8, "
            "utf-16 or gb18030"
        ],
        data("train: good.csv", "encoding: utf8x"),
    ),
    Case(
        "GB18030 declared UTF-8",
        ENCODINGS,
        [
            "error good.csv:2: not valid utf-8: byte 0xc6 at offset 11 does not decode; the encoding "
            "named, utf-8, is wrong, the content looks like gb18030; remove it"
        ],
        data("train: good.csv", "encoding: utf-8"),
        {"good.csv": CHINESE.encode("gb18030")},
    ),
    Case(
        "UTF-16 declared UTF-8",
        ENCODINGS,
        [
            "error good.csv:1: not valid utf-8: byte 0xff at offset 0 does not decode; the encoding "
            "named, utf-8, is wrong, the content looks like utf-16; remove it"
        ],
        data("train: good.csv", "encoding: utf-8"),
        {"good.csv": b"\xff\xfe" + CHINESE.encode("utf-16-le")},
    ),
    Case(
        "Chinese declared ASCII",
        ENCODINGS,
        [
            "error good.csv:2: not valid ascii: byte 0xe8 at offset 11 does not decode; the encoding "
            "named, ascii, is wrong, the content looks like utf-8; remove it"
        ],
        data("train: good.csv", "encoding: ascii"),
        {"good.csv": CHINESE},
    ),
    Case(
        "damaged and declared",
        ENCODINGS,
        [
            f"error good.csv:42: not valid utf-8: byte 0xff at offset {len(CHINESE.encode())} does not decode; "
            "repair the file, or name another encoding than utf-8"
        ],
        data("train: good.csv", "encoding: utf-8"),
        {"good.csv": CHINESE.encode() + b"\xff\n"},
    ),
    Case(
        "NUL bytes",
        ENCODINGS,
        [
            "error good.csv:2: holds NUL bytes (the first at offset 12) and is not UTF-16; expected a text file, "
            "or set `format:`"
        ],
        files={"good.csv": GOOD.encode().replace(b"film", b"f\x00lm")},
    ),
    Case(
        "no text at all",
        ENCODINGS,
        [
            "error good.csv:1: holds NUL bytes (the first at offset 0) and is not UTF-16; expected a text file, "
            "or set `format:`"
        ],
        files={"good.csv": bytes(range(256)) * 40},
    ),
    Case(
        "odd number of bytes in UTF-16",
        ENCODINGS,
        [
            "error good.csv:41: not valid utf-16: byte 0x0a at offset {end} does not decode; repair the file "
            "or set `encoding:`"
        ],
        files={"good.csv": b"\xff\xfe" + CHINESE.encode("utf-16-le")[:-1]},
    ),
    Case(
        "encoding is a number",
        ENCODINGS,
        ["error r.yaml:5: `data.encoding`: got 5; expected text"],
        data("train: good.csv", "encoding: 5"),
    ),
    Case(
        "recipe not UTF-8",
        ENCODINGS,
        ["error r.yaml: the recipe is not UTF-8 (byte 59); save it as UTF-8"],
        files={"r.yaml": (RECIPE + "output: 中文\n").encode("gb18030")},
    ),
    Case(
        "ragged rows",
        FILES,
        [
            "error good.csv:7: 1 of 40 rows cannot be used, more than data.max_dropped = 1.00% allows (line 7: got 3 "
            "columns, expected 2); repair them, or let them go with data.max_dropped=0.025"
        ],
        files={"good.csv": planted(lambda table: table.__setitem__(5, ("a b c", "POS", "x")))},
    ),
]
