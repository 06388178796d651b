// Whose the case is: a claim lasts on while somebody works here and says when it is about to end;
// what presses elsewhere is told in a line, and the next case is fetched before it is opened.
// Takes neither the screen nor the focus.
import { call, Problem, send } from "../shared/api.ts";
import { need, say } from "../shared/dom.ts";
import { handOver, offerHandOver } from "../shared/handing.ts";
import { listen } from "../shared/keys.ts";
import { t, tn } from "../shared/strings.ts";
import { readManifest } from "./manifest.ts";
import { lastsIn, nextAddress, RENEW_EVERY_MS } from "./claim_times.ts";

interface Claim {
  readonly claim_until: string | null;
}
interface Now {
  readonly urgent_free: number;
}
interface Next {
  readonly case_id: string;
  readonly title: string;
}
/** Takes the lines and keys of a claim into use. */
export function offerClaim(caseId: string, beforeLeaving: () => Promise<boolean>): void {
  const said = document.querySelector<HTMLElement>("#claim-lasts");
  const isMine = said?.dataset["until"] !== undefined;
  const readsSecond = document.querySelector("#release-second") !== null;
  if (isMine || readsSecond) keepClaim(caseId, said);
  offerHandOver();
  const hand = (): void => {
    if (document.querySelector("#hand-over") === null) return;
    void beforeLeaving().then((isSaved) => {
      if (!isSaved) return;
      void handOver(caseId, need("#question").textContent ?? "", () => location.assign("/"));
    });
  };
  document.querySelector("#hand-over")?.addEventListener("click", hand);
  step("#give-back", caseId, "give-back", beforeLeaving, "/");
  step("#take-second", caseId, "second-reading/take", null, "");
  step("#release-second", caseId, "second-reading/release", beforeLeaving, "/");
  document.querySelector("#drop-second")?.addEventListener("click", () => void attempt(() => call(`/api/cases/${caseId}/second-reading`, { method: "DELETE" }), ""));
  form("#second-form", (data) => void beforeLeaving().then((isSaved) => {
    const json = { of: text(data, "of"), blinded: text(data, "blinded") === "yes", note: text(data, "note") };
    if (isSaved) void attempt(() => call(`/api/cases/${caseId}/second-reading`, { method: "POST", json }), "");
  }));
  form("#compare", (data) => {
    const json = { comparison: text(data, "comparison"), text: text(data, "text") };
    void beforeLeaving().then((isSaved) => {
      if (isSaved) void attempt(() => call(`/api/cases/${caseId}/second-reading/comparison`, { method: "POST", json }), "");
    });
  });
  listen({
    H: hand,
    R: () => {
      const take = document.querySelector<HTMLButtonElement>("#take-second");
      (take ?? document.querySelector<HTMLButtonElement>("#ask-second"))?.click();
    },
  });
  if (document.querySelector("#findings-panel") !== null) watch(caseId);
}

function keepClaim(caseId: string, said: HTMLElement | null): void {
  const before = said?.textContent ?? "";
  let until = said?.dataset["until"] ?? null;
  let renewedAt = Date.now();
  let isOver = false;
  const show = (): void => {
    if (said === null || isOver) return;
    const minutes = lastsIn(until, Date.now());
    said.classList.toggle("act", minutes !== null);
    const text = minutes === null ? before : t("Your claim ends in {n} min. Any work here keeps it.", { n: minutes });
    if (said.textContent !== text) said.textContent = text;
  };
  const renew = async (): Promise<void> => {
    if (isOver || (Date.now() - renewedAt < RENEW_EVERY_MS && lastsIn(until, Date.now()) === null)) return;
    renewedAt = Date.now();
    try {
      until = (await call<Claim>(`/api/cases/${caseId}/renew`, { method: "POST", json: {} })).claim_until;
    } catch (error) {
      if (!(error instanceof Problem) || error.status === 401) return; // tried again with the next work
      isOver = true;
      const text = t("The case is no longer yours. What you wrote is kept; load the page again.");
      if (said !== null) said.textContent = text;
      said?.classList.add("act");
      say(text, 30);
    }
    show();
  };
  for (const kind of ["keydown", "pointerdown", "wheel"]) {
    document.addEventListener(kind, () => void renew(), { passive: true, capture: true });
  }
  window.setInterval(show, 20_000);
  show();
}

/** Says how many urgent cases nobody has, and gets the next case ready once this one is signed. */
function watch(caseId: string): void {
  const line = document.querySelector<HTMLElement>("#urgent");
  let etag = "";
  const look = async (): Promise<void> => {
    if (line === null || document.visibilityState !== "visible") return;
    try {
      const response = await send("/api/worklist/now", etag === "" ? {} : { headers: { "If-None-Match": etag } });
      if (response.status === 304) return;
      etag = response.headers.get("ETag") ?? "";
      const { urgent_free } = (await response.json()) as Now;
      line.hidden = urgent_free === 0;
      line.textContent = tn("{n} urgent case waits", "{n} urgent cases wait", urgent_free);
    } catch {
      // another part of the page says when there is no contact
    }
  };
  window.setInterval(() => void look(), 15_000);
  void look();
  if (document.querySelector("#next-case") !== null) void readyNext(caseId);
}

/** Finds the next case within the list that one came from, and has its first image made ready. */
async function readyNext(caseId: string): Promise<void> {
  const link = need<HTMLAnchorElement>("#next-case");
  try {
    const next = await call<Next>(nextAddress(caseId, window.sessionStorage.getItem("lysbro-list")));
    if (next.case_id === "") {
      need("#next-line").textContent = t("Nothing more waits in the list that you came from.");
      return;
    }
    link.href = `/cases/${next.case_id}`;
    const key = link.querySelector("kbd");
    link.replaceChildren(t("Next case: {what}", { what: next.title }), " ", ...(key === null ? [] : [key]));
    const manifest = readManifest(await call(`/api/cases/${next.case_id}/manifest`));
    const first = manifest.series.find((each) => each.key === manifest.hanging.first) ?? manifest.series[0];
    const shown = first?.frames[Math.floor((first.frames.length - 1) / 2)];
    if (shown === undefined || (first?.kind !== "stack" && first?.kind !== "photo")) return;
    await send(manifest.address("preview", shown.instance.uid, shown.series.site, shown.frame));
  } catch {
    // the link that the page came with stays
  }
}

function step(selector: string, caseId: string, verb: string, before: (() => Promise<boolean>) | null, to: string): void {
  document.querySelector(selector)?.addEventListener("click", () => {
    void (before === null ? Promise.resolve(true) : before()).then((isSaved) => {
      if (isSaved) void attempt(() => call(`/api/cases/${caseId}/${verb}`, { method: "POST", json: {} }), to);
    });
  });
}

async function attempt(act: () => Promise<unknown>, to: string): Promise<void> {
  try {
    await act();
    if (to === "") location.reload();
    else location.assign(to);
  } catch (error) {
    say(error instanceof Problem ? error.message : t("No contact with the server. Try again."), 10);
  }
}

function form(selector: string, act: (data: FormData) => void): void {
  const element = document.querySelector<HTMLFormElement>(selector);
  element?.addEventListener("submit", (event) => {
    event.preventDefault();
    const data = new FormData(element);
    element.closest("dialog")?.close();
    act(data);
  });
}

function text(data: FormData, name: string): string {
  return String(data.get(name) ?? "").trim();
}
