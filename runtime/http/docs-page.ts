import { createHash } from "node:crypto";

const STYLE = `
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 44rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
  h1 { font-size: 1.5rem; margin-bottom: 0; }
  label { display: grid; grid-template-columns: 14rem 1fr; gap: 1rem; margin: .5rem 0; align-items: center; }
  input, select { font: inherit; padding: .3rem .5rem; border: 1px solid #999; border-radius: 4px; }
  button { font: inherit; padding: .4rem 1.5rem; margin: .5rem 0; cursor: pointer; }
  pre { background: #f4f4f4; padding: 1rem; overflow: auto; border-radius: 4px; white-space: pre-wrap; }
  pre.refused { background: #fdecea; }
  small { color: #666; }
`;

/** Runs in the browser: builds the form out of /openapi.json. Texts are set as text, never as HTML. */
const SCRIPT = `
  const element = (name, properties = {}, ...children) => {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  };
  const api = await (await fetch("openapi.json")).json();
  document.title = api.info.title + " " + api.info.version;
  document.querySelector("h1").textContent = document.title;
  document.querySelector("#about").textContent = api.info.description;
  const operation = api.paths["/predict"]?.post;
  const main = document.querySelector("main");
  if (operation === undefined) {
    main.append(element("p", { textContent: "This model takes tensors: see the paths in openapi.json." }));
  } else {
    const body = operation.requestBody.content["application/json"];
    const row = body.schema.anyOf[0];
    const form = element("form");
    for (const [name, schema] of Object.entries(row.properties)) {
      const types = [schema.type].flat();
      const value = body.example?.[name] ?? "";
      let field;
      if (types.includes("boolean")) {
        field = element("select", { name }, ...["true", "false"].map((text) => element("option", { textContent: text })));
        field.value = String(value);
      } else {
        const isNumber = types.includes("number") || types.includes("integer");
        field = element("input", {
          name, type: isNumber ? "number" : "text", step: types.includes("integer") ? "1" : "any",
          required: isNumber && !types.includes("null"), value,
        });
      }
      field.dataset.type = types[0];
      field.dataset.nullable = types.includes("null");
      form.append(element("label", {}, element("span", {}, name + " ", element("small", { textContent: types.join(" or ") })), field));
    }
    const command = element("pre", { id: "request" });
    const result = element("pre", { id: "answer" });
    form.append(element("button", { textContent: "Predict" }));
    const read = () => Object.fromEntries([...form.elements].filter(({ name }) => name).map(({ name, value, dataset }) => {
      if (value === "" && dataset.nullable === "true") return [name, null];
      if (dataset.type === "boolean") return [name, value === "true"];
      return [name, dataset.type === "string" ? value : Number(value)];
    }));
    const show = () => {
      const quoted = JSON.stringify(read()).replaceAll("'", "'\\\\''");
      command.textContent = "curl " + new URL("predict", location.href) + " -H 'content-type: application/json' -d '" + quoted + "'";
    };
    form.addEventListener("input", show);
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      try {
        const headers = { "content-type": "application/json" };
        const response = await fetch("predict", { method: "POST", headers, body: JSON.stringify(read()) });
        result.className = response.ok ? "" : "refused";
        result.textContent = JSON.stringify(await response.json(), null, 2);
      } catch (error) {
        result.className = "refused";
        result.textContent = String(error);
      }
    });
    show();
    main.append(form, command, result);
  }
`;

/** A page that needs nothing but this server: the model's fields to fill in, the request, and the answer. */
export const DOCS_PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Model</title>
<link rel="icon" href="data:,">
<style>${STYLE}</style>
<h1>Model</h1>
<p id="about"></p>
<main></main>
<p><a href="openapi.json">openapi.json</a> · <a href="model/info">model/info</a> · <a href="metrics">metrics</a></p>
<script type="module">${SCRIPT}</script>
</html>
`;

const hash = (text: string): string => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;

/** Nothing from elsewhere is loaded, and nothing that a model's names might smuggle in is run. */
export const DOCS_POLICY = `default-src 'none'; connect-src 'self'; img-src data:; style-src ${hash(STYLE)}; script-src ${hash(SCRIPT)}; base-uri 'none'; form-action 'none'`;
