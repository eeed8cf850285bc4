// Downloads. A browser sends no key with a plain link, so with a key the file is fetched first.
import { Problem, key, request, url } from "./api.js";

/** Saves what `GET path` answers as a file of that name. Throws as `request` does. */
export async function download(path, name, { query, headers } = {}) {
  if (!key.value && !headers) {
    await check(path, query); // an error is shown here, not saved as a file
    save(url(path, query).href, name);
    return;
  }
  const file = await (await request(path, { query, headers })).blob();
  const address = URL.createObjectURL(file);
  save(address, name);
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

/** Throws what the service says against the file: the answer to HEAD has no body, so in that case it is asked again by GET. */
async function check(path, query) {
  try {
    await request(path, { method: "HEAD", query });
  } catch (error) {
    if (error instanceof Problem && error.code === null) await request(path, { query });
    throw error;
  }
}

function save(address, name) {
  const anchor = document.createElement("a");
  anchor.href = address;
  anchor.download = name;
  anchor.click();
}
