// The JSON Schema of a spec, from the service's own description of its API.
import { call } from "./api.js";

let known = null;

/** { schema, root, example }: of a spec, its parts by name, the tutorial's line. Throws as `call` does. */
export function specSchema() {
  known ??= call("openapi.json").then(
    (api) => {
      const root = api.components.schemas;
      const schema = root.TrainingSpec;
      const body = api.paths["/v1/training-jobs"].post.requestBody.content["application/json"];
      return { schema, root, example: body.example };
    },
    (error) => {
      known = null; // asked for again
      throw error;
    },
  );
  return known;
}
