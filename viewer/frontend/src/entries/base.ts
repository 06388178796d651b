// On every page: the styles, and the list of keys behind `?`.
import "../styles/tokens.css";
import "../styles/base.css";
import "../styles/components.css";
import { listen, showKeys } from "../shared/keys.ts";

listen({ "?": showKeys });
document.querySelector("#keys-open")?.addEventListener("click", showKeys);

// What a page kept in this browser for its reader goes with the reader (drafts that never reached the server).
document.querySelector('form[action="/logout"]')?.addEventListener("submit", () => {
  indexedDB.deleteDatabase("lysbro-drafts");
  sessionStorage.clear();
});
