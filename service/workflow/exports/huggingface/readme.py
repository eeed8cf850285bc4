"""`README.md`: the model card, with the metadata that the Hugging Face Hub reads
(https://github.com/huggingface/hub-docs/blob/main/modelcard.md) and how to use the folder."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from service.workflow.card import Subject, front_matter
from service.workflow.card.columns import example
from service.workflow.card.contents import document
from service.workflow.card.document import Block, Code, CodeBlock, Paragraph, Section
from service.workflow.card.recorded import find, mapping
from service.workflow.card.shaped import shaped
from service.workflow.card.to_markdown import to_markdown
from service.workflow.card.usage import MOST_INPUTS
from service.workflow.data.types.registry import COLUMN_TYPES
from service.workflow.data.types.shaped_type import ShapedType
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
    metrics = dict.fromkeys(name for part in PARTS for name in mapping(source.manifest, "metrics", part))
    return {
        **_license(find(source.manifest, "spec", "license")),
        "library_name": "pytorch",
        **_pipeline(source),
        "tags": ["modelwright", *_kinds_of_data(source), str(source.signature.task), source.spec.model.kind],
        "metrics": [METRICS.get(name, name) for name in metrics],
    }


def _kinds_of_data(source: Source) -> list[str]:
    """What the inputs are, in the Hub's words."""
    inputs = source.signature.inputs
    return list(dict.fromkeys(each.type if COLUMN_TYPES[each.type].shaped else "tabular" for each in inputs))


def _pipeline(source: Source) -> dict[str, str]:
    """The Hub's name of the task, if it has one for these inputs (https://huggingface.co/tasks)."""
    kinds, regression = _kinds_of_data(source), source.signature.task is Task.REGRESSION
    if len(kinds) > 1 or kinds == ["tensor"] or (regression and kinds != ["tabular"]):
        return {}
    return {"pipeline_tag": f"{kinds[0]}-{'regression' if regression else 'classification'}"}


def _license(name: object) -> dict[str, str | list[str]]:
    """The Hub's identifier of a licence, which is that of SPDX in lower case; for another one `other` with a name."""
    if not isinstance(name, str):
        return {"license": "unknown"}
    known = VARIANT.sub("", name.strip().lower())
    if known in LICENSES.split():
        return {"license": known}
    return {"license": "other", "license_name": re.sub(r"[^a-z0-9.]+", "-", known)[:100].strip("-.") or "other"}


def _usage(source: Source) -> list[Block]:
    inputs = [each.model_dump(mode="json") for each in source.signature.inputs]
    return [
        Paragraph(
            [
                f"It needs {_requirements(source)}, and nothing of Modelwright. The files ",
                Code("modeling*.py"),
                " are the same for every model; they build the network that ",
                Code("config.json"),
                " describes, and say which values they read.",
            ]
        ),
        CodeBlock("python", _python(source, inputs[:MOST_INPUTS], wide=len(inputs) > MOST_INPUTS)),
        Paragraph(["Or, for the rows of a CSV file, one prediction a line as JSON:"]),
        CodeBlock("sh", "python modeling.py rows.csv"),
    ]


def _requirements(source: Source) -> str:
    inputs = source.signature.inputs
    packages = ["Python 3.11", "torch", "safetensors"]
    files = any(
        isinstance(kind, ShapedType) and kind.file_example for kind in (COLUMN_TYPES[each.type] for each in inputs)
    )
    packages += ["Pillow"] if files else []
    packages += ["tokenizers"] if any(each.text and each.text.encoding == "bpe" for each in inputs) else []
    return f"{', '.join(packages[:-1])} and {packages[-1]}"


def _python(source: Source, inputs: Sequence[Mapping[str, Any]], *, wide: bool) -> str:
    values = [_value(source, each) for each in inputs]
    lines = ["import torch"] if any(each["type"] == "tensor" for each in inputs) else []
    lines += ["from modeling import load", "", "model = load()", "row = {"]
    lines += [f"    {each['name']!a}: {value}," for each, value in zip(inputs, values, strict=True)]
    if wide:
        lines.append('    # … and so on for each of `model.config["inputs"]`')
    return "\n".join([*lines, "}", "print(model.predict([row]))"])


def _value(source: Source, each: Mapping[str, Any]) -> str:
    """A value in Python: the path of a file, an array of zeros, or a plain value."""
    found = shaped(each)
    if found is not None and found.file is not None:
        return '"clip.gif"' if each["type"] == "video" else f'"{found.file[0]}"'  # which is read without FFmpeg
    if found is not None and each["type"] == "tensor":
        return f"torch.zeros({list(found.shape)})"
    return f"{example(source.manifest, each)!a}"
