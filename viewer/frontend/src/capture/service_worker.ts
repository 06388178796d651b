// The capture page's service worker: opens the page without a connection, and sends what waits when one is back.
// Keeps the empty page and its scripts, never an answer of the API. Built by itself into dist/capture-worker.js.
import { Courier } from "./courier.ts";
import { Store } from "./store.ts";

interface Waited extends Event {
  waitUntil(work: Promise<unknown>): void;
}
interface Fetched extends Waited {
  readonly request: Request;
  respondWith(answer: Promise<Response>): void;
}
interface Synced extends Waited {
  readonly tag: string;
}
interface Scope {
  readonly LYSBRO: { readonly version: string; readonly files: readonly string[] };
  readonly clients: { claim(): Promise<void> };
  skipWaiting(): Promise<void>;
  addEventListener(type: "install" | "activate", listener: (event: Waited) => void): void;
  addEventListener(type: "fetch", listener: (event: Fetched) => void): void;
  addEventListener(type: "sync", listener: (event: Synced) => void): void;
}

const worker = self as unknown as Scope;
const PREFIX = "lysbro-capture-";
const CACHE = PREFIX + worker.LYSBRO.version;
const SHELL = "/capture/shell";
const ASSETS = "/static/dist/assets/";
const PATIENCE_MS = 6000;
const PAGE = /^\/capture(\/[0-9A-Z]{4}-[0-9A-Z]{4})?$/;

worker.addEventListener("install", (event) => event.waitUntil(install()));
worker.addEventListener("activate", (event) => event.waitUntil(activate()));
worker.addEventListener("fetch", (event) => {
  const { pathname, origin } = new URL(event.request.url);
  if (event.request.method !== "GET" || origin !== self.location.origin) return;
  if (event.request.mode === "navigate" && PAGE.test(pathname)) event.respondWith(page(event));
  else if (pathname.startsWith(ASSETS)) event.respondWith(asset(event.request));
});
worker.addEventListener("sync", (event) => {
  if (event.tag === "lysbro-capture") event.waitUntil(carry());
});

async function install(): Promise<void> {
  const cache = await caches.open(CACHE);
  await cache.addAll([...worker.LYSBRO.files]);
  await keepShell();
  await worker.skipWaiting();
}

async function activate(): Promise<void> {
  const old = (await caches.keys()).filter((name) => name.startsWith(PREFIX) && name !== CACHE);
  await Promise.all(old.map((name) => caches.delete(name)));
  await worker.clients.claim();
}

/** Gives the page from the server, or the empty one that was kept when the server does not answer. */
async function page(event: Fetched): Promise<Response> {
  const asked = fetch(event.request);
  const shell = async (): Promise<Response | undefined> => (await caches.open(CACHE)).match(SHELL);
  let timer = 0;
  const late = new Promise<null>((resolve) => (timer = setTimeout(() => resolve(null), PATIENCE_MS) as unknown as number));
  try {
    const answer = (await Promise.race([asked, late])) ?? (await shell()) ?? (await asked);
    if (answer.status >= 502 && answer.status <= 504) return (await shell()) ?? answer;
    if (answer.ok) event.waitUntil(keepShell().catch(() => undefined));
    return answer;
  } catch (error) {
    asked.catch(() => undefined);
    const kept = await shell();
    if (kept === undefined) throw error;
    return kept;
  } finally {
    clearTimeout(timer);
  }
}

async function asset(request: Request): Promise<Response> {
  return (await (await caches.open(CACHE)).match(request)) ?? fetch(request);
}

/** Keeps the empty page in the language of now, unless it is of another build than the kept scripts. */
async function keepShell(): Promise<void> {
  const answer = await fetch(SHELL, { cache: "no-store", credentials: "same-origin" });
  if (!answer.ok || answer.redirected) return;
  const named = (await answer.clone().text()).match(/\/static\/dist\/assets\/[^"]+/g) ?? [];
  if (named.some((name) => !worker.LYSBRO.files.includes(name))) return;
  await (await caches.open(CACHE)).put(SHELL, answer);
}

/** Sends what waits; throwing asks the browser to wake us again later. */
async function carry(): Promise<void> {
  const store = await Store.open();
  const channel = new BroadcastChannel("lysbro-capture");
  try {
    const ended = await new Courier(store, (told) => channel.postMessage(told)).round();
    if (ended === "waiting") throw new Error("no connection yet");
  } finally {
    channel.close();
    store.close();
  }
}
