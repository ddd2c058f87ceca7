// Uploads outlive a reload: the browser keeps which jobs they are until they are put away.

const PREFIX = "needle-upload-";
const STALE_MS = 15_000; // a page that sends says so more often
const LONGEST_MS = 7 * 86_400_000; // the service forgets jobs, too
const TAB = "needle-tab";

/** Run what uses the browser's storage, which a reader may have turned off or filled. */
function stored(deed) {
  try {
    return deed();
  } catch {
    return undefined;
  }
}

const random = () => crypto.getRandomValues(new Uint32Array(2)).join("");
const tab = stored(() => {
  sessionStorage[TAB] ??= random();
  return sessionStorage[TAB];
}) ?? random();

export const newId = random;

/** Keep what an upload is; `sending` tells that files of this page are yet to be sent. */
export function keep(id, upload) {
  stored(() => { localStorage[PREFIX + id] = JSON.stringify({ ...upload, tab, at: Date.now() }); });
}

export const forget = (id) => stored(() => localStorage.removeItem(PREFIX + id));

/** Return the uploads that were kept, without those that another page of this browser is sending. */
export function kept() {
  const names = stored(() => Object.keys(localStorage).filter((name) => name.startsWith(PREFIX)));
  return (names ?? []).flatMap((name) => {
    const upload = stored(() => JSON.parse(localStorage[name])) ?? {};
    const id = name.slice(PREFIX.length);
    const age = Date.now() - upload.at;
    if (!(age < LONGEST_MS)) forget(id);
    const elsewhere = upload.sending && upload.tab !== tab && age < STALE_MS;
    return age < LONGEST_MS && !elsewhere ? [{ ...upload, id }] : [];
  });
}
