"""`README.md`: the model card, with the metadata that the Hugging Face Hub reads
(https://github.com/huggingface/hub-docs/blob/main/modelcard.md) and how to use the folder."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from service.workflow.card import Subject, front_matter
from service.workflow.card.columns import example
from service.workflow.card.contents import document
from service.workflow.card.document import Block, Code, CodeBlock, Paragraph, Section
from service.workflow.card.recorded import find, mapping
from service.workflow.card.to_markdown import to_markdown
from service.workflow.card.usage import MOST_INPUTS
from service.workflow.exports.export import Source
from service.workflow.parts import PARTS
from service.workflow.tasks import Task

# The identifiers of https://huggingface.co/docs/hub/repositories-licenses that are names of licences.
LICENSES = """
afl-3.0 agpl-3.0 apache-2.0 artistic-2.0 bigcode-openrail-m bigscience-bloom-rail-1.0 bigscience-openrail-m bsd
bsd-2-clause bsd-3-clause bsd-3-clause-clear bsl-1.0 c-uda cc cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0 cc-by-nc-2.0
cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cc-by-nd-4.0
cc-by-sa-3.0 cc-by-sa-4.0 cc0-1.0 cdla-permissive-1.0 cdla-permissive-2.0 cdla-sharing-1.0 creativeml-openrail-m
deepfloyd-if-license ecl-2.0 epl-1.0 epl-2.0 etalab-2.0 eupl-1.1 eupl-1.2 gemma gfdl gpl gpl-2.0 gpl-3.0 isc lgpl
lgpl-2.1 lgpl-3.0 lgpl-lr llama2 lppl-1.3c mit mpl-2.0 ms-pl ncsa odbl odc-by ofl-1.1 openrail openrail++ osl-3.0 pddl
postgresql unlicense wtfpl zlib
"""
VARIANT = re.compile(r"-(?:only|or-later)$")  # of SPDX identifiers, which the Hub's do not have
METRICS = {"auroc": "roc_auc", "r2": "r_squared"}  # where the Hub has another name


def readme(source: Source) -> str:
    """The whole file."""
    subject = Subject(source.manifest, source.digest)
    card = document(subject)
    first = Section("How to use this folder", _usage(source))
    return front_matter(metadata(source)) + "\n" + to_markdown(replace(card, sections=[first, *card.sections]))


def metadata(source: Source) -> dict[str, str | list[str]]:
    """The fields of the metadata."""
    regression = source.signature.task is Task.REGRESSION
    metrics = dict.fromkeys(name for part in PARTS for name in mapping(source.manifest, "metrics", part))
    return {
        **_license(find(source.manifest, "spec", "license")),
        "library_name": "pytorch",
        "pipeline_tag": "tabular-regression" if regression else "tabular-classification",
        "tags": ["modelwright", "tabular", str(source.signature.task), source.spec.model.kind],
        "metrics": [METRICS.get(name, name) for name in metrics],
    }


def _license(name: object) -> dict[str, str | list[str]]:
    """The Hub's identifier of a licence, which is that of SPDX in lower case; for another one `other` with a name."""
    if not isinstance(name, str):
        return {"license": "unknown"}
    known = VARIANT.sub("", name.strip().lower())
    if known in LICENSES.split():
        return {"license": known}
    return {"license": "other", "license_name": re.sub(r"[^a-z0-9.]+", "-", known)[:100].strip("-.") or "other"}


def _usage(source: Source) -> list[Block]:
    inputs = source.signature.inputs
    row = {each.name: example(source.manifest, each.model_dump()) for each in inputs[:MOST_INPUTS]}
    return [
        Paragraph(
            [
                "It needs Python 3.11, torch and safetensors, and nothing of Modelwright. ",
                Code("modeling.py"),
                " is the same file for every model; it builds the network that ",
                Code("config.json"),
                " describes, and says which values it reads.",
            ]
        ),
        CodeBlock("python", _python(row, wide=len(inputs) > MOST_INPUTS)),
        Paragraph(["Or, for the rows of a CSV file, one prediction a line as JSON:"]),
        CodeBlock("sh", "python modeling.py rows.csv"),
    ]


def _python(row: Mapping[str, Any], *, wide: bool) -> str:
    lines = ["from modeling import load", "", "model = load()", "row = {"]
    lines += [f"    {name!a}: {value!a}," for name, value in row.items()]
    if wide:
        lines.append('    # … and so on for each of `model.config["inputs"]`')
    return "\n".join([*lines, "}", "print(model.predict([row]))"])
