// Frames on their way and in memory: what is fetched in which order, what is given up, what stays.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Kept, Plans } from "../src/reading/kept.ts";
import { Link } from "../src/reading/link.ts";
import type { Frame, Series } from "../src/reading/manifest.ts";
import { centreOut } from "../src/reading/order.ts";
import { PixelStore, type Pixels } from "../src/reading/pixels.ts";

const SIDE = 10; // 200 bytes an image

function seriesOf(length: number, key = "a"): Series {
  const frames: Frame[] = [];
  const series = { key, frames } as unknown as Series;
  const instance = { rows: SIDE, columns: SIDE, samples: 1, bits: 12 };
  for (let index = 0; index < length; index++) {
    frames.push({ series, instance, frame: 1, index, id: `${key}${index}` } as unknown as Frame);
  }
  return series;
}

const image = { values: new Uint16Array(SIDE * SIDE) } as unknown as Pixels;

/** A server that answers when told to, and remembers what it was asked for. */
class Server {
  readonly open = new Map<string, () => void>();
  readonly asked: string[] = [];
  readonly stopped: string[] = [];

  readonly fetch = (frame: Frame, signal: AbortSignal, link: Link): Promise<Pixels> => {
    this.asked.push(frame.id);
    return new Promise((done, failed) => {
      this.open.set(frame.id, () => {
        this.open.delete(frame.id);
        done(image);
      });
      signal.addEventListener("abort", () => {
        this.open.delete(frame.id);
        this.stopped.push(frame.id);
        failed(signal.reason);
      });
      if (this.isThin) link.note(100_000, 1000);
    });
  };

  constructor(readonly isThin = false) {}

  async answer(...ids: string[]): Promise<void> {
    for (const id of ids) (this.open.get(id) ?? assert.fail(`${id} was not asked for`))();
    await new Promise((done) => setImmediate(done));
  }

  async answerAll(): Promise<void> {
    while (this.open.size > 0) await this.answer(...this.open.keys());
  }
}

function storeOf(server: Server, images = 1000): PixelStore {
  return new PixelStore(() => "", images * 2 * SIDE * SIDE, server.fetch);
}

test("every other image is fetched once, the nearest first", () => {
  for (let length = 0; length < 12; length++) {
    for (let from = 0; from < length; from++) {
      const order = centreOut(length, from);
      assert.deepEqual([...order].sort((a, b) => a - b), [...Array(length).keys()].filter((each) => each !== from));
      const distances = order.map((each) => Math.abs(each - from));
      assert.deepEqual(distances, [...distances].sort((a, b) => a - b));
    }
  }
});

test("a series is fetched from the image outwards, four at a time", async () => {
  const [server, series] = [new Server(), seriesOf(9)];
  const store = storeOf(server);
  store.plan({}, series, 4);
  assert.deepEqual(server.asked, ["a5", "a3", "a6", "a2"]);
  await server.answerAll();
  assert.deepEqual(server.asked, ["a5", "a3", "a6", "a2", "a7", "a1", "a8", "a0"]);
  assert.ok(series.frames.every((each) => each.index === 4 || store.has(each)));
});

test("what is waited for goes before what is planned, and is asked for once", async () => {
  const [server, series] = [new Server(), seriesOf(20)];
  const store = storeOf(server);
  const owner = {};
  store.plan(owner, series, 4);
  const wanted = store.get(series.frames[15] as Frame, true);
  assert.equal(server.asked.at(-1), "a15");
  assert.equal(store.get(series.frames[15] as Frame, true), wanted);
  assert.equal(server.open.size, 5, "one more than are fetched ahead");
  const near = store.get(series.frames[5] as Frame, true); // under way already
  await server.answer("a15", "a5");
  assert.deepEqual([await wanted, await near], [image, image]);
  assert.equal(server.asked.filter((id) => id === "a5").length, 1);
});

test("a plan made anew goes on from the new place", async () => {
  const [server, series] = [new Server(), seriesOf(40)];
  const store = storeOf(server);
  const owner = {};
  store.plan(owner, series, 4);
  store.plan(owner, series, 30);
  await server.answer("a5");
  assert.equal(server.asked.at(-1), "a31");
});

test("leaving a series stops what nobody waits for", async () => {
  const [server, a, b] = [new Server(), seriesOf(20), seriesOf(20, "b")];
  const store = storeOf(server);
  const owner = {};
  store.plan(owner, a, 4);
  const waited = store.get(a.frames[6] as Frame);
  store.forget(owner);
  assert.deepEqual(server.stopped, ["a5", "a3", "a2"]);
  store.plan(owner, b, 0);
  assert.deepEqual([...server.open.keys()], ["a6", "b1", "b2", "b3"]);
  await server.answer("a6");
  assert.equal(await waited, image);
});

test("a frame that was stopped can be asked for at once", async () => {
  const [server, series] = [new Server(), seriesOf(20)];
  const store = storeOf(server);
  const owner = {};
  store.plan(owner, series, 4);
  store.forget(owner);
  const again = store.get(series.frames[5] as Frame, true);
  await server.answer("a5");
  assert.equal(await again, image);
});

test("over a thin link what is waited for has the link for itself", async () => {
  const [server, series] = [new Server(true), seriesOf(20)];
  const store = storeOf(server);
  store.plan({}, series, 4);
  void store.get(series.frames[19] as Frame, true);
  assert.deepEqual(server.stopped, ["a5", "a3", "a6", "a2"]);
  await server.answer("a19");
  assert.deepEqual([...server.open.keys()].sort(), ["a2", "a3", "a5", "a6"]); // and they come all the same
});

test("images that were scrolled past long ago are not waited for", async () => {
  const [server, series] = [new Server(), seriesOf(100)];
  const store = storeOf(server);
  const all = series.frames.map((each) => store.get(each, true).then(() => "here", (error: Error) => error.name));
  await server.answerAll();
  const ends = await Promise.all(all);
  assert.equal(ends.at(-1), "here");
  assert.ok(ends.filter((end) => end === "AbortError").length > 70);
});

test("memory is bounded, and only so much is fetched ahead", async () => {
  const [server, series] = [new Server(), seriesOf(100)];
  const store = storeOf(server, 20);
  store.plan({}, series, 50);
  await server.answerAll();
  assert.equal(server.asked.length, 17, "nothing is fetched to be given up");
  const here = series.frames.filter((each) => store.has(each)).map((each) => each.index);
  assert.deepEqual(here, [42, 43, 44, 45, 46, 47, 48, 49, 51, 52, 53, 54, 55, 56, 57, 58, 59]);
});

test("after going elsewhere the far images go, not those around", async () => {
  const [server, series] = [new Server(), seriesOf(100)];
  const store = storeOf(server, 20);
  const owner = {};
  store.plan(owner, series, 50);
  await server.answerAll();
  store.plan(owner, series, 58);
  await server.answerAll();
  const here = series.frames.filter((each) => store.has(each)).map((each) => each.index);
  assert.ok(here.length <= 20);
  for (let near = 51; near <= 65; near++) assert.ok(here.includes(near), `${near} is not in ${here.join()}`);
});

test("without wishes the image that was longest not looked at goes first", () => {
  const series = seriesOf(5);
  const [a, b, c, d] = series.frames as [Frame, Frame, Frame, Frame];
  const kept = new Kept<Pixels>(600);
  for (const each of [a, b, c]) kept.put(each, image);
  kept.get(a);
  kept.put(d, image);
  assert.deepEqual([a, b, c, d].map((each) => kept.has(each)), [true, false, true, true]);
  assert.equal(kept.bytes, 600);
  const large = { values: new Uint16Array(5000) } as unknown as Pixels;
  kept.put(b, large);
  assert.deepEqual([a, b, c, d].map((each) => kept.has(each)), [false, true, false, false]);
});

test("two who look share the memory", () => {
  const [a, b] = [seriesOf(50), seriesOf(50, "b")];
  const plans = new Plans(40 * 200);
  plans.make({}, a, 0);
  plans.make({}, b, 0);
  const here = new Set<Frame>();
  for (let frame = plans.next((each) => here.has(each)); frame !== undefined; ) {
    here.add(frame);
    frame = plans.next((each) => here.has(each));
  }
  const count = (series: Series): number => [...here].filter((each) => each.series === series).length;
  assert.deepEqual([count(a), count(b)], [17, 17]);
});

test("the form of frames follows the network", () => {
  const link = new Link();
  assert.deepEqual([link.isFast, link.isThin], [false, false]);
  link.note(1000, 500);
  assert.equal(link.isThin, false, "a small answer says nothing");
  for (let i = 0; i < 5; i++) link.note(150_000, 600);
  assert.deepEqual([link.isFast, link.isThin], [false, true]);
  for (let i = 0; i < 5; i++) link.note(150_000, 2);
  assert.deepEqual([link.isFast, link.isThin], [true, false]);
});
