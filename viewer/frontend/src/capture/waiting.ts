// Says in words what waits on this phone and what became of it; lists drafts that are not sent. Decides nothing.
import { make, need } from "../shared/dom.ts";
import { language, t, tn } from "../shared/strings.ts";
import { UNREADABLE, type Ended } from "./courier.ts";
import type { Queue, Waiting } from "./queue.ts";
import type { DraftRow } from "./store.ts";

/** The line under the page's head, and the list of drafts that wait. */
export class WaitingWords {
  private readonly line = make("p", "waiting-line small");
  private readonly list = make("section", "waiting-list panel");
  private hadSome = false;
  private openKey = "";
  private ended: Ended = "empty";

  constructor(
    private readonly queue: Queue,
    private readonly goOn: (row: DraftRow) => void,
  ) {
    this.line.setAttribute("role", "status");
    this.line.hidden = true;
    this.list.hidden = true;
    need(".capture-head").after(this.line, this.list);
    queue.whenEnded((ended) => {
      this.ended = ended;
      void this.tell();
    });
    queue.listen((told) => {
      if (told.kind !== "progress") void this.tell();
      if (told.kind === "submitted" && told.draft !== this.openKey) void this.tellNews();
      if (told.kind === "submitted" || told.kind === "problem") void this.show(this.openKey);
    });
  }

  /** Says how it stands now. */
  async tell(): Promise<void> {
    const waiting = await this.queue.waiting();
    const count = waiting.drafts.length + waiting.photos;
    const isStuck = count > 0 && (this.ended === "waiting" || this.ended === "signed-out" || this.ended === "problem");
    const parts: (Node | string)[] = [];
    if (isStuck) parts.push(...this.stuck(waiting));
    else if (count > 0 && waiting.photos > 0) {
      parts.push(tn("{n} picture is on this phone, and on its way.", "{n} pictures are on this phone, and on their way.", waiting.photos));
    }
    if (count === 0 && this.hadSome) parts.push(t("All of it is with the exchange, nothing is left on this phone"));
    if (!waiting.isLasting) {
      parts.push(" ", t("This browser keeps nothing once the page is closed: leave it open until everything is sent."));
    }
    this.hadSome ||= isStuck || waiting.photos > 0;
    this.line.replaceChildren(...parts);
    this.line.dataset["state"] = isStuck || !waiting.isLasting ? "waits" : "fine";
    this.line.hidden = parts.length === 0;
  }

  /** Lists the drafts that wait, but for the one that is open; each can be gone on with or thrown away. */
  async show(openKey: string): Promise<void> {
    this.openKey = openKey;
    const { drafts } = await this.queue.waiting();
    const items = await Promise.all(drafts.filter((row) => row.key !== openKey).map((row) => this.item(row)));
    const title = make("h2", "", t("Not sent yet"));
    this.list.replaceChildren(title, ...items);
    this.list.hidden = items.length === 0;
  }

  /** Tells what went while nobody looked. */
  async tellNews(): Promise<void> {
    const said = (await this.queue.news()).map(({ caseId, at }) =>
      make("p", "waiting-news small", t("Case {id} was sent {time}.", { id: caseId, time: clock(at) })),
    );
    for (const line of said) line.setAttribute("role", "status");
    this.line.after(...said);
  }

  private stuck(waiting: Waiting): (Node | string)[] {
    const what =
      waiting.photos > 0
        ? tn(
            "{n} picture waits on this phone; it is sent when there is a connection.",
            "{n} pictures wait on this phone; they are sent when there is a connection.",
            waiting.photos,
          )
        : t("What you wrote waits on this phone; it is sent when there is a connection.");
    const problem = waiting.drafts.map((row) => row.problem).find((text) => text !== "");
    if (problem !== undefined) return [t("It waits on this phone and was not taken: {reason}", { reason: reason(problem) })];
    if (this.ended === "problem") return [t("A picture was not taken. Take it again, or throw the draft away.")];
    if (this.ended !== "signed-out") return [what];
    const link = make("a", "", t("Sign in again"));
    link.href = `/login?next=${encodeURIComponent(location.pathname)}`;
    return [
      tn(
        "{n} picture waits on this phone, locked.",
        "{n} pictures wait on this phone, locked.",
        waiting.photos,
      ),
      " ",
      link,
      " ",
      t("and they are sent."),
    ];
  }

  private async item(row: DraftRow): Promise<HTMLElement> {
    const photos = await this.queue.pictures(row.key).catch(() => []);
    const form = await this.queue.form(row).catch(() => null);
    const patient = form?.["patient"] as { name?: { family?: string; given?: string } } | undefined;
    const name = [patient?.name?.family, patient?.name?.given].filter(Boolean).join(", ");
    const said = [
      name || (row.caseId ? t("Case {id}", { id: row.caseId }) : t("A draft")),
      tn("{n} picture", "{n} pictures", photos.length),
      row.wish === "submit" ? t("is submitted when it has arrived") : "",
      row.problem === "" ? "" : reason(row.problem),
    ];
    const on = make("button", "button button-small", t("Go on"));
    const away = make("button", "button button-plain button-small", t("Throw away"));
    on.type = away.type = "button";
    on.hidden = row.wish === "submit" && row.problem === "";
    on.addEventListener("click", () => this.goOn(row));
    away.addEventListener("click", () => {
      if (away.dataset["sure"] !== "yes") {
        away.dataset["sure"] = "yes";
        away.textContent = t("Throw away for good");
        return;
      }
      void this.queue.throwAway(row.key).then(() => item.remove());
    });
    const item = make("div", "waiting-item row", make("span", "", said.filter(Boolean).join(" · ")), on, away);
    return item;
  }
}

function reason(problem: string): string {
  return problem === UNREADABLE ? t("It was locked with another key and cannot be read.") : problem;
}

/** The time of day in the page's language. */
export function clock(at: number): string {
  return new Date(at).toLocaleTimeString(language === "nb" ? "nb-NO" : "en-GB", { hour: "2-digit", minute: "2-digit" });
}
