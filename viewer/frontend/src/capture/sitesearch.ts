// Finds a site on the body by typing part of its name, in either language; the list of sites stays the truth.
// A combobox with a list below it, after the ARIA practice: the focus stays in the field, the arrows walk the list.
import { make, need } from "../shared/dom.ts";

const MOST = 8;

/** Ties the search field to the list of sites. */
export function tieSiteSearch(root: ParentNode, site: HTMLSelectElement): void {
  const field = need<HTMLInputElement>("#site-search", root);
  const list = need("#site-found", root);
  const options = [...site.options].filter((option) => option.value !== "");
  let found: readonly HTMLOptionElement[] = [];
  let at = -1;

  const close = (): void => {
    list.hidden = true;
    at = -1;
    field.setAttribute("aria-expanded", "false");
    field.removeAttribute("aria-activedescendant");
  };
  const stand = (index: number): void => {
    at = index;
    for (const [i, item] of [...list.children].entries()) item.setAttribute("aria-selected", String(i === at));
    const item = list.children[at];
    if (item === undefined) field.removeAttribute("aria-activedescendant");
    else {
      field.setAttribute("aria-activedescendant", item.id);
      item.scrollIntoView({ block: "nearest" });
    }
  };
  const choose = (option: HTMLOptionElement | undefined): void => {
    if (option === undefined) return;
    site.value = option.value;
    field.value = "";
    close();
    for (const name of ["input", "change"]) site.dispatchEvent(new Event(name, { bubbles: true }));
  };
  const look = (): void => {
    found = search(options, field.value);
    list.replaceChildren(
      ...found.map((option, i) => {
        const region = option.parentElement instanceof HTMLOptGroupElement ? option.parentElement.label : "";
        const item = make("li", "site-item", make("span", "", option.textContent?.trim() ?? ""), make("small", "quiet", region));
        item.id = `site-found-${i}`;
        item.setAttribute("role", "option");
        item.addEventListener("pointerdown", (event) => event.preventDefault()); // the focus stays in the field
        item.addEventListener("click", () => choose(option));
        return item;
      }),
    );
    list.hidden = found.length === 0;
    field.setAttribute("aria-expanded", String(found.length > 0));
    stand(found.length > 0 ? 0 : -1);
    const none = need("#site-none", root);
    none.hidden = found.length > 0 || field.value.trim() === "";
  };

  field.addEventListener("input", (event) => {
    event.stopPropagation(); // a search is no change of the draft
    look();
  });
  field.addEventListener("change", (event) => event.stopPropagation());
  field.addEventListener("blur", close);
  field.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" && list.hidden) look();
    else if (event.key === "ArrowDown") stand((at + 1) % found.length);
    else if (event.key === "ArrowUp" && !list.hidden) stand((at + found.length - 1) % found.length);
    else if (event.key === "Enter") choose(list.hidden ? undefined : found[at]);
    else if (event.key === "Escape" && !list.hidden) close();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
}

/** Gives the sites that have every typed word in their name or region, those that begin so first. */
function search(options: readonly HTMLOptionElement[], typed: string): readonly HTMLOptionElement[] {
  const words = plain(typed).split(/\s+/).filter(Boolean);
  if (words.length === 0) return [];
  const scored = options.flatMap((option) => {
    const own = plain(option.textContent ?? "");
    const all = `${own} ${plain(option.dataset["words"] ?? "")}`;
    if (!words.every((word) => all.includes(word))) return [];
    const first = words[0] ?? "";
    const begins = own.startsWith(first) ? 0 : all.includes(` ${first}`) ? 1 : 2;
    return [{ option, rank: begins * 1000 + own.length }];
  });
  return scored
    .sort((one, other) => one.rank - other.rank)
    .slice(0, MOST)
    .map(({ option }) => option);
}

function plain(text: string): string {
  return text.trim().toLowerCase().normalize("NFC");
}
