// The inputs of a model: what a form shows of them, what was typed, and the instance that the service is asked about.

const SHAPED = ["image", "video", "text", "tensor"];
const MOST_NUMBERS = 64; // of an array that is written out

/** [least, largest] of a column in the training part, or null. */
export function rangeOf(ranges, name) {
  return ranges && Object.hasOwn(ranges, name) ? ranges[name] : null; // a column may be called "constructor"
}

/** A number of a column as it is shown: a time, in seconds since 1970, as a date. */
export function written(column, value) {
  if (column.type === "datetime") return dateOf(value);
  return String(Number(value.toPrecision(6)));
}

/** A value of each input to begin with: the middle of its range, the first of its categories. */
export function firstValues(inputs, ranges) {
  return new Map(inputs.map((input) => [input.name, firstValue(input, rangeOf(ranges, input.name))]));
}

/** Whether values of this input have a shape: an image, a video, a text to be read or an array. */
export function isShaped(input) {
  return SHAPED.includes(input.type);
}

/** Whether a value of this input is a file. */
export function takesFile(input) {
  return input.type === "image" || input.type === "video";
}

/** Whether a form still lacks what cannot be guessed: a file, a text or an array. */
export function isWaiting(inputs, values) {
  return inputs.some((input) => isShaped(input) && !values.get(input.name));
}

function firstValue(input, range) {
  if (input.type === "tensor") return zeros(input.shape ?? []);
  if (input.type === "boolean") return "true";
  if (input.type === "category") return input.categories?.[0] ?? "";
  if (range === null) return "";
  const middle = (range[0] + range[1]) / 2;
  return input.type === "datetime" ? dateOf(middle) : String(Number(middle.toPrecision(3)));
}

/** { instance, errors }: the values of a form as the API takes them; `errors` says what is wrong with which input. */
export function instanceOf(inputs, values) {
  const entries = [];
  const errors = new Map();
  for (const input of inputs) {
    const text = values.get(input.name) ?? "";
    const value = text === "" ? null : valueOf(input, text);
    if (value === undefined) errors.set(input.name, input.type === "tensor" ? "Type an array as JSON, such as [[0, 1], [2, 3]]." : "Type a number, such as 3.5, or leave it empty if it is missing.");
    entries.push([input.name, value]);
  }
  return { instance: Object.fromEntries(entries), errors };
}

function valueOf(input, text) {
  if (input.type === "number") {
    const value = Number(text.trim());
    return text.trim() === "" || !Number.isFinite(value) ? undefined : value;
  }
  if (input.type === "boolean") return text === "true";
  if (input.type === "tensor") return parsed(text);
  return text; // a category, a date, or what another type of column takes
}

/** The body of a request with this instance: a form if a value is a file, else JSON. */
export function bodyOf(instance) {
  if (!Object.values(instance).some((each) => each instanceof File)) return { instances: [instance] };
  const form = new FormData();
  for (const [name, value] of Object.entries(instance)) {
    if (value instanceof File) form.append(name, value);
    else form.append(name, value === null ? "" : typeof value === "object" ? JSON.stringify(value) : String(value));
  }
  return form;
}

/** What the service says about single inputs, from pointers such as "/instances/0/rooms", or "/rooms" of a form. */
export function errorsOf(problem) {
  const found = new Map();
  for (const { pointer, message } of problem?.errors ?? []) {
    const [, first, , third] = pointer.split("/");
    const name = first === "instances" ? third : first;
    if (name !== undefined) found.set(name.replaceAll("~1", "/").replaceAll("~0", "~"), message);
  }
  return found;
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** An array of zeros of this shape as JSON; empty if it would be long. */
function zeros(shape) {
  if (shape.reduce((product, each) => product * each, 1) > MOST_NUMBERS) return "";
  return JSON.stringify(shape.reduceRight((inner, size) => Array(size).fill(inner), 0));
}

function dateOf(seconds) {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? "" : date.toISOString().slice(0, 10);
}
