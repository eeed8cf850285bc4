// The same request in other languages. Names and values may be hostile: each is written as a literal of the language, and what
// cannot be seen (control and formatting characters, which may turn the order of the text around) as an escape.

const UNSEEN = /[\p{C}\p{Zl}\p{Zp}]/gu; // by code points
const NO_NAME = /[^A-Za-z0-9._~-]/;

/** Each writes a program from { root, name, version, instance, withKey }. `root`: the service's address with a slash at its end. */
export const LANGUAGES = [
  { id: "curl", label: "curl", write: curl },
  { id: "client", label: "Python", write: pythonClient },
  { id: "httpx", label: "Python, httpx", write: pythonHttpx },
  { id: "javascript", label: "JavaScript", write: javaScript },
];

function curl(of) {
  const lines = [`curl ${shell(addressOf(of))}`];
  if (of.withKey) lines.push(`-H "Authorization: Bearer $MODELWRIGHT_API_KEY"`);
  lines.push(`-H 'Content-Type: application/json'`, `--data-raw ${shell(jsonText({ instances: [of.instance] }))}`);
  return lines.join(" \\\n  ");
}

function pythonClient(of) {
  const withKey = of.withKey ? ', api_key=os.environ["MODELWRIGHT_API_KEY"]' : "";
  return `${of.withKey ? "import os\n\n" : ""}from modelwright import Client

rows = [${pythonValue(of.instance, "    ")}]
with Client(${pythonText(of.root)}${withKey}) as client:
    print(client.predict(${pythonText(of.name)}, rows, version=${of.version})["predictions"])`;
}

function pythonHttpx(of) {
  const headers = of.withKey ? `\n    headers={"Authorization": f"Bearer {os.environ['MODELWRIGHT_API_KEY']}"},` : "";
  return `${of.withKey ? "import os\n\n" : ""}import httpx

answer = httpx.post(
    ${pythonText(addressOf(of))},
    json={"instances": [${pythonValue(of.instance, "        ")}]},${headers}
)
answer.raise_for_status()
print(answer.json()["predictions"])`;
}

function javaScript(of) {
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

function addressOf({ root, name, version }) {
  return `${root}v1/models/${encodeURIComponent(name)}/versions/${version}/predictions`;
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
