// The steps of a case that the page offers: claim, release, ask back, decline, addend. Casework decides each.
import { call, Problem } from "../shared/api.ts";
import { say } from "../shared/dom.ts";
import { t } from "../shared/strings.ts";
import { SignAgain } from "./sign_again.ts";

/** Takes the page's buttons and dialogs into use. */
export function offerVerbs(caseId: string, beforeLeaving: () => Promise<boolean>): void {
  const again = document.querySelector("#addend-again") === null ? null : new SignAgain("#addend-again");
  const step = async (verb: string, json: object): Promise<void> => {
    try {
      if (verb !== "claim" && !(await beforeLeaving())) return;
      const proof = verb === "addend" ? (again?.given() ?? {}) : {};
      await call(`/api/cases/${caseId}/${verb}`, { method: "POST", json: { ...json, ...proof } });
      if (verb === "claim" || verb === "addend") location.reload();
      else location.assign("/");
    } catch (error) {
      if (verb === "addend" && again?.isAsked(error) === true) return;
      say(error instanceof Problem ? error.message : t("No contact with the server. Try again."), 10);
    }
  };
  onClick("#claim", () => void step("claim", {}));
  onClick("#release", () => void step("release", {}));
  onForm("#ask-form", (said) => void step("ask", { reason: said("reason"), text: said("text") }));
  onForm("#decline-form", (said) => void step("decline", { reason: said("reason") }));
  onForm("#addendum", (said) => void step("addend", { impression: said("impression") }));
  closeOutside(".room-more");
  for (const opener of document.querySelectorAll<HTMLElement>("[data-opens]")) {
    opener.addEventListener("click", () => openDialog(opener.dataset["opens"] ?? ""));
  }
  for (const closer of document.querySelectorAll<HTMLElement>("[data-closes]")) {
    closer.addEventListener("click", () => closer.closest("dialog")?.close());
  }
}

/** Opens a dialog of the page, when it has it. */
export function openDialog(id: string): void {
  document.querySelector<HTMLDialogElement>(`#${id}`)?.showModal();
}

/** Closes a menu when something is chosen in it, on Escape, and on a click elsewhere. */
function closeOutside(selector: string): void {
  const menu = document.querySelector<HTMLDetailsElement>(selector);
  if (menu === null) return;
  document.addEventListener("click", (event) => {
    const target = event.target as Element;
    if (!menu.contains(target) || target.closest("button") !== null) menu.open = false;
  });
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu.open) return;
    event.stopPropagation();
    menu.open = false;
    menu.querySelector("summary")?.focus();
  });
}

function onClick(selector: string, act: () => void): void {
  document.querySelector(selector)?.addEventListener("click", act);
}

function onForm(selector: string, act: (said: (name: string) => string) => void): void {
  const form = document.querySelector<HTMLFormElement>(selector);
  form?.addEventListener("submit", (event) => {
    event.preventDefault();
    const data = new FormData(form);
    form.closest("dialog")?.close();
    act((name) => String(data.get(name) ?? "").trim());
  });
}
