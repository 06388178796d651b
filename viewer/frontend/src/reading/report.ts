// A structured report as a document: made of elements with text in them, never of HTML that somebody sent.
import { call } from "../shared/api.ts";
import { make } from "../shared/dom.ts";
import { t, tn } from "../shared/strings.ts";
import { askToShow, frameOf } from "./asking.ts";
import { titleOf, type Frame, type Instance, type Manifest, type Series } from "./manifest.ts";
import type { ShownRecord } from "./shown.ts";

interface Named {
  readonly name: string;
  readonly value: string;
}

interface Item extends Named {
  readonly kind: "heading" | "text" | "value" | "number" | "images" | "shape" | "uid";
  readonly details: readonly Named[];
  readonly shown: readonly { readonly uid: string; readonly frames: readonly number[] }[];
  readonly items: readonly Item[];
  readonly table: { readonly columns: readonly string[]; readonly rows: readonly (readonly string[])[]; readonly shown: readonly Item["shown"][] } | null;
  readonly is_aside: boolean;
  readonly is_flow: boolean;
}

interface Report {
  readonly title: string;
  readonly kind: "report" | "dose" | "key-objects";
  readonly completion: string;
  readonly verification: string;
  readonly verified_by: readonly Named[];
  readonly written_at: string;
  readonly context: readonly Named[];
  readonly items: readonly Item[];
  readonly is_cut: boolean;
}

const MOST_PICTURES = 60;
const LAST_HEADING = 6;

/** Fetches a report and makes the document of it. */
export async function reportOf(manifest: Manifest, series: Series, instance: Instance, shown: ShownRecord): Promise<HTMLElement> {
  const report = await call<Report>(manifest.address("report", instance.uid, series.site));
  const document_ = make("article", "report", make("h2", "", report.title || titleOf(series)), make("p", "report-state", stateOf(report)));
  if (report.context.length > 0) document_.append(facts(report.context, "report-context"));
  document_.append(...all(report.items, 3, { manifest, isKeys: report.kind === "key-objects" }));
  if (report.is_cut) document_.append(make("p", "act", t("The report goes on. Export the case to have all of it.")));
  const frame = series.frames.find((each) => each.instance === instance);
  if (frame !== undefined) shown.note(frame, report.is_cut ? "part" : "lossless");
  return document_;
}

/** Says how far a report has come, first thing. */
function stateOf(report: Report): string {
  const parts: string[] = [];
  if (report.completion === "COMPLETE") parts.push(t("Complete"));
  if (report.completion === "PARTIAL") parts.push(t("Not complete"));
  if (report.verification === "VERIFIED") {
    const who = report.verified_by.map(({ name, value }) => [name, value].filter((each) => each !== "").join(", "));
    parts.push(who.length > 0 ? t("verified by {who}", { who: who.join("; ") }) : t("verified"));
  }
  if (report.verification === "UNVERIFIED") parts.push(t("verified by nobody"));
  if (report.written_at !== "") parts.push(t("written {when}", { when: report.written_at }));
  return parts.join(" · ");
}

interface Around {
  readonly manifest: Manifest;
  readonly isKeys: boolean;
}

function all(items: readonly Item[], level: number, around: Around): Node[] {
  const made: Node[] = [];
  let list: HTMLElement | null = null;
  for (const item of items) {
    if (item.kind === "uid") continue;
    if (isLine(item)) {
      list ??= made[made.push(make("dl", "report-values")) - 1] as HTMLElement;
      list.append(make("dt", "", item.name || t("Value")), make("dd", item.kind === "number" ? "figures" : "", item.value, ...beside(item)));
    } else {
      list = null;
      made.push(one(item, level, around));
    }
  }
  return made;
}

/** Tells whether an item is a name with a few words beside it. */
function isLine(item: Item): boolean {
  return (item.kind === "value" || item.kind === "number") && item.items.length === 0 && item.shown.length === 0;
}

function one(item: Item, level: number, around: Around): Node {
  if (item.kind === "heading") return section(item, level, around);
  if (item.kind === "images") return pictures(item, level, around);
  if (item.kind === "shape") {
    const line = make("p", "report-shape", `${item.name || t("Drawn on the image")}: ${shapeWord(item.value)} `);
    line.append(...links(item.shown, around.manifest));
    return make("div", "", line, ...all(item.items, level, around));
  }
  const name = item.name === "" ? "" : make("b", "", `${item.name}: `);
  const said = make("p", "prose", name, item.value, ...beside(item));
  return item.items.length === 0 ? said : make("div", "", said, make("div", "report-under", ...all(item.items, level, around)));
}

function section(item: Item, level: number, around: Around): HTMLElement {
  const title = item.name || item.details[0]?.value || "";
  const rest = item.details.filter((each) => each.value !== title);
  const inner = item.is_flow ? [flow(item, around)] : all(item.items, level + 1, around);
  const body: Node[] = rest.length > 0 ? [facts(rest, "report-details"), ...inner] : inner;
  const heading = make(`h${Math.min(level, LAST_HEADING)}` as "h3", "", title);
  if (item.table !== null) {
    const whole = make("details", "fold", make("summary", "", t("Everything, one after the other")), ...body);
    return make("section", "report-part", heading, tableOf(item.table, title, around.manifest), whole);
  }
  if (item.is_aside) return make("details", "fold report-part", make("summary", "", title), ...body);
  return make("section", "report-part", ...(title === "" ? body : [heading, ...body]));
}

/** Sentences that a report has cut into items, as one paragraph. */
function flow(item: Item, around: Around): HTMLElement {
  const paragraph = make("p", "prose");
  for (const each of item.items) {
    const value = each.kind === "heading" ? each.items.map((inner) => inner.value).join(" ") : each.value;
    paragraph.append(each.kind === "number" ? make("b", "", value) : value, " ", ...links(each.shown, around.manifest));
  }
  return paragraph;
}

function tableOf(table: NonNullable<Item["table"]>, title: string, manifest: Manifest): HTMLElement {
  const isPointing = table.shown.some((each) => each.length > 0);
  const names = isPointing ? [...table.columns, t("Image")] : table.columns;
  const head = make("tr", "", ...names.map((name) => Object.assign(make("th", "", name), { scope: "col" })));
  const rows = table.rows.map((row, n) => {
    const cells = row.map((value) => make("td", "figures", value));
    return make("tr", "", ...cells, ...(isPointing ? [make("td", "", ...links(table.shown[n] ?? [], manifest))] : []));
  });
  const made = make("table", "report-table", make("caption", "visually-hidden", title), make("thead", "", head), make("tbody", "", ...rows));
  const around = make("div", "report-table-around", made);
  around.tabIndex = 0;
  around.setAttribute("role", "region");
  around.setAttribute("aria-label", title);
  return around;
}

function beside(item: Item): Node[] {
  if (item.details.length === 0) return [];
  return [make("span", "quiet small report-beside", item.details.map(({ name, value }) => `${name}: ${value}`).join(" · "))];
}

function facts(named: readonly Named[], className: string): HTMLElement {
  return make("dl", `report-values ${className}`, ...named.flatMap(({ name, value }) => [make("dt", "", name), make("dd", "", value)]));
}

/** The images that an item points to: as pictures in a list of key images, else by their names. */
function pictures(item: Item, level: number, around: Around): HTMLElement {
  const found = framesOf(item.shown, around.manifest);
  const name = item.name === "" ? [] : [make("b", "", `${item.name}: `)];
  const below = all(item.items, level, around);
  if (!around.isKeys || found.length === 0) return make("div", "", make("p", "report-shape", ...name, ...links(item.shown, around.manifest)), ...below);
  const list = make("ul", "report-pictures", ...found.slice(0, MOST_PICTURES).map((frame) => make("li", "", picture(frame, around.manifest))));
  const missing = item.shown.length - new Set(found.map((frame) => frame.instance.uid)).size;
  return make("div", "", ...name, list, ...(missing > 0 ? [elsewhere(missing)] : []), ...below);
}

function picture(frame: Frame, manifest: Manifest): HTMLElement {
  const image = make("img");
  image.loading = "lazy";
  image.alt = "";
  if (frame.instance.is_recognizable === true) image.dataset["recognizable"] = "yes";
  image.src = manifest.address("preview", frame.instance.uid, frame.series.site, frame.instance.poster ?? frame.frame);
  return jump(frame, image, make("span", "", nameOf(frame)));
}

function links(shown: Item["shown"], manifest: Manifest): (Node | string)[] {
  if (shown.length === 0) return [];
  const found = framesOf(shown, manifest);
  const missing = shown.length - new Set(found.map((frame) => frame.instance.uid)).size;
  const made: (Node | string)[] = [];
  const few = found.length > 8 ? found.slice(0, 1) : found;
  for (const frame of few) made.push(jump(frame, nameOf(frame)), " ");
  if (found.length > few.length) made.push(tn("and {n} more image", "and {n} more images", found.length - few.length), " ");
  if (missing > 0) made.push(elsewhere(missing));
  return made;
}

function framesOf(shown: Item["shown"], manifest: Manifest): Frame[] {
  return shown.flatMap(({ uid, frames }) =>
    (frames.length === 0 ? [1] : frames).flatMap((frame) => frameOf(manifest, uid, frame) ?? []),
  );
}

function jump(frame: Frame, ...inside: (Node | string)[]): HTMLElement {
  const button = make("button", "report-jump", ...inside);
  button.type = "button";
  button.addEventListener("click", () => askToShow(frame));
  return button;
}

function nameOf(frame: Frame): string {
  return t("{series}, image {n}", { series: titleOf(frame.series), n: frame.index + 1 });
}

function elsewhere(count: number): HTMLElement {
  return make("span", "quiet small", tn("{n} image that is not in this case", "{n} images that are not in this case", count));
}

function shapeWord(shape: string): string {
  const words: Record<string, string> = {
    POINT: t("a point"),
    MULTIPOINT: t("points"),
    POLYLINE: t("a line"),
    POLYGON: t("an outline"),
    CIRCLE: t("a circle"),
    ELLIPSE: t("an ellipse"),
    ELLIPSOID: t("an ellipsoid"),
  };
  return words[shape] ?? t("a place in time");
}
