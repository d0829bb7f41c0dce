import type { Answer } from "./request.ts";

/**
 * Masks what two servers cannot have in common, and keeps what it means: the second uid of a case is `<uid 2>` wherever it
 * stands, so that an object that is replaced does not look like one that was kept.
 */
export class Normaliser {
  private readonly uids = new Map<string, string>();
  private readonly versions = new Map<string, string>();

  answer({ code, headers, body }: Answer): unknown {
    return { code, headers, body: this.value(body) };
  }

  private value(value: unknown, key = "", parent: Json = {}): unknown {
    if (Array.isArray(value)) {
      const items = value.map((item: unknown) => this.value(item, "", {}));
      if (key === "managedFields") return items.toSorted(byManager);
      if (key === "cells") return items.map((cell) => (isAge(cell) ? "<age>" : cell));
      return key === "causes" ? distinct(items).toSorted(conflictsByField) : items;
    }
    if (isObject(value)) return this.object(value);
    // Those of built-in kinds are documentation, which the embedded server leaves out.
    if (key === "description" && "priority" in parent) return "<description>";
    if (typeof value === "string") return this.text(value, key, parent);
    return key === "nodePort" && typeof value === "number" && value !== 0 ? "<node port>" : value;
  }

  private object(value: Json): Json {
    const own = withoutCollectionVersion(value);
    const masked: Json = {};
    for (const [name, field] of Object.entries(own).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      masked[name] = this.value(field, name, own);
    return value["kind"] === "Status" ? invalidInOrder(masked) : masked;
  }

  private text(text: string, key: string, parent: Json): string {
    if (key === "resourceVersion")
      return ["", "0", collectionVersion].includes(text) ? text : named(this.versions, text, "version");
    if (key === "continue") return text === "" ? text : "<token>";
    const { generateName } = parent;
    if (key === "name" && typeof generateName === "string" && generateName !== "")
      return text.replace(new RegExp(`^${RegExp.escape(generateName)}[a-z0-9]{5}$`), `${generateName}<random>`);
    return text
      .replace(uuid, (uid) => named(this.uids, uid, "uid"))
      .replace(times, (time) => (isNow(time) ? (time.includes(".") ? "<time in µs>" : "<time>") : time))
      .replace(/Invalid value: "\{\\"apiVersion.*\}"(?=: )/s, "Invalid value: <object>")
      .replace(/10\.96\.\d+\.\d+/g, "<cluster IP>")
      .replace(/127\.0\.0\.1:\d+/g, "<server>")
      .replace(/((?:resource ?version|ResourceVersion in (?:precondition|record))[:"]*:? \(?"?)\d+/gi, "$1<n>")
      .replace(/(resource version: <n>(?: \(|, current: ))\d+/g, "$1<n>");
  }
}

type Json = Record<string, unknown>;

const collectionVersion = "<collection's version>";

/** Other clients move the version of a collection on, so that it must not count among those of the case's own objects. */
function withoutCollectionVersion(value: Json): Json {
  if (Array.isArray(value["items"]) || Array.isArray(value["rows"])) return withCollectionVersion(value);
  if (value["type"] !== "BOOKMARK" || !isObject(value["object"])) return value;
  return { ...value, object: withCollectionVersion(value["object"]) };
}

function withCollectionVersion(value: Json): Json {
  const { metadata } = value;
  if (!isObject(metadata) || !metadata["resourceVersion"]) return value;
  return { ...value, metadata: { ...metadata, resourceVersion: collectionVersion } };
}

const uuid = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;
const times = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g;
const dayMs = 86_400_000;

function isAge(cell: unknown): boolean {
  return typeof cell === "string" && /^\d+[smh](\d+[smh])?$/.test(cell);
}

/** Times of the run are masked; those that a case wrote itself are not. */
function isNow(time: string): boolean {
  return Math.abs(Date.parse(time) - Date.now()) < dayMs;
}

function named(names: Map<string, string>, value: string, what: string): string {
  let name = names.get(value);
  if (name === undefined) names.set(value, (name = `<${what} ${names.size + 1}>`));
  return name;
}

/** Entries of one second are ordered by name, those of two by time: what second a write falls into is chance. */
function byManager(left: unknown, right: unknown): number {
  const order = (entry: unknown): string =>
    ["operation", "manager", "subresource", "apiVersion"].map((field) => String((entry as Json)[field])).join("\0");
  return order(left) < order(right) ? -1 : 1;
}

/** The real server lists the managers in conflict in no order. */
function conflictsByField(left: unknown, right: unknown): number {
  const [a, b] = [left as Json, right as Json];
  if (a["reason"] !== "FieldManagerConflict") return 0;
  const order = ({ message, field }: Json): string => `${String(message)}\0${String(field)}`;
  return order(a) < order(b) ? -1 : 1;
}

/** The real server finds the problems of an object in no order. */
function invalidInOrder(status: Json): Json {
  const details = isObject(status["details"]) ? status["details"] : {};
  const { causes } = details;
  if (status["reason"] !== "Invalid" || !Array.isArray(causes) || causes.length < 2) return status;
  const message = String(status["message"]).replace(/ is invalid: .*/s, " is invalid: <causes>");
  const sorted = causes.map((cause) => JSON.stringify(cause)).toSorted();
  return { ...status, message, details: { ...details, causes: sorted } };
}

/** The real server finds some problems several times. */
function distinct(items: unknown[]): unknown[] {
  return [...new Map(items.map((item) => [JSON.stringify(item), item])).values()];
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Where two JSON values differ, a line each: `body.metadata.name: embedded "a", real "b"`. */
export function differences(embedded: unknown, real: unknown, path = ""): Difference[] {
  const [left, right] = [embedded, real].map((value) => isObject(value) && value["kind"]);
  // An object and an error have nothing in common.
  if (left !== right && typeof left === "string" && typeof right === "string") return [{ path, embedded, real }];
  if (isObject(embedded) && isObject(real)) {
    const fields = new Set([...Object.keys(embedded), ...Object.keys(real)]);
    return [...fields].flatMap((field) =>
      differences(embedded[field], real[field], path === "" ? field : `${path}.${field}`),
    );
  }
  if (Array.isArray(embedded) && Array.isArray(real)) {
    const length = Math.max(embedded.length, real.length);
    return Array.from({ length }).flatMap((_, index) => differences(embedded[index], real[index], `${path}[${index}]`));
  }
  return JSON.stringify(embedded) === JSON.stringify(real) ? [] : [{ path, embedded, real }];
}

export interface Difference {
  readonly path: string;
  readonly embedded: unknown;
  readonly real: unknown;
}
