// A line to type in over the image: the words of a note, the name of a measurement.

/** Opens the line; `done` is given what was typed, or null when it was given up. */
export function writeOver(
  over: HTMLElement,
  at: readonly [x: number, y: number],
  label: string,
  text: string,
  done: (text: string | null) => void,
): void {
  const line = document.createElement("input");
  line.className = "mark-input";
  line.maxLength = 200;
  line.value = text;
  line.setAttribute("aria-label", label);
  over.append(line);
  line.style.left = `${Math.max(4, Math.min(at[0], over.clientWidth - line.offsetWidth - 4))}px`;
  line.style.top = `${Math.max(4, Math.min(at[1], over.clientHeight - line.offsetHeight - 4))}px`;
  let isDone = false;
  const end = (given: string | null): void => {
    if (isDone) return;
    isDone = true;
    const hadFocus = document.activeElement === line;
    line.remove();
    if (hadFocus) over.focus({ preventScroll: true });
    done(given);
  };
  line.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key !== "Enter" && event.key !== "Escape") return;
    event.preventDefault();
    end(event.key === "Enter" ? line.value.trim() : null);
  });
  line.addEventListener("blur", () => end(line.value.trim()));
  line.addEventListener("pointerdown", (event) => event.stopPropagation());
  line.focus({ preventScroll: true });
  line.select();
}
