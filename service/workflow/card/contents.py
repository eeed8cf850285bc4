"""What a model card contains, in order."""

from service.workflow.card import columns, data, groups, importance, intervals, lineage, training, usage
from service.workflow.card.document import Block, Code, Document, Items, Notes, Paragraph, Picture, Section, Table, Text
from service.workflow.card.recorded import NOT_RECORDED, find, mapping, shown, text, values
from service.workflow.card.subject import Subject

PLOTS = {
    "data": "The target over the features",
    "predictions": "Predictions and truth",
    "residuals": "What the predictions miss",
    "learning_curve": "Learning curve",
    "importance": "How much worse the model is without each input",
    "parameters": "Values of the parameters",
    "filters": "Filters of the first convolution",
    "confusion": "Confusion matrix",
    "roc": "ROC: true and false positives at each threshold",
    "precision_recall": "Precision and recall at each threshold",
    "calibration": "How often it is right, over the probability it gives",
}
MOST_WARNINGS = 20


def document(subject: Subject) -> Document:
    """The card. What the manifest does not record is called so."""
    warnings = [each for each in values(subject.manifest, "warnings") if isinstance(each, str)]
    sections = [
        Section("What it is for", _notes(subject)),
        *([Section("Warnings", [Items(warnings[:MOST_WARNINGS])])] if warnings else []),
        Section("Data", data.blocks(subject.manifest)),
        Section("Inputs", columns.inputs(subject.manifest)),
        Section("Outputs", columns.outputs(subject.manifest)),
        Section("Model and training", training.blocks(subject.manifest)),
        Section("Metrics", training.metrics(subject.manifest)),
        *([Section("Intervals", intervals.blocks(subject.manifest))] if mapping(subject.manifest, "conformal") else []),
        Section("Metrics by group", groups.blocks(subject.manifest)),
        Section("Importance of the inputs", importance.blocks(subject.manifest)),
        Section("Plots", _plots(subject)),
        Section("How to use it", usage.blocks(subject)),
        Section("Environment", _environment(subject)),
        Section("Lineage", lineage.blocks(subject)),
        Section("Licence", [Paragraph(_license(subject))]),
    ]
    return Document(subject.title, _summary(subject), sections)


def _summary(subject: Subject) -> list[Block]:
    manifest = subject.manifest
    rows: list[tuple[str, Text]] = [("Task", columns.task(manifest))]
    if subject.created_at is not None:
        rows.append(("Published", subject.created_at))
    rows += [("Licence", _license(subject)), ("Digest (SHA-256 of the manifest)", Code(subject.digest))]
    return [Table(["Model", subject.name or "named where it is kept"], rows)]


def _notes(subject: Subject) -> list[Block]:
    notes = find(subject.manifest, "spec", "notes")
    if isinstance(notes, str) and notes.strip():
        return [Notes(notes)]
    return [Paragraph(f"{NOT_RECORDED.capitalize()}: the training's spec has no notes.")]


def _license(subject: Subject) -> str:
    return text(subject.manifest, "spec", "license")


def _plots(subject: Subject) -> list[Block]:
    if subject.plots:
        return [Picture(PLOTS.get(name, name), address) for name, address in subject.plots.items()]
    example, known = Code(f"GET {subject.path}/plots/data.png"), Code(", ".join(PLOTS))
    drawn = "They are not here, or not yet. A service that keeps this version draws them: "
    return [Paragraph([drawn, example, ". There are ", known, ", as far as they fit the model."])]


def _environment(subject: Subject) -> list[Block]:
    found = mapping(subject.manifest, "environment")
    if not found:
        return [Paragraph(NOT_RECORDED.capitalize() + ".")]
    return [
        Items([f"{shown(name)}: {NOT_RECORDED if value is None else shown(value)}" for name, value in found.items()])
    ]
