// A lesion over time: two of its pictures side by side, blended, wiped or in turn, laid on each other where that is certain.
import "../styles/lesion.css";
import { Panes, type Picture, type Way } from "../lesion/panes.ts";
import type { Matrix } from "../lesion/warp.ts";
import { call } from "../shared/api.ts";
import { block, need } from "../shared/dom.ts";
import { listen, showKeys } from "../shared/keys.ts";
import { t, tn } from "../shared/strings.ts";

interface Told {
  readonly case_id: string;
  readonly uid: string;
  readonly from: string;
  readonly to: string;
  readonly pictures: readonly Picture[];
}

interface Alignment {
  readonly aligned: boolean;
  readonly matrix: Matrix | null;
  readonly points: number;
}

const told = block<Told>("lesion");
const ways: readonly Way[] = ["side", "blend", "wipe", "flicker"];
if (told.pictures.length > 1) begin();

function begin(): void {
  const panes = new Panes();
  const from = need<HTMLSelectElement>("#from");
  const to = need<HTMLSelectElement>("#to");
  const mix = need<HTMLInputElement>("#mix");
  const swap = need<HTMLButtonElement>("#swap");
  const asTaken = need<HTMLInputElement>("#as-taken");
  const restsOn = need("#rests-on");
  const radios = [...document.querySelectorAll<HTMLInputElement>('[name="way"]')];
  const known = new Map<string, Promise<Alignment>>();
  let way: Way = "side";
  let found: Alignment | null = null;
  from.value = told.from;
  to.value = told.to;

  const picture = (uid: string): Picture | undefined => told.pictures.find((each) => each.uid === uid);

  const draw = (): void => {
    const earlier = picture(from.value);
    const later = picture(to.value);
    if (earlier === undefined || later === undefined) return;
    const matrix = found?.matrix ?? null;
    const shownWay = matrix === null ? "side" : way;
    const share = shownWay === "flicker" ? Number(swap.getAttribute("aria-pressed") === "true") : Number(mix.value) / 100;
    panes.show({ earlier, later, matrix, way: shownWay, mix: share, asTaken: asTaken.checked });
    for (const radio of radios) {
      radio.checked = radio.value === shownWay;
      radio.disabled = matrix === null && radio.value !== "side";
    }
    need("#mix-field").hidden = shownWay !== "blend" && shownWay !== "wipe";
    swap.hidden = shownWay !== "flicker";
    swap.textContent = share > 0.5 ? t("Show the later one") : t("Show the earlier one");
    need("#as-taken-field").hidden = shownWay !== "side" || matrix === null;
    mix.setAttribute("aria-valuetext", t("{n} per cent of the earlier picture", { n: mix.value }));
    if (found !== null) restsOn.textContent = words(found);
    for (const button of document.querySelectorAll<HTMLElement>("[data-picture]")) {
      const uid = button.dataset["picture"] ?? "";
      button.setAttribute("aria-pressed", String(uid === from.value || uid === to.value));
      button.dataset["as"] = uid === from.value ? t("earlier") : uid === to.value ? t("later") : "";
    }
  };

  const words = (alignment: Alignment): string => {
    if (from.value === to.value) return t("This is one and the same picture.");
    const said = alignment.aligned
      ? tn("Aligned by {n} point.", "Aligned by {n} points.", alignment.points)
      : t("Could not be aligned: shown side by side.");
    return panes.isOneScale ? `${said} ${t("Both at one scale.")}` : said;
  };

  const look = async (): Promise<void> => {
    const pair = `${from.value}/${to.value}`;
    found = null;
    restsOn.textContent = t("Looking at both pictures …");
    draw();
    let asked = known.get(pair);
    if (asked === undefined) {
      const query = new URLSearchParams({ from: from.value, to: to.value });
      asked = call<Alignment>(`/api/cases/${told.case_id}/lesions/${told.uid}/alignment?${query.toString()}`);
      known.set(pair, asked);
    }
    try {
      const answer = await asked;
      if (pair !== `${from.value}/${to.value}`) return; // another pair was chosen meanwhile
      found = answer;
      draw();
    } catch {
      known.delete(pair);
      restsOn.textContent = t("The pictures could not be compared. They are shown side by side.");
    }
  };

  const choose = (next: Way): void => {
    if (next === "flicker" && way === "flicker") swap.click();
    way = next;
    draw();
    if ((next === "blend" || next === "wipe") && !need("#mix-field").hidden) mix.focus({ preventScroll: true });
  };

  const stepEarlier = (by: number): void => {
    const at = told.pictures.findIndex((each) => each.uid === from.value) + by;
    const next = told.pictures[at];
    if (next === undefined) return;
    from.value = next.uid;
    void look();
  };

  for (const select of [from, to]) select.addEventListener("change", () => void look());
  for (const radio of radios) radio.addEventListener("change", () => choose(radio.value as Way));
  for (const input of [mix, asTaken]) input.addEventListener("input", draw);
  swap.addEventListener("click", () => {
    swap.setAttribute("aria-pressed", String(swap.getAttribute("aria-pressed") !== "true"));
    draw();
  });
  for (const button of document.querySelectorAll<HTMLElement>("[data-zoom]")) {
    button.addEventListener("click", () => panes.zoomBy(Number(button.dataset["zoom"])));
  }
  for (const button of document.querySelectorAll<HTMLElement>("[data-picture]")) {
    button.addEventListener("click", () => {
      const uid = button.dataset["picture"] ?? "";
      const place = (id: string): number => told.pictures.findIndex((each) => each.uid === id);
      if (place(uid) >= place(to.value)) to.value = uid;
      else from.value = uid;
      void look();
      need("#panes").scrollIntoView({ block: "nearest" });
    });
  }
  const table: Record<string, () => void> = {
    ",": () => stepEarlier(-1),
    ".": () => stepEarlier(1),
    "+": () => panes.zoomBy(1.25),
    "=": () => panes.zoomBy(1.25),
    "-": () => panes.zoomBy(0.8),
    "0": () => panes.zoomBy(0),
    "?": showKeys,
  };
  for (const each of ways) table[each.charAt(0)] = () => choose(each);
  listen(table);
  // A slider keeps its own arrow keys; the letters work while it has the focus.
  mix.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const other = ways.find((each) => each.charAt(0) === event.key);
    if (other !== undefined) choose(other);
  });
  void look();
}
