// Which plots a version has: as its manifest says, or, before that was recorded, as what it contains says.

export const TITLES = {
  predictions: "Predictions and truth",
  learning_curve: "Learning curve",
  residuals: "Residuals",
  confusion: "Confusion matrix",
  roc: "ROC curve",
  precision_recall: "Precision and recall",
  calibration: "Calibration",
  importance: "Importance of the inputs",
  partial_dependence: "Partial dependence",
  data: "Data",
  filters: "Filters",
  parameters: "Parameters",
};

const MEANINGS = {
  data: "the target over each feature, coloured by part; of images and texts examples",
  predictions: "what the model predicts beside what is true; of images and texts the worst answers first",
  filters: "what the first convolution looks for: mid-grey is 0",
  residuals: "by how much the predictions are off",
  learning_curve: "the loss after each epoch of the training, on the training and the validation part",
  parameters: "how the values of each parameter are spread",
  confusion: "how often each true class was predicted as which",
  roc: "true positives over false positives at every threshold",
  precision_recall: "precision over recall at every threshold",
  calibration: "how often predictions of a probability come true",
  partial_dependence: "how the mean answer changes with one input, the others staying as they are",
  importance: "how much worse the model is without each input",
};

/** The names of the plots of a version, those first that say most. */
export function plotsOf(manifest) {
  const has = manifest.plots ? new Set(manifest.plots) : inferred(manifest);
  const known = Object.keys(TITLES).filter((each) => has.has(each));
  return [...known, ...[...has].filter((each) => !Object.hasOwn(TITLES, each))];
}

export function titleOf(plot) {
  return Object.hasOwn(TITLES, plot) ? TITLES[plot] : plot.replaceAll("_", " ");
}

/** What a plot shows, in words. */
export function meaningOf(plot) {
  return Object.hasOwn(MEANINGS, plot) ? MEANINGS[plot] : titleOf(plot);
}

function inferred(manifest) {
  const has = new Set(["data", "predictions", "learning_curve"]);
  if (manifest.signature.task === "regression") has.add("residuals");
  if (manifest.parameters !== 0) has.add("parameters");
  if (Object.keys(manifest.confusion ?? {}).length > 0) has.add("confusion");
  return has;
}
