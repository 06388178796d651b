// On every page: the styles, and the list of keys behind `?`.
import "../styles/tokens.css";
import "../styles/base.css";
import "../styles/components.css";
import { listen, showKeys } from "../shared/keys.ts";
import { lockUnsent, unsent } from "../shared/leaving.ts";
import { tn } from "../shared/strings.ts";

listen({ "?": showKeys });
document.querySelector("#keys-open")?.addEventListener("click", showKeys);

// What a page kept in this browser for its reader goes with the reader (drafts that never reached the server).
// What of the capture page is not sent stays, locked: its key goes, and comes again with its writer.
const leaving = document.querySelector<HTMLFormElement>('form[action="/logout"]');
leaving?.addEventListener("submit", (event) => {
  event.preventDefault();
  void leave(leaving);
});

async function leave(form: HTMLFormElement): Promise<void> {
  const left = await unsent().catch(() => 0);
  const warning = tn(
    "{n} thing that you have not sent is on this phone. It stays there, locked, until you sign in again. Sign out?",
    "{n} things that you have not sent are on this phone. They stay there, locked, until you sign in again. Sign out?",
    left,
  );
  if (left > 0 && !window.confirm(warning)) return;
  indexedDB.deleteDatabase("lysbro-drafts");
  sessionStorage.clear();
  await lockUnsent().catch(() => undefined);
  form.submit();
}
