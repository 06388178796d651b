// What the findings form works out by itself: answers of a template, diagnoses by letters, phrases.
import assert from "node:assert/strict";
import { test } from "node:test";
import { codesText, search, type KnownDiagnosis } from "../src/reading/diagnosis_search.ts";
import { begunAt, having, meant, shortFor, type Phrase } from "../src/reading/phrase_words.ts";
import {
  allNormal,
  answerOf,
  fitting,
  offersFor,
  withOffer,
  writtenOf,
  type Template,
  type TemplateField,
} from "../src/reading/template_answers.ts";

const field = (key: string, kind: TemplateField["kind"], more: Partial<TemplateField> = {}): TemplateField => ({
  key, kind, label: key, unit: "", low: null, high: null, required: false, normal: null, options: [], ...more,
});
const DENSE = field("dense", "choice", {
  normal: "none",
  options: [{ value: "none", label: "none" }, { value: "lobe", label: "a lobe" }],
});
const FLUID = field("fluid", "checkbox", { normal: false });
const SIZE = field("size", "number", { unit: "mm", low: 1, high: 300 });
const NOTE = field("note", "text");
const TEMPLATE: Template = {
  name: "chest", version: 1, language: "nb", title: "Chest", diagnoses: [], advice: [], follow_ups: [], safety_nets: [],
  sections: [{ title: "Lungs", fields: [DENSE, FLUID, SIZE, NOTE] }],
};
const none = { en: "", codes: [], specialty: "radiology", also: [] };
const known = (key: string, nb: string, more: Partial<KnownDiagnosis> = {}): KnownDiagnosis => ({ ...none, key, nb, ...more });
const TABLE = [
  known("nevus", "Melanocytisk nevus", { en: "Melanocytic naevus", also: ["føflekk", "mole"], specialty: "dermatology" }),
  known("melanoma", "Malignt melanom i hud", { en: "Malignant melanoma of skin", also: ["føflekkreft"], specialty: "dermatology",
    codes: [{ system: "sct", code: "93655004" }, { system: "icpc-2", code: "S77" }, { system: "icd-10", code: "C43.9" }] }),
  known("eczema", "Seboreisk dermatitt", { en: "Seborrhoeic dermatitis", also: ["seboreisk eksem"], specialty: "dermatology" }),
  known("stroke", "Hjerneinfarkt", { en: "Cerebral infarction", also: ["slag"] }),
];
const keys = (letters: string, offered: readonly string[] = []): string[] =>
  search(TABLE, letters, offered, "dermatology").map((each) => each.key);

test("everything normal answers what can be normal and leaves the rest", () => {
  const fields = [DENSE, FLUID, SIZE];
  assert.deepEqual(allNormal(fields, { size: 8, dense: "lobe" }), { size: 8, dense: "none", fluid: false });
});

test("what a control holds is read as the answer of its field", () => {
  assert.equal(answerOf(SIZE, " 8,5 "), 8.5);
  assert.equal(answerOf(SIZE, "900"), undefined);
  assert.equal(answerOf(SIZE, "eight"), undefined);
  assert.equal(answerOf(FLUID, "no"), false);
  assert.equal(answerOf(FLUID, ""), undefined);
  assert.equal(answerOf(NOTE, " scar "), "scar");
  for (const [each, answer] of [[SIZE, 8.5], [FLUID, true], [FLUID, false], [DENSE, "lobe"]] as const) {
    assert.equal(answerOf(each, writtenOf(each, answer, "nb")), answer);
  }
});

test("another template takes over the answers that fit it", () => {
  assert.deepEqual(fitting(TEMPLATE, { dense: "lobe", fluid: "yes", size: 3, gone: true }), { dense: "lobe", size: 3 });
  assert.deepEqual(fitting(TEMPLATE, { dense: "many", note: "x" }), { note: "x" });
});

test("texts are offered for the diagnoses that are made, then those for any", () => {
  const offer = (text: string, diagnosis = "") => ({ text, diagnosis, interval: "" });
  const offers = [offer("any"), offer("cut", "melanoma"), offer("wait", "nevus")];
  assert.deepEqual(offersFor(offers, ["melanoma"]).map((each) => each.text), ["cut", "any"]);
  assert.equal(withOffer("", "Cut."), "Cut.");
  assert.equal(withOffer("Soon. ", "Cut."), "Soon. Cut.");
  assert.equal(withOffer("Soon. Cut.", "Cut."), "Soon. Cut.");
});

test("a few letters find a diagnosis in either language, by other words and by code", () => {
  assert.equal(keys("mel")[0], "nevus");
  assert.equal(keys("malig")[0], "melanoma");
  assert.equal(keys("melanoma")[0], "melanoma");
  assert.equal(keys("FOFLEKKR")[0], "melanoma");
  assert.equal(keys("naev")[0], "nevus");
  assert.equal(keys("C43")[0], "melanoma");
  assert.equal(keys("seb derm")[0], "eczema");
  assert.equal(keys("infarkt")[0], "stroke");
  assert.deepEqual(keys("xyz"), []);
});

test("without letters the template's diagnoses are offered, and they come first with some", () => {
  assert.deepEqual(keys("", ["stroke", "nevus"]), ["stroke", "nevus"]);
  assert.deepEqual(keys(""), []);
  assert.equal(keys("m", ["melanoma"])[0], "melanoma");
});

test("codes are told in the order of the referrer", () => {
  assert.equal(codesText(TABLE[1]?.codes ?? []), "ICPC-2 S77, ICD-10 C43.9, SNOMED CT 93655004");
});

test("a short form is found before the caret, and nowhere else", () => {
  assert.deepEqual(begunAt("See /lung", 9), { at: 4, letters: "lung" });
  assert.deepEqual(begunAt("/Åse", 4), { at: 0, letters: "åse" });
  assert.deepEqual(begunAt("/", 1), { at: 0, letters: "" });
  assert.equal(begunAt("and/or", 6), null);
  assert.equal(begunAt("120/80", 6), null);
  assert.equal(begunAt("/lung ", 6), null);
});

test("a short form means its phrase, or the only one that begins so", () => {
  const phrases: Phrase[] = ["lung", "lunger", "nevus"].map((short, id) => ({ id, short, text: `${short}!` }));
  assert.equal(meant(phrases, "lung")?.id, 0);
  assert.equal(meant(phrases, "lu"), undefined);
  assert.equal(meant(phrases, "n")?.id, 2);
  assert.equal(meant(phrases, ""), undefined);
  assert.equal(having(phrases, "NEV").length, 1);
  assert.equal(shortFor("Lung is clear.", ["lung", "lung2"]), "lung3");
  assert.equal(shortFor("…", []), "tekst");
});
