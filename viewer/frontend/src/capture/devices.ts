// Which device a picture is taken with: the site's own as chips, the last one remembered on this machine.

const KEY = "capture-device-";

/** Chooses at each picture the device that was used last, and remembers what is chosen. */
export function rememberDevices(form: HTMLFormElement): void {
  for (const choice of form.querySelectorAll<HTMLInputElement>("[data-device]")) {
    if (choice.value !== "" && localStorage.getItem(KEY + choice.name) === choice.value) choice.checked = true;
    choice.addEventListener("change", () => localStorage.setItem(KEY + choice.name, choice.value));
  }
}
