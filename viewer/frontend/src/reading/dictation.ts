// Dictation by the browser's own recogniser into the field in focus. Nothing is recorded here.
import { need, say } from "../shared/dom.ts";
import { language, t } from "../shared/strings.ts";

interface Heard {
  readonly resultIndex: number;
  readonly results: ArrayLike<{ readonly isFinal: boolean } & ArrayLike<{ readonly transcript: string }>>;
}

interface Recogniser {
  lang: string;
  continuous: boolean;
  interimResults: boolean;
  onresult: ((event: Heard) => void) | null;
  onend: (() => void) | null;
  onerror: ((event: { readonly error: string }) => void) | null;
  start(): void;
  stop(): void;
}

type Maker = new () => Recogniser;

/** Lets F2 and the button start and stop; hides the button where it is not allowed or not possible. */
export function offerDictation(form: HTMLElement, isAllowed: boolean): void {
  const button = document.querySelector<HTMLButtonElement>("#dictate");
  const made = window as unknown as { SpeechRecognition?: Maker; webkitSpeechRecognition?: Maker };
  const Recognition = made.SpeechRecognition ?? made.webkitSpeechRecognition;
  if (button === null || !isAllowed || Recognition === undefined) return;
  const state = need("#dictate-state");
  let field: HTMLTextAreaElement | null = null;
  let running: Recogniser | null = null;

  const stop = (): void => running?.stop();
  const start = (): void => {
    const into = field ?? need<HTMLTextAreaElement>("#f-findings");
    const recogniser = new Recognition();
    recogniser.lang = language === "nb" ? "nb-NO" : "en-GB";
    recogniser.continuous = true;
    recogniser.interimResults = true;
    recogniser.onresult = (event) => {
      for (let at = event.resultIndex; at < event.results.length; at++) {
        const result = event.results[at];
        const words = result?.[0]?.transcript.trim() ?? "";
        if (result?.isFinal === true) write(into, words);
        else state.textContent = words;
      }
    };
    recogniser.onerror = (event) => {
      if (event.error === "not-allowed") say(t("The browser may not use the microphone. Allow it, and press F2 again."), 10);
      else if (event.error !== "no-speech") say(t("Dictation has stopped: {reason}", { reason: event.error }), 10);
    };
    recogniser.onend = () => {
      running = null;
      button.setAttribute("aria-pressed", "false");
      state.textContent = "";
    };
    recogniser.start();
    running = recogniser;
    into.focus();
    button.setAttribute("aria-pressed", "true");
    state.textContent = t("Listening …");
  };

  need("#dictation").hidden = false;
  form.addEventListener("focusin", (event) => {
    if (event.target instanceof HTMLTextAreaElement) field = event.target;
  });
  button.addEventListener("pointerdown", (event) => event.preventDefault());
  button.addEventListener("click", () => (running === null ? start() : stop()));
  document.addEventListener("keydown", (event) => {
    if (event.key !== "F2" || document.querySelector("dialog[open]") !== null) return;
    event.preventDefault();
    if (running === null) start();
    else stop();
  });
  window.addEventListener("pagehide", stop);
}

/** Writes heard words at the caret, with a blank before them and a capital after a full stop. */
function write(area: HTMLTextAreaElement, words: string): void {
  if (words === "") return;
  const at = area.selectionEnd;
  const before = area.value.slice(0, at);
  const gap = before === "" || /\s$/.test(before) ? "" : " ";
  const isNew = /(^|[.!?:]\s*)$/.test(before.trimEnd());
  const said = isNew ? words.charAt(0).toUpperCase() + words.slice(1) : words;
  area.setRangeText(gap + said, at, at, "end");
  area.dispatchEvent(new Event("input", { bubbles: true }));
}
