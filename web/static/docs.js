// The page at /docs: reads /openapi.json, shows each call, and tries it out.

const $ = (id) => document.getElementById(id);
const MULTIPART = "multipart/form-data";
const JSON_TYPE = "application/json";
let spec;

/** Return a new element. `on...` are listeners, other properties are set, children appended. */
function el(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (key in made) made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}

/** Follow a reference within the document; anything else is returned as it is. */
function resolve(part) {
  if (!part?.$ref) return part ?? {};
  return part.$ref.slice(2).split("/").reduce((at, name) => at[name], spec);
}

/** Return a sentence with what stands between backquotes as code. */
const prose = (text) => text.split("`").map((part, n) => (n % 2 ? el("code", {}, part) : part));

const nameOf = (schema) => schema.$ref?.split("/").pop();

// ---- what a schema says, in words

/** Say the type of a schema in a few words. */
function typeOf(schema) {
  if (schema === false || schema === undefined) return "nothing";
  if (schema === true) return "anything";
  if (schema.$ref) return nameOf(schema);
  if (schema.enum) return schema.enum.map((one) => JSON.stringify(one)).join(" | ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.anyOf) return schema.anyOf.map(typeOf).join(" | ");
  if (schema.type === "array") return schema.prefixItems
    ? `[${schema.prefixItems.map(typeOf).join(", ")}]` : `list of ${typeOf(schema.items)}`;
  if (schema.format === "binary") return "file";
  return schema.type ?? "anything";
}

/** Say the bounds and the default of a schema. */
function boundsOf(schema) {
  const at = schema.anyOf?.find((one) => one.type !== "null") ?? schema;
  const said = [];
  if (at.minimum !== undefined) said.push(`≥ ${at.minimum}`);
  if (at.maximum !== undefined) said.push(`≤ ${at.maximum}`);
  if (at.exclusiveMaximum !== undefined) said.push(`< ${at.exclusiveMaximum}`);
  if (at.maxLength !== undefined) said.push(`at most ${at.maxLength} characters`);
  if (at.pattern) said.push(at.pattern);
  if (schema.default !== undefined && schema.default !== null) {
    said.push(`default ${JSON.stringify(schema.default)}`);
  }
  return said.join(", ");
}

/** Return a table of fields: name, type, what it means. */
function fields(caption, rows) {
  if (!rows.length) return null;
  return el("div", {}, el("h3", {}, caption), el("table", {}, el("tbody", {}, rows.map((row) =>
    el("tr", {},
      el("th", { scope: "row" }, el("code", {}, row.name), row.required ? " *" : ""),
      el("td", {}, typeOf(row.schema), el("div", { className: "muted" }, boundsOf(row.schema))),
      el("td", {}, prose(row.description ?? "")))))));
}

/** Return the rows of an object's fields. */
function rowsOf(schema) {
  const at = resolve(schema);
  return Object.entries(at.properties ?? {}).map(([name, field]) => ({
    name, schema: field, description: field.description ?? "", required: at.required?.includes(name),
  }));
}

/** Return the shape of a schema as an example value; models within models to a depth. */
function shape(schema, depth = 0) {
  if (typeof schema !== "object") return null;
  const at = resolve(schema);
  if (at.default !== undefined) return at.default;
  if (at.enum) return at.enum[0];
  if (at.anyOf) return shape(at.anyOf[0], depth);
  if (at.prefixItems) return at.prefixItems.map((one) => shape(one, depth));
  if (at.type === "array") return depth > 5 ? [] : [shape(at.items ?? {}, depth + 1)];
  if (at.properties && depth < 6) {
    return Object.fromEntries(Object.entries(at.properties)
      .map(([name, field]) => [name, shape(field, depth + 1)]));
  }
  return { string: "…", integer: 0, number: 0, boolean: false, object: {} }[at.type] ?? null;
}

// ---- examples

const SAMPLES = {
  "POST /api/v1/images": { files: "shelf.jpg" },
  "POST /api/v1/search": { file: "small.jpg", limit: "5" },
  "POST /api/v1/collections": { name: "shelves" },
};

/** Return a call as a command for the shell, as Python and as JavaScript. */
function examples(call) {
  const { method, path, body, query } = call;
  const shown = SAMPLES[`${method} ${path}`] ?? {};
  const required = query.filter((p) => p.required).map((p) => `${p.name}=${p.name === "box" ? "0,0,90,90" : "…"}`);
  const url = location.origin + path + (required.length ? `?${required.join("&")}` : "");
  const verb = method === "GET" ? "" : ` -X ${method}`;
  const file = (name) => name === "file" || name === "files";
  if (body?.[MULTIPART]) {
    const pairs = Object.entries(shown);
    return {
      curl: `curl ${pairs.map(([k, v]) => `-F ${k}=${file(k) ? "@" : ""}${v}`).join(" ")} '${url}'`,
      Python: `import httpx\n\nfiles = {${pairs.filter(([k]) => file(k)).map(([k, v]) => `"${k}": open("${v}", "rb")`)}}\n`
        + `answer = httpx.post("${url}", files=files, data={${pairs.filter(([k]) => !file(k)).map(([k, v]) => `"${k}": "${v}"`)}})\n`
        + "answer.raise_for_status()\nprint(answer.json())",
      JavaScript: `const form = new FormData();\n${pairs.map(([k, v]) => `form.append("${k}", ${file(k) ? "input.files[0]" : `"${v}"`});`).join("\n")}\n`
        + `const answer = await fetch("${url}", { method: "POST", body: form });\nconsole.log(await answer.json());`,
    };
  }
  const sent = body ? JSON.stringify(shown) : null;
  const options = [method === "GET" ? "" : `method: "${method}"`,
    sent ? `headers: { "Content-Type": "${JSON_TYPE}" }, body: JSON.stringify(${sent})` : ""].filter(Boolean);
  const read = call.binary ? "content" : "json()";
  return {
    curl: `curl${verb}${sent ? ` -H 'Content-Type: ${JSON_TYPE}' -d '${sent}'` : ""} '${url}'${call.binary ? " > answer" : ""}`,
    Python: `import httpx\n\nanswer = httpx.${method.toLowerCase()}("${url}"${sent ? `, json=${sent}` : ""})\n`
      + `answer.raise_for_status()\nprint(${call.binary ? `len(answer.${read})` : `answer.${read}`})`,
    JavaScript: `const answer = await fetch("${url}"${options.length ? `, { ${options.join(", ")} }` : ""});\n`
      + `console.log(await answer.${call.binary ? "blob()" : "json()"});`,
  };
}

// ---- trying it out

/** Return the form that sends a call and shows the answer. */
function tryOut(call) {
  const answer = el("div", { className: "answer", "aria-live": "polite" });
  const inputs = [...call.parameters, ...formRows(call)].map((row) => ({ row, input: inputFor(row) }));
  const text = call.body && !call.body[MULTIPART]
    ? el("textarea", { value: JSON.stringify(SAMPLES[`${call.method} ${call.path}`] ?? {}, null, 1) }) : null;
  const form = el("form", {
    onsubmit: async (event) => {
      event.preventDefault();
      answer.replaceChildren("…");
      answer.replaceChildren(...await send(call, inputs, text));
    },
  },
  inputs.map(({ row, input }) => el("label", {}, `${row.name}${row.required ? " *" : ""}`, input)),
  text && el("label", {}, "Body (JSON)", text),
  el("button", { className: "button", type: "submit" }, `Send ${call.method}`));
  return el("details", {}, el("summary", {}, "Try it"), form, answer);
}

const formRows = (call) => (call.body?.[MULTIPART]
  ? rowsOf(call.body[MULTIPART].schema).map((row) => ({ ...row, in: "form" })) : []);

/** Return the input for a parameter or a field of a form. */
function inputFor(row) {
  const schema = row.schema;
  if (typeOf(schema.items ?? schema) === "file") {
    return el("input", { type: "file", multiple: schema.type === "array" });
  }
  const choices = resolve(schema).enum ?? (schema.type === "boolean" ? [true, false] : null);
  if (choices) return el("select", {}, el("option", { value: "" }, ""), choices.map((one) => el("option", {}, String(one))));
  return el("input", { type: "text", required: Boolean(row.required), placeholder: boundsOf(schema) });
}

/** Send a call as its form says and return what to show of the answer. */
async function send(call, inputs, text) {
  let path = call.path;
  const query = new URLSearchParams(), headers = {}, form = new FormData();
  for (const { row, input } of inputs) {
    if (row.in === "form" && input.files) for (const file of input.files) form.append(row.name, file);
    else if (input.value === "") continue;
    else if (row.in === "path") path = path.replace(`{${row.name}}`, encodeURIComponent(input.value));
    else if (row.in === "query") query.append(row.name, input.value);
    else if (row.in === "header") headers[row.name] = input.value;
    else form.append(row.name, input.value);
  }
  const url = path + (String(query) ? `?${query}` : "");
  const body = text ? text.value : call.body ? form : undefined;
  if (text) headers["Content-Type"] = JSON_TYPE;
  try {
    return await show(url, await fetch(url, { method: call.method, headers, body }));
  } catch (error) {
    return [el("p", { className: "bad" }, `No answer: ${error.message}`)];
  }
}

/** Return what to show of an answer: its status, its headers, its body or image. */
async function show(url, answer) {
  const kind = answer.headers.get("Content-Type") ?? "";
  const head = [...answer.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
  const shown = [el("p", { className: answer.ok ? "" : "bad" }, `${answer.status} ${answer.statusText} ${url}`), el("pre", { tabIndex: 0 }, head)];
  if (kind.startsWith("image/")) shown.push(el("img", { src: URL.createObjectURL(await answer.blob()), alt: "The image in the answer" }));
  else if (kind.includes("json")) shown.push(el("pre", { tabIndex: 0 }, JSON.stringify(await answer.json(), null, 1)));
  else shown.push(el("pre", { tabIndex: 0 }, await answer.text()));
  return shown;
}

// ---- the page

/** Return a call's place on the page. */
function callCard(call) {
  const { operation, method, path } = call;
  const form = call.body?.[MULTIPART], json = call.body?.[JSON_TYPE];
  return el("details", { className: "call", id: operation.operationId },
    el("summary", {},
      el("span", { className: `method ${method.toLowerCase()}` }, method),
      el("span", { className: "path" }, path),
      el("span", { className: "muted" }, prose(operation.summary))),
    el("p", {}, prose(operation.description)),
    fields("Parameters (* needed)", call.parameters),
    form && fields(`Body, ${MULTIPART}`, rowsOf(form.schema)),
    json && fields(`Body, ${JSON_TYPE}`, rowsOf(json.schema)),
    el("h3", {}, "Answers"), answersTable(operation.responses),
    el("h3", {}, "Examples"),
    Object.entries(examples(call)).map(([name, code]) =>
      el("details", { open: name === "curl" }, el("summary", {}, name), el("pre", { tabIndex: 0 }, code))),
    tryOut(call));
}

/** Return what a call may answer. */
function answersTable(responses) {
  return el("table", {}, el("tbody", {}, Object.entries(responses).map(([status, raw]) => {
    const response = resolve(raw);
    const [[kind, content] = []] = Object.entries(response.content ?? {});
    const model = content?.schema && nameOf(content.schema);
    return el("tr", {}, el("th", { scope: "row" }, el("code", {}, status)),
      el("td", {}, response.description, model && status < "300"
        ? el("details", {}, el("summary", {}, `${kind}: ${model}`), fields(model, rowsOf(content.schema)),
          el("pre", { tabIndex: 0 }, JSON.stringify(shape(content.schema), null, 1)))
        : el("div", { className: "muted" }, kind ?? "")));
  })));
}

/** Return every call of the document, ready to be shown. */
function callsOf() {
  return Object.entries(spec.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => {
      const parameters = (operation.parameters ?? []).map((one) => ({
        ...one, schema: one.schema ?? one.content[JSON_TYPE].schema,
      }));
      return {
        path, method: method.toUpperCase(), operation, parameters,
        query: parameters.filter((one) => one.in === "query"),
        body: operation.requestBody?.content,
        binary: !(JSON_TYPE in (operation.responses["200"]?.content ?? {})),
      };
    }));
}

/** Show the calls under their headings, and links to them. */
function render(calls) {
  $("about").replaceChildren(...prose(spec.info.description));
  $("calls").replaceChildren();
  for (const tag of spec.tags) {
    const own = calls.filter((call) => call.operation.tags.includes(tag.name));
    const name = tag.name[0].toUpperCase() + tag.name.slice(1);
    $("calls").append(el("section", {}, el("h2", {}, name),
      el("p", { className: "muted" }, prose(tag.description)), ...own.map(callCard)));
    $("contents").append(el("section", {}, el("h2", {}, name), ...own.map((call) =>
      el("a", { href: `#${call.operation.operationId}` }, `${call.method} ${call.path.replace("/api/v1", "")}`))));
  }
}

/** Open the call that the address names. */
function openNamed() {
  const named = $(location.hash.slice(1));
  if (named?.matches("details")) { named.open = true; named.scrollIntoView(); }
}

/** Show only the calls that hold the words sought, in the contents too. */
function narrow() {
  const word = $("find").value.trim().toLowerCase();
  for (const card of document.querySelectorAll("details.call")) {
    card.hidden = !card.querySelector("summary").textContent.toLowerCase().includes(word);
    document.querySelector(`nav a[href="#${card.id}"]`).hidden = card.hidden;
  }
  for (const section of document.querySelectorAll("section")) {
    section.hidden = !section.querySelector(".call:not([hidden]), a:not([hidden])");
  }
  $("none").hidden = Boolean(document.querySelector(".call:not([hidden])"));
}

try {
  const answer = await fetch("/openapi.json");
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  spec = await answer.json();
  render(callsOf());
  $("find").addEventListener("input", narrow);
  addEventListener("hashchange", openNamed);
  openNamed();
} catch (error) {
  $("state").textContent = `The description of the API cannot be read: ${error.message}`;
}
