// Says what lengths in an image rest on.
import { t } from "../shared/strings.ts";
import type { Instance } from "./manifest.ts";

export type { Point } from "./scale.ts";

/** Says in the corner what lengths in this image rest on. */
export function scaleText(instance: Instance): string {
  if (instance.regions.length > 0) return t("lengths in mm within the ultrasound scale");
  switch (instance.spacing[2]) {
    case "patient":
      return t("lengths in mm");
    case "calibrated":
      return t("lengths in mm, calibrated");
    case "detector":
      return t("lengths in mm at the detector only");
    case "unstated":
      return t("lengths in mm, scale not stated");
    case "none":
      return t("no scale: lengths in px");
  }
}
