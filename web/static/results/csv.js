// A result as a table: a row for each place, with the columns that `needle export` writes.

const OF_MATCH = ["image_id", "filename", "path", "score", "probability"];
const OF_HIT = ["source", "label", "confidence", "verified"];
const BOX = ["x1", "y1", "x2", "y2"];
const COLUMNS = ["rank", ...OF_MATCH, "hit", "hit_score", ...BOX, ...OF_HIT, "width", "height", "count", "paths"];

/** Return the rows of matches, the header first, as text that spreadsheets read. */
export function table(matches) {
  const keys = [...new Set(matches.flatMap(({ metadata }) => Object.keys(metadata ?? {})))];
  const rows = matches.flatMap((match, n) => match.hits.map((hit, place) => [
    n + 1, ...OF_MATCH.map((name) => match[name]), place + 1, hit.score, ...hit.box,
    ...OF_HIT.map((name) => hit[name]), match.width, match.height, match.count, match.paths?.length > 1 ? match.paths : null,
    ...keys.map((key) => match.metadata?.[key])]));
  const header = [...COLUMNS, ...keys.map((key) => `metadata.${key}`)];
  return [header, ...rows].map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}

/** Return a value as a cell. Words that a spreadsheet would run as a formula begin with a quote. */
function cell(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value === "number") return String(value);
  const text = typeof value === "object" ? JSON.stringify(value) : String(value);
  const safe = /^[\s]*[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** Have the browser save text as a file. The mark in front tells spreadsheets that it is UTF-8. */
export function save(text, name) {
  const url = URL.createObjectURL(new Blob(["\ufeff", text], { type: "text/csv" }));
  const link = document.createElement("a");
  Object.assign(link, { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 0);
}
