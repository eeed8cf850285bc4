// Predicts with Node 18 or later and nothing else:
//   node examples/node/predict.mjs line '[{"x": 0.5}, {"x": 0.9}]'
// MODELWRIGHT_URL and MODELWRIGHT_API_KEY are those of the command line.

const [model, instances] = process.argv.slice(2);
const { MODELWRIGHT_URL = "http://127.0.0.1:8000", MODELWRIGHT_API_KEY } = process.env;

const headers = { "Content-Type": "application/json" };
if (MODELWRIGHT_API_KEY) headers.Authorization = `Bearer ${MODELWRIGHT_API_KEY}`;
const response = await fetch(`${MODELWRIGHT_URL}/v1/models/${encodeURIComponent(model)}/predictions`, {
  method: "POST",
  headers,
  body: JSON.stringify({ instances: JSON.parse(instances) }),
});
const answer = await response.json();
if (!response.ok) {
  console.error(`${answer.code}: ${answer.detail}`);
  process.exit(1);
}
for (const prediction of answer.predictions) console.log(JSON.stringify(prediction));
