// Why something could not be done, in words. Decides nothing but whether a picture itself is at fault.
import { Problem } from "../shared/api.ts";
import { t } from "../shared/strings.ts";

const OF_PICTURE: readonly number[] = [413, 415, 422];

/** Tells whether the server will never take these bytes; whatever else is wrong passes. */
export function isOfPicture(error: unknown): error is Problem {
  return error instanceof Problem && OF_PICTURE.includes(error.status);
}

/** Gives the reason: the server's, or that somebody has to sign in, or `otherwise` when there was no answer. */
export function why(error: unknown, otherwise: string): string {
  if (!(error instanceof Problem)) return otherwise;
  return error.status === 401 ? t("Sign in again. What you wrote and took is kept on this phone.") : error.message;
}
