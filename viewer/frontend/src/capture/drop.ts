// Pictures that come as files: chosen several at once, dropped on the page or on a place, or pasted.
import { make, need } from "../shared/dom.ts";
import { t, tn } from "../shared/strings.ts";
import { assign } from "./assign.ts";
import { FILM, type Slot } from "./photos.ts";

/** Takes files in, hands each to its place, and asks where it cannot tell. */
export class Drop {
  private held: readonly File[] = [];
  private chain: Promise<void> = Promise.resolve();

  constructor(
    private readonly slots: () => readonly Slot[],
    private readonly isReady: () => boolean, // pictures can be taken: it is known whose and of what
  ) {
    const root = document.documentElement;
    document.addEventListener("dragover", (event) => {
      if (!hasFiles(event.dataTransfer)) return;
      event.preventDefault();
      root.dataset["dropping"] = "yes";
      const over = placeOf(event.target);
      for (const slot of this.slots()) slot.element.dataset["over"] = slot.kind === over ? "yes" : "no";
    });
    for (const name of ["dragleave", "drop"] as const) {
      document.addEventListener(name, (event) => {
        if (name === "dragleave" && event.relatedTarget !== null) return;
        delete root.dataset["dropping"];
        for (const slot of this.slots()) slot.element.dataset["over"] = "no";
      });
    }
    document.addEventListener("drop", (event) => {
      if (!hasFiles(event.dataTransfer)) return;
      event.preventDefault();
      this.take([...(event.dataTransfer?.files ?? [])], placeOf(event.target));
    });
    document.addEventListener("paste", (event) => {
      const files = [...(event.clipboardData?.files ?? [])];
      if (files.length === 0) return;
      event.preventDefault();
      this.take(files, "");
    });
  }

  /** Takes files in; those that come too early wait for `place`. */
  take(files: readonly File[], from: string): void {
    if (!this.isReady()) {
      this.held = [...this.held, ...files];
      this.tellHeld();
      return;
    }
    // What lies on the film's place goes there whatever it is, and is told when it is none.
    const films = files.filter((file) => from === FILM || file.type.startsWith("video/"));
    for (const file of films) void this.slots().find((slot) => slot.kind === FILM)?.offer(file);
    this.share(files.filter((file) => !films.includes(file)), from);
  }

  /** Gives each picture its place, and asks where it cannot tell. */
  private share(files: readonly File[], from: string): void {
    const slots = this.pictures();
    const places = slots.map((slot) => ({ kind: slot.kind, isFree: !slot.kept && !slot.waits }));
    const kinds = assign(files.length, places, from);
    const seen = new Map<string, Promise<unknown>>();
    for (const [i, file] of files.entries()) {
      const slot = slots.find((each) => each.kind === kinds[i]);
      if (slot !== undefined) seen.set(slot.kind, slot.offer(file));
      else this.chain = this.chain.then(() => this.ask(file));
    }
  }

  /** Hands out what had come before pictures could be taken. */
  place(): void {
    if (this.held.length === 0 || !this.isReady()) return;
    const files = this.held;
    this.held = [];
    this.tellHeld();
    this.take(files, "");
  }

  private pictures(): readonly Slot[] {
    return this.slots().filter((slot) => slot.kind !== FILM);
  }

  private tellHeld(): void {
    const n = this.held.length;
    for (const element of document.querySelectorAll<HTMLElement>("#waiting-files")) element.hidden = n === 0;
    need("#waiting-files").textContent = n === 0 ? "" : tn("{n} picture waits for its place.", "{n} pictures wait for their places.", n);
    if (n > 0) need("#toast").textContent = t("The pictures are here. Say who and where first.");
  }

  /** Asks which of the three a picture is; nothing is lost but by "Leave it out". */
  private async ask(file: File): Promise<void> {
    const dialog = need<HTMLDialogElement>("#sort");
    const address = URL.createObjectURL(file);
    need<HTMLImageElement>("#sort-image").src = address;
    const kind = await new Promise<string>((resolve) => {
      need("#sort-kinds").replaceChildren(
        ...this.pictures().map((slot) => {
          const button = make("button", "button button-wide", slot.title);
          button.type = "button";
          button.addEventListener("click", () => resolve(slot.kind));
          return button;
        }),
      );
      need("#sort-out").onclick = () => resolve("");
      dialog.oncancel = () => resolve("");
      dialog.showModal();
    });
    dialog.close();
    URL.revokeObjectURL(address);
    await this.slots().find((slot) => slot.kind === kind)?.offer(file);
  }
}

function hasFiles(data: DataTransfer | null): boolean {
  return data?.types.includes("Files") ?? false;
}

function placeOf(target: EventTarget | null): string {
  const slot = target instanceof Element ? target.closest<HTMLElement>("[data-slot]") : null;
  return slot?.dataset["slot"] ?? "";
}
