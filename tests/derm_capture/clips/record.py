"""Records the film of this folder with Chromium's MediaRecorder, from a drawing and a tone of our
own: `python tests/derm_capture/clips/record.py`. Run by hand; the film is kept, under the
project's licence.
"""

from __future__ import annotations

import base64
from pathlib import Path

from playwright.sync_api import sync_playwright

SCRIPT = """
async ([type, seconds, width, height]) => {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width, height];
  document.body.append(canvas);
  const c = canvas.getContext("2d");
  const grain = document.createElement("canvas");
  [grain.width, grain.height] = [width * 2, height];
  const g = grain.getContext("2d");
  g.fillStyle = "rgb(214,168,142)";
  g.fillRect(0, 0, width * 2, height);
  let seed = 7;
  const random = () => (seed = (seed * 1103515245 + 12345) % 2147483648) / 2147483648;
  for (let i = 0; i < 4000; i++) {
    g.fillStyle = `rgba(${120 + 80 * random()},${80 + 60 * random()},${60 + 60 * random()},0.25)`;
    g.fillRect(random() * width * 2, random() * height, 1 + 4 * random(), 1 + 4 * random());
  }
  g.fillStyle = "rgb(92,52,40)";
  g.beginPath();
  g.ellipse(width * 0.6, height * 0.5, height * 0.16, height * 0.12, 0.4, 0, 7);
  g.fill();
  let at = 0;
  const draw = () => { c.drawImage(grain, -(at++ % (width / 2)), 0); };
  draw();
  const timer = setInterval(draw, 40);
  const audio = new AudioContext(), tone = audio.createOscillator();
  const sink = audio.createMediaStreamDestination();
  tone.connect(sink);
  tone.start();
  const tracks = [...canvas.captureStream(25).getTracks(), ...sink.stream.getTracks()];
  const stream = new MediaStream(tracks);
  const recorder = new MediaRecorder(stream, { mimeType: type, videoBitsPerSecond: 500_000 });
  const parts = [];
  recorder.ondataavailable = (event) => parts.push(event.data);
  const done = new Promise((resolve) => (recorder.onstop = resolve));
  recorder.start();
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  recorder.stop();
  await done;
  clearInterval(timer);
  const bytes = new Uint8Array(await new Blob(parts).arrayBuffer());
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}
"""
FILMS = {
    "browser.mp4": ("video/mp4;codecs=avc1.42E01E,opus", 2.2, 480, 360),
}


def main() -> None:
    """Record every film of this folder."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium",
            args=["--no-sandbox", "--autoplay-policy=no-user-gesture-required"],
        )
        page = browser.new_page()
        for name, how in FILMS.items():
            film = base64.b64decode(page.evaluate(SCRIPT, list(how)))
            Path(__file__).with_name(name).write_bytes(film)
        browser.close()


if __name__ == "__main__":
    main()
