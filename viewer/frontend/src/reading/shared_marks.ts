// One list of measurements over all panes; a pane with an earlier study shows those that were signed then.
import { say } from "../shared/dom.ts";
import { t } from "../shared/strings.ts";
import type { Slot } from "./slot.ts";
import type { Stage } from "./stage.ts";

export interface Marking {
  /** Shows in every pane what the first one has been given. */
  share(): void;
  /** Takes note of what hangs where now. */
  follow(): void;
}

/** Lets the panes of a stage have the measurements of the case in common; the first pane's are listed beside. */
export function shareMarks(stage: Stage): Marking {
  const first = stage.slots[0] as Slot;
  const told = first.marks.onChange;
  const spoken = first.marks.onSaid;
  const foreign = new Map<Slot, string>(); // which earlier study's measurements a pane has
  let all = first.marks.all;
  let locked = first.marks.locked;

  const give = (): void => {
    for (const slot of stage.slots) {
      if (foreign.has(slot)) continue;
      slot.marks.all = all;
      slot.marks.locked = locked;
      slot.marks.draw();
    }
  };
  const changed = (slot: Slot): void => {
    if (foreign.has(slot)) {
      say(t("What is measured in an earlier image is not kept in the answer."));
      return;
    }
    all = slot.marks.all;
    give();
    const hidden = first.marks.all; // the first pane may be an earlier study's just now; the list is the case's
    first.marks.all = all;
    told();
    first.marks.all = hidden;
  };
  for (const slot of stage.slots) {
    slot.marks.onSaid = spoken;
    slot.marks.onChange = () => changed(slot);
  }
  return {
    share: () => {
      all = first.marks.all;
      locked = first.marks.locked;
      foreign.delete(first);
      give();
    },
    follow: () => {
      for (const slot of stage.slots) {
        const study = slot.isEarlier ? (slot.source?.study ?? "") || "lesion" : null;
        if (study === (foreign.get(slot) ?? null)) continue;
        if (study === null) {
          foreign.delete(slot);
          give();
        } else {
          foreign.set(slot, study);
          slot.marks.all = [...(slot.source?.measurements ?? [])];
          slot.marks.locked = slot.marks.all.length;
          slot.marks.draw();
        }
      }
    },
  };
}
