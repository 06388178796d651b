// On every page: the styles, and the list of keys behind `?`.
import "../styles/tokens.css";
import "../styles/base.css";
import "../styles/components.css";
import { listen, showKeys } from "../shared/keys.ts";

listen({ "?": showKeys });
document.querySelector("#keys-open")?.addEventListener("click", showKeys);
