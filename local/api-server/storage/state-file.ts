import { writeFileSync } from "node:fs";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { crc32 } from "node:zlib";
import type { KubeObject } from "../objects.ts";

/** "slip" in ASCII, in the file's head: another program's database is not taken for ours. */
const applicationId = 0x73_6c_69_70;
/** Of the tables below and of what `state` holds; it grows when one of them changes. */
const format = 1;

/** AS: without it a column is named as the schema in the file spells it, where a bit may have flipped. */
const readAll = "SELECT resource AS resource, key AS key, state AS state, checksum AS checksum FROM objects";

// SQLite's primary result codes: what went wrong with the file, but not with what is in it.
const busy = 5;
const [readOnly, ioError, full, cannotOpen] = [8, 10, 13, 14];

/** The file cannot be used. The message says which, why and what to do. */
export class StateFileError extends Error {
  override readonly name = "StateFileError";
}

interface Row {
  resource: string;
  key: string;
  state: string;
  checksum: number;
}

/**
 * The cluster's objects on disk, in SQLite: it cuts off what a crash left half written, keeps its log short and is part of
 * Node. A write costs 0.03 ms at the median (4 KB objects, an ordinary SSD), so that each one can be written before it is
 * answered. `synchronous=NORMAL`: the answered write is in the page cache, which outlives a `kill -9` of the process. An fsync
 * for each (`FULL`) costs twenty times as much, and would only help against a power failure; that may now take the last writes,
 * but never leaves half of one.
 */
export class StateFile {
  /** The resourceVersion of the last write. */
  readonly resourceVersion: number;
  private readonly database: DatabaseSync;
  private readonly path: string;
  private readonly statements: Record<"begin" | "put" | "remove" | "count" | "commit" | "rollback", StatementSync>;

  private constructor(path: string, database: DatabaseSync) {
    this.path = path;
    this.database = database;
    const prepare = (sql: string): StatementSync => database.prepare(sql);
    this.statements = {
      begin: prepare("BEGIN"),
      put: prepare("INSERT OR REPLACE INTO objects (resource, key, state, checksum) VALUES (?, ?, ?, ?)"),
      remove: prepare("DELETE FROM objects WHERE resource = ? AND key = ?"),
      count: prepare("UPDATE cluster SET resourceVersion = ?, checksum = ?"),
      commit: prepare("COMMIT"),
      rollback: prepare("ROLLBACK"),
    };
    const row = prepare("SELECT resourceVersion AS version, checksum AS sum FROM cluster").get();
    const version = Number(row?.["version"]);
    if (row?.["sum"] !== crc32(String(version))) throw damaged(path, "its resourceVersion is not what was written");
    this.resourceVersion = version;
  }

  /** Opens the file, or makes it. @throws StateFileError */
  static open(path: string): StateFile {
    let database: DatabaseSync | undefined;
    try {
      writeFileSync(path, "", { flag: "a", mode: 0o600 }); // Secrets are in it; SQLite gives its log the same mode
      database = new DatabaseSync(path);
      prepare(database, path);
      return new StateFile(path, database);
    } catch (error) {
      database?.close();
      throw error instanceof StateFileError ? error : unusable(path, error);
    }
  }

  /** Every object, with the name of its collection. @throws StateFileError when one is damaged */
  *objects(): Generator<{ resource: string; object: KubeObject }> {
    for (const row of this.rows()) {
      if (row.checksum !== checksumOf(row))
        throw damaged(this.path, `${row.resource} ${row.key} is not what was written`);
      yield { resource: row.resource, object: JSON.parse(row.state) as KubeObject };
    }
  }

  put(resource: string, key: string, object: KubeObject, resourceVersion: number): void {
    const state = JSON.stringify(object);
    this.transact(resourceVersion, () =>
      this.statements.put.run(resource, key, state, checksumOf({ resource, key, state })),
    );
  }

  remove(resource: string, key: string, resourceVersion: number): void {
    this.transact(resourceVersion, () => this.statements.remove.run(resource, key));
  }

  close(): void {
    this.database.close();
  }

  private *rows(): Generator<Row> {
    try {
      for (const { resource, key, state, checksum } of this.database.prepare(readAll).iterate())
        yield { resource: String(resource), key: String(key), state: String(state), checksum: Number(checksum) };
    } catch (error) {
      throw unusable(this.path, error);
    }
  }

  private transact(resourceVersion: number, write: () => void): void {
    this.statements.begin.run();
    try {
      write();
      this.statements.count.run(resourceVersion, crc32(String(resourceVersion)));
      this.statements.commit.run();
    } catch (error) {
      if (this.database.isTransaction) this.statements.rollback.run();
      throw new Error(`writing ${this.path}: is the disk full?`, { cause: error });
    }
  }
}

/** Brings a new file into shape; refuses one that is damaged, another's, or of another version of Slipway. */
function prepare(database: DatabaseSync, path: string): void {
  // Exclusive: a second process would have another opinion of what the newest version is.
  database.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL");
  const pragma = (name: string): unknown => Object.values(database.prepare(`PRAGMA ${name}`).get() ?? {})[0];
  const [application, version] = [pragma("application_id"), pragma("user_version")];
  const isEmpty = database.prepare("SELECT 1 FROM sqlite_schema").get() === undefined;
  if (application === 0 && version === 0 && isEmpty) return create(database);
  if (application !== applicationId)
    throw new StateFileError(`${path} is no state of a local cluster: move it away, or name another folder`);
  if (version !== format)
    throw new StateFileError(
      `${path} is of another version of Slipway (format ${String(version)}; this one reads ${format}): use that version, or begin afresh with --reset`,
    );
  const check = pragma("quick_check");
  if (check !== "ok") throw damaged(path, String(check).replaceAll("\n", "; "));
}

function create(database: DatabaseSync): void {
  database.exec(`
    BEGIN;
    CREATE TABLE objects (
      resource TEXT NOT NULL, key TEXT NOT NULL, state TEXT NOT NULL, checksum INTEGER NOT NULL,
      PRIMARY KEY (resource, key)
    ) WITHOUT ROWID, STRICT;
    CREATE TABLE cluster (resourceVersion INTEGER NOT NULL, checksum INTEGER NOT NULL) STRICT;
    INSERT INTO cluster VALUES (0, ${crc32("0")});
    PRAGMA application_id = ${applicationId};
    PRAGMA user_version = ${format};
    COMMIT;
  `);
}

/** SQLite checks its log by itself, but not what lies in the file: a flipped bit would become somebody's spec. */
function checksumOf({ resource, key, state }: Omit<Row, "checksum">): number {
  return crc32(`${resource}\n${key}\n${state}`);
}

function unusable(path: string, error: unknown): StateFileError {
  const { errcode, message } = error as { errcode?: number; message: string };
  const code = errcode === undefined ? cannotOpen : errcode & 0xff; // without one it is the file system's error
  if (code === busy) return new StateFileError(`${path} is in use by another process: stop that one first`);
  if ([readOnly, ioError, full, cannotOpen].includes(code))
    return new StateFileError(
      `${path} cannot be used (${message}): free some space, or name another folder with --state`,
    );
  return damaged(path, message);
}

function damaged(path: string, what: string): StateFileError {
  return new StateFileError(`${path} is damaged (${what}): bring back a copy of it, or begin afresh with --reset`);
}
