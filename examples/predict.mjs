// Asks a model from Node 20 or newer, without a package: node examples/predict.mjs MODEL name=value …
const service = process.env.MODELWRIGHT_URL ?? "http://127.0.0.1:8000";
const [model, ...pairs] = process.argv.slice(2);
if (!model || pairs.length === 0 || pairs.some((pair) => !pair.includes("="))) {
  console.error("usage: node predict.mjs MODEL name=value …");
  process.exit(2);
}
const row = Object.fromEntries(
  pairs.map((pair) => {
    const at = pair.indexOf("=");
    const text = pair.slice(at + 1);
    const number = Number(text);
    return [pair.slice(0, at), text === "" ? null : Number.isNaN(number) ? text : number];
  }),
);

const headers = { "Content-Type": "application/json" };
if (process.env.MODELWRIGHT_API_KEY) headers.Authorization = `Bearer ${process.env.MODELWRIGHT_API_KEY}`;
const response = await fetch(`${service}/v1/models/${encodeURIComponent(model)}/predictions`, {
  method: "POST",
  headers,
  body: JSON.stringify({ instances: [row] }),
});
const answer = await response.json();
if (!response.ok) {
  console.error(answer.detail, ...(answer.errors ?? []).map((each) => `\n  ${each.pointer}: ${each.message}`));
  process.exit(1);
}
console.log(JSON.stringify(answer.predictions[0]));
