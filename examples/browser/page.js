// Asks a Modelwright of another origin, which must name this page's origin in MODELWRIGHT_ALLOWED_ORIGINS:
//   MODELWRIGHT_ALLOWED_ORIGINS=http://localhost:3000 modelwright serve
//   python3 -m http.server 3000 --bind localhost --directory examples/browser

const form = document.querySelector("form");
const output = document.querySelector("output");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    output.textContent = await predict(Object.fromEntries(new FormData(form)));
  } catch (error) {
    output.textContent = error.message;
  }
});

async function predict({ service, key, model, row }) {
  const headers = { "Content-Type": "application/json" };
  if (key) headers.Authorization = `Bearer ${key}`; // kept in the form only
  const address = `${service.replace(/\/$/, "")}/v1/models/${encodeURIComponent(model)}/predictions`;
  let response;
  try {
    response = await fetch(address, { method: "POST", headers, body: JSON.stringify({ instances: [JSON.parse(row)] }) });
  } catch (error) {
    if (error instanceof SyntaxError) throw new Error(`The row is not JSON: ${error.message}`);
    // A browser does not tell a page more than this.
    throw new Error(`The service cannot be reached, or does not name ${location.origin} in MODELWRIGHT_ALLOWED_ORIGINS.`);
  }
  const answer = await response.json();
  if (!response.ok) throw new Error(`${answer.code}: ${answer.detail}`);
  return `${JSON.stringify(answer.predictions[0])} (version ${response.headers.get("Model-Version")})`;
}
