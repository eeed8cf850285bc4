// The same request in other languages. Names and values may be hostile: each is written as a literal of the language, and what
// cannot be seen (control and formatting characters, which may turn the order of the text around) as an escape.

const UNSEEN = /[\p{C}\p{Zl}\p{Zp}]/gu; // by code points
const NO_NAME = /[^A-Za-z0-9._~-]/;

/** Each writes a program from { root, name, version, instance, withKey, interval }. `root`: the service's address with a slash at its end;
 * `interval`: a level, or null. */
export const LANGUAGES = [
  { id: "curl", label: "curl", write: curl },
  { id: "client", label: "Python", write: pythonClient },
  { id: "httpx", label: "Python, httpx", write: pythonHttpx },
  { id: "javascript", label: "JavaScript", write: javaScript },
];

function curl(of) {
  const lines = [`curl ${shell(addressOf(of))}`];
  if (of.withKey) lines.push(`-H "Authorization: Bearer $MODELWRIGHT_API_KEY"`);
  const files = filesOf(of.instance);
  if (files.length === 0) lines.push(`-H 'Content-Type: application/json'`, `--data-raw ${shell(jsonText({ instances: [of.instance] }))}`);
  for (const [name, value] of files.length ? Object.entries(of.instance) : []) {
    const plain = value === null ? "" : typeof value === "object" ? jsonText(value) : String(value);
    lines.push(isFile(value) ? `-F ${shell(`${name}=@${value.file}`)}` : `--form-string ${shell(`${name}=${plain}`)}`);
  }
  return lines.join(" \\\n  ");
}

function pythonClient(of) {
  const withKey = of.withKey ? ', api_key=os.environ["MODELWRIGHT_API_KEY"]' : "";
  const files = filesOf(of.instance).length > 0;
  return `${of.withKey ? "import os\n" : ""}${files ? "from pathlib import Path\n" : ""}${of.withKey || files ? "\n" : ""}from modelwright import Client

rows = [${pythonValue(of.instance, "    ")}]
with Client(${pythonText(of.root)}${withKey}) as client:
    print(client.predict(${pythonText(of.name)}, rows, version=${of.version}${of.interval ? `, interval=${of.interval}` : ""})["predictions"])`;
}

function pythonHttpx(of) {
  const headers = of.withKey ? `\n    headers={"Authorization": f"Bearer {os.environ['MODELWRIGHT_API_KEY']}"},` : "";
  if (filesOf(of.instance).length > 0) return formByHttpx(of, withKey);
  return `${of.withKey ? "import os\n\n" : ""}import httpx

answer = httpx.post(
    ${pythonText(addressOf(of))},
    json={"instances": [${pythonValue(of.instance, "        ")}]},${headers}
)
answer.raise_for_status()
print(answer.json()["predictions"])`;
}

/** Files and other values as parts of a form: a part without the name of a file is (None, text). */
function formByHttpx(of, withKey) {
  const part = (name, value) => `${pythonText(name)}: ${isFile(value) ? `open(${pythonText(value.file)}, "rb")` : `(None, ${pythonText(value === null ? "" : typeof value === "object" ? JSON.stringify(value) : String(value))})`}`;
  return `${of.withKey ? "import os\n\n" : ""}import httpx

answer = httpx.post(
    ${pythonText(addressOf(of))},
    files=${object(of.instance, "        ", part)},${withKey}
)
answer.raise_for_status()
print(answer.json()["predictions"])`;
}

function javaScript(of) {
  if (filesOf(of.instance).length > 0) return formByJavaScript(of);
  const withKey = of.withKey ? "\n    Authorization: `Bearer ${process.env.MODELWRIGHT_API_KEY}`," : "";
  return `const response = await fetch(${quoted(addressOf(of))}, {
  method: "POST",
  headers: {
    "Content-Type": "application/json",${withKey}
  },
  body: JSON.stringify({ instances: [${javaScriptValue(of.instance)}] }),
});
if (!response.ok) throw new Error(await response.text());
console.log((await response.json()).predictions);`;
}

function formByJavaScript(of) {
  const part = ([name, value]) =>
    isFile(value)
      ? `form.append(${quoted(name)}, new Blob([await readFile(${quoted(value.file)})]), ${quoted(value.file)});`
      : `form.append(${quoted(name)}, ${quoted(value === null ? "" : typeof value === "object" ? JSON.stringify(value) : String(value))});`;
  const withKey = of.withKey ? "\n  headers: { Authorization: `Bearer ${process.env.MODELWRIGHT_API_KEY}` }," : "";
  return `import { readFile } from "node:fs/promises";

const form = new FormData();
${Object.entries(of.instance).map(part).join("\n")}
const response = await fetch(${quoted(addressOf(of))}, {
  method: "POST",${withKey}
  body: form,
});
if (!response.ok) throw new Error(await response.text());
console.log((await response.json()).predictions);`;
}

/** A value that is a file is { file: its name }. */
function isFile(value) {
  return value !== null && typeof value === "object" && typeof value.file === "string";
}

function filesOf(instance) {
  return Object.values(instance).filter(isFile);
}

function addressOf({ root, name, version, interval }) {
  const query = interval ? `?interval=${interval}` : "";
  return `${root}v1/models/${encodeURIComponent(name)}/versions/${version}/predictions${query}`;
}

/** One word of a POSIX shell. */
function shell(text) {
  return text && !NO_NAME.test(text.replaceAll("/", "").replaceAll(":", "")) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** JSON in which everything can be seen. */
function jsonText(value) {
  return JSON.stringify(value).replace(UNSEEN, units);
}

/** A text in double quotes, for JSON and JavaScript. */
function quoted(text) {
  return jsonText(text);
}

function pythonText(text) {
  return JSON.stringify(text).replace(UNSEEN, (found) => (found.length > 1 ? `\\U${hex(found.codePointAt(0), 8)}` : units(found)));
}

function pythonValue(instance, indent) {
  return object(instance, indent, (name, value) => `${pythonText(name)}: ${pythonScalar(value)}`);
}

function pythonScalar(value) {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (isFile(value)) return `Path(${pythonText(value.file)})`;
  if (Array.isArray(value)) return `[${value.map(pythonScalar).join(", ")}]`;
  return typeof value === "string" ? pythonText(value) : String(value);
}

function javaScriptValue(instance) {
  // In brackets "__proto__" is a name as any other.
  return object(instance, "    ", (name, value) => `${name === "__proto__" ? `["__proto__"]` : quoted(name)}: ${jsonText(value)}`);
}

/** An object on a line of its own for each entry, or on one line if it is short. */
function object(instance, indent, write) {
  const entries = Object.entries(instance).map(([name, value]) => write(name, value));
  const short = entries.join(", ");
  if (short.length < 70) return `{${short}}`;
  return `{\n${entries.map((each) => `${indent}${each},\n`).join("")}${indent.slice(4)}}`;
}

function units(found) {
  return Array.from({ length: found.length }, (_, at) => `\\u${hex(found.charCodeAt(at), 4)}`).join("");
}

function hex(code, digits) {
  return code.toString(16).padStart(digits, "0");
}
