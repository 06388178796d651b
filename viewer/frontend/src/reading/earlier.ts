// Earlier studies beside the case, and earlier pictures of its lesions: fetched when wanted, noted by the server.
import { call, Problem } from "../shared/api.ts";
import { make, say } from "../shared/dom.ts";
import { t } from "../shared/strings.ts";
import { dayOf } from "./days.ts";
import { mostAlike } from "./linking.ts";
import { readManifest, type Manifest, type PriorTold, type Series } from "./manifest.ts";
import type { Measurement } from "./marks.ts";
import type { Slot } from "./slot.ts";
import type { Answer, Source, Sources } from "./sources.ts";
import type { Hanging, Stage } from "./stage.ts";
import type { Strip } from "./strip.ts";

interface SentPrior {
  readonly title: string;
  readonly day: string;
  readonly answer: Answer;
  readonly measurements: readonly Measurement[];
}

interface SentLesions {
  readonly captions: Readonly<Record<string, { readonly lesion: string; readonly day: string }>>;
}

type Sent = SentPrior & SentLesions; // of which an answer has the one or the other

export class Earlier {
  private readonly fetched = new Map<string, Promise<Manifest | null>>();
  private next = 0; // which prior the key brings

  constructor(
    private readonly manifest: Manifest,
    private readonly sources: Sources,
    private readonly stage: Stage,
    private readonly strip: Strip,
  ) {
    this.links().forEach((link, at) => this.dress(link, at));
  }

  get priors(): readonly PriorTold[] {
    return this.manifest.beside?.priors ?? [];
  }

  /** Opens the nearest earlier study beside the image in hand; again: the one before it. */
  async beside(at = this.next): Promise<void> {
    if (this.priors.length === 0) {
      say(t("There is no earlier study here."));
      return;
    }
    const hanging = await this.prior(at);
    if (hanging !== null) await this.stage.putBeside(hanging);
    this.next = (at + 1) % this.priors.length;
  }

  /** What hangs of an earlier study: the series most like the one in hand. */
  async prior(at = 0): Promise<Hanging | null> {
    const told = this.priors[at];
    const found = told === undefined ? null : await this.fetch(told.manifest, (sent, manifest) => priorSource(told, sent, manifest));
    if (found === null || told === undefined) return null;
    this.list(at, found.series);
    const own = this.ownSlot();
    const like = own?.series ?? this.firstSeries();
    const series = like === undefined ? found.series[0] : mostAlike(found.series, like);
    if (series === undefined) return null;
    const isSameKind = own?.series?.modality === series.modality && own.series.kind === "stack";
    return { series, window: isSameKind ? own.pane.chosenWindow : null };
  }

  /** The earlier pictures of the case's lesions. */
  async lesion(): Promise<Hanging | null> {
    const address = this.manifest.beside?.lesions_before ?? "";
    if (address === "") return null;
    const found = await this.fetch(address, lesionSource);
    const series = found?.series.find((each) => each.kind === "photo");
    return series === undefined ? null : { series };
  }

  /** The pane of the case that something is compared with: the one in hand, else the first that is of the case. */
  private ownSlot(): Slot | undefined {
    const { active } = this.stage;
    return [active, ...this.stage.visible()].find((slot) => slot.series !== null && !slot.isEarlier);
  }

  private firstSeries(): Series | undefined {
    return this.manifest.series.find((each) => each.key === this.manifest.hanging.first);
  }

  private fetch(address: string, sourceOf: (sent: Sent, manifest: Manifest) => Source): Promise<Manifest | null> {
    const known = this.fetched.get(address);
    if (known !== undefined) return known;
    const coming = call<Sent>(address).then(
      (sent) => {
        const manifest = readManifest(sent);
        this.sources.add(sourceOf(sent, manifest));
        return manifest;
      },
      (error: unknown) => {
        this.fetched.delete(address);
        say(error instanceof Problem ? error.message : t("No contact with the server. Try again."));
        return null;
      },
    );
    this.fetched.set(address, coming);
    return coming;
  }

  private links(): HTMLAnchorElement[] {
    return [...document.querySelectorAll<HTMLAnchorElement>('.strip-priors a[target="lysbro-prior"]')];
  }

  /** Gives a line of the list its picture, and lets a click open it beside the case; a new tab is still one key away. */
  private dress(link: HTMLAnchorElement, at: number): void {
    const told = this.priors[at];
    if (told === undefined) return;
    const picture = make("img");
    picture.loading = "lazy";
    picture.alt = "";
    picture.src = told.picture;
    picture.addEventListener("error", () => picture.remove());
    link.prepend(picture);
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
      event.preventDefault();
      void this.beside(at);
    });
  }

  /** Lists the series of an earlier study under it, once. */
  private list(at: number, series: readonly Series[]): void {
    const item = this.links()[at]?.closest("li");
    if (item == null || item.querySelector("ul") !== null) return;
    const list = make("ul", "strip-list strip-earlier");
    item.append(list);
    this.strip.add(list, series);
  }
}

function priorSource(told: PriorTold, { answer, measurements }: SentPrior, manifest: Manifest): Source {
  const earlier = [told.title, dayOf(told.day)].filter((part) => part !== "").join(", ");
  return { manifest, earlier, study: told.study_uid, answer, measurements, captions: {} };
}

function lesionSource(sent: SentLesions, manifest: Manifest): Source {
  const captions = Object.fromEntries(
    Object.entries(sent.captions).map(([uid, { lesion, day }]) => [uid, t("Lesion {label}, {day}", { label: lesion, day: dayOf(day) })]),
  );
  return { manifest, earlier: t("the same lesion"), study: "", answer: null, measurements: [], captions };
}
