"""A run directory in which every field of text is markup, a script or a formula."""

import numpy as np
from small_cells import CELL, POPULATION

from simbias import experiments
from simbias.experiments import Ended, Replica
from simbias.results import Store
from simbias.results.schema import EVIDENCE_COLUMNS, VERDICTS_COLUMNS

HOSTILE = (
    "=1+FIELD</script></title><script>alert(1)</script><img src=x onerror=alert(2)>"
    "\"'><svg/onload=alert(3)> {{ 7*7 }} $\\frac{ &amp; javascript:alert(4)"
)


def hostile_run(directory):
    """Write the run, with a network that failed and a claim; returns the directory."""
    store = Store(directory, create=True)
    texts = {name: HOSTILE.replace("FIELD", name) for name in ("suite", "preset", "device")}
    config = texts | {"n_certify": 500, "cells": [POPULATION], "seeds": [0]}
    config |= {"versions": {texts["suite"]: texts["device"], "keys": "2"}}
    store.prepare(config | {"names": [{"cell": CELL.name, "published": {}}]})
    ended = Ended(Replica(CELL, 0), "error", HOSTILE.replace("FIELD", "reason"))
    row = experiments.row(texts["suite"], ended)
    store.write("networks", experiments.row_name(ended.replica), row, tensors={"w": np.ones(1)})
    numbers = {"VARCHAR": None, "DOUBLE": 0.5, "BIGINT": 2, "BOOLEAN": True}
    verdict = {
        column.name: HOSTILE.replace("FIELD", column.name)
        if column.type == "VARCHAR"
        else numbers[column.type]
        for column in VERDICTS_COLUMNS[:-1]
    }
    known = {"verdict": "refuted", "op": "<=", "quantifier": "probability", "test": "sign"}
    premises = {"premises": '["' + HOSTILE.replace("\\", "\\\\").replace('"', '\\"') + '"]'}
    write = store.write_rows
    write(directory / "verdicts" / "bad.parquet", VERDICTS_COLUMNS, [verdict | known | premises])
    unit = {
        column.name: HOSTILE if column.type == "VARCHAR" else numbers[column.type]
        for column in EVIDENCE_COLUMNS[:-1]
    }
    units = [unit | {"id": verdict["id"], "hash": verdict["hash"], "seeds": "0"}]
    write(directory / "evidence" / "bad.parquet", EVIDENCE_COLUMNS, units)
    return directory
