import { Optional, type Environment, type ParseResult, type TypeCheckResult } from "@marcbachmann/cel-js";
import type { FieldError } from "../api-error.ts";
import { isObject } from "../objects.ts";
import { celEnvironment } from "./cel-library.ts";
import { celValue, declareType } from "./cel-types.ts";
import type { Schema, ValidationRule } from "./schema.ts";

interface CompiledRule {
  rule: ValidationRule;
  expression: ParseResult;
  messageExpression: ParseResult | undefined;
  /** A rule that names oldSelf is checked only when there is an old value to compare with. */
  isTransition: boolean;
}

/** The rules of a schema and of everything below it; nodes without rules are left out. */
export interface CompiledRules {
  schema: Schema;
  rules: CompiledRule[];
  properties: Map<string, CompiledRules>;
  additional: CompiledRules | undefined;
  items: CompiledRules | undefined;
}

/** Compiles every `x-kubernetes-validations` of a schema. Errors name the rule by its path below `path`. */
export function compileRules(schema: Schema, path: string): { rules: CompiledRules | undefined; errors: FieldError[] } {
  const errors: FieldError[] = [];
  const untyped = celEnvironment().registerVariable("self", "dyn").registerVariable("oldSelf", "dyn");
  const rules = compileNode(schema, path, untyped, errors);
  return { rules, errors };
}

function compileNode(
  schema: Schema,
  path: string,
  untyped: Environment,
  errors: FieldError[],
): CompiledRules | undefined {
  const rules = compileOwn(schema, path, untyped, errors);
  const properties = new Map<string, CompiledRules>();
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    const inner = compileNode(property, `${path}.properties[${name}]`, untyped, errors);
    if (inner) properties.set(name, inner);
  }
  const items = schema.items && compileNode(schema.items, `${path}.items`, untyped, errors);
  const additional =
    typeof schema.additionalProperties === "object"
      ? compileNode(schema.additionalProperties, `${path}.additionalProperties`, untyped, errors)
      : undefined;
  if (rules.length === 0 && properties.size === 0 && !items && !additional) return undefined;
  return { schema, rules, properties, additional, items };
}

function compileOwn(schema: Schema, path: string, untyped: Environment, errors: FieldError[]): CompiledRule[] {
  const rules = schema["x-kubernetes-validations"] ?? [];
  if (rules.length === 0) return [];
  const typed = celEnvironment();
  const type = declareType(typed, schema, "Self");
  typed.registerVariable("self", type).registerVariable("oldSelf", "dyn");
  const compiled: CompiledRule[] = [];
  rules.forEach((rule, index) => {
    const at = `${path}.x-kubernetes-validations[${index}]`;
    const problems = [
      ...checkExpression(typed, rule, rule.rule, "bool", `${at}.rule`),
      ...(rule.messageExpression
        ? checkExpression(typed, rule, rule.messageExpression, "string", `${at}.messageExpression`)
        : []),
    ];
    errors.push(...problems);
    if (problems.length > 0) return;
    compiled.push({
      rule,
      expression: untyped.parse(rule.rule),
      messageExpression: rule.messageExpression ? untyped.parse(rule.messageExpression) : undefined,
      isTransition: /\boldSelf\b/.test(rule.rule),
    });
  });
  return compiled;
}

function checkExpression(
  typed: Environment,
  rule: ValidationRule,
  text: string,
  result: string,
  field: string,
): FieldError[] {
  const checked = typed.check(text);
  const refuse = (problem: string): FieldError[] => {
    const {
      rule: Rule,
      message: Message = "",
      messageExpression: MessageExpression = "",
      fieldPath: FieldPath = "",
    } = rule;
    const shown = JSON.stringify({
      Rule,
      Message,
      MessageExpression,
      Reason: rule.reason ?? null,
      FieldPath,
      OptionalOldSelf: rule.optionalOldSelf ?? null,
    });
    return [{ reason: "FieldValueInvalid", field, message: `Invalid value: ${shown}: ${problem}` }];
  };
  if (!checked.valid) {
    const { column, problem } = celProblem(checked.error);
    return refuse(
      `compilation failed: ERROR: <input>:1:${column + 1}: ${problem}\n | ${text}\n | ${".".repeat(column)}^`,
    );
  }
  if (checked.type !== result && checked.type !== "dyn") return refuse(`cel expression must evaluate to a ${result}`);
  return [];
}

/** Where and what, as cel-go says it: a missing field is reported at the dot before it. */
function celProblem(error: TypeCheckResult["error"]): { column: number; problem: string } {
  const start = error?.range?.start ?? 0;
  const missing = error?.code === "no_such_key" ? /^No such key: (.*)$/.exec(error.summary)?.[1] : undefined;
  if (missing === undefined) return { column: start, problem: error?.summary ?? "Syntax error" };
  return { column: Math.max(0, start - 1), problem: `undefined field '${missing}'` };
}

/** Evaluates the rules against a value; `old` is its former state, undefined on create. */
export function evaluateRules(compiled: CompiledRules, value: unknown, old: unknown, path = ""): FieldError[] {
  const { schema, rules, properties, additional, items } = compiled;
  const errors: FieldError[] = [];
  if (value === undefined || value === null) return errors;
  if (rules.length > 0) {
    const self = celValue(value, schema);
    const oldSelf = old === undefined ? undefined : celValue(old, schema);
    for (const rule of rules) errors.push(...evaluate(rule, { self, oldSelf, value }, path));
  }
  if (isObject(value)) {
    const former = isObject(old) ? old : {};
    for (const name of Object.keys(value).sort()) {
      const inner = properties.get(name) ?? (schema.properties?.[name] ? undefined : additional);
      if (inner)
        errors.push(...evaluateRules(inner, value[name], former[name], path === "" ? name : `${path}.${name}`));
    }
  }
  if (items && Array.isArray(value)) {
    value.forEach((item, index) => {
      errors.push(...evaluateRules(items, item, formerItem(item, old, schema), `${path}[${index}]`));
    });
  }
  return errors;
}

/** Only items of a keyed list can be told apart over time. */
function formerItem(item: unknown, old: unknown, schema: Schema): unknown {
  const keys = schema["x-kubernetes-list-map-keys"];
  if (!keys || !Array.isArray(old) || !isObject(item)) return undefined;
  return old.find((former) => isObject(former) && keys.every((key) => former[key] === item[key]));
}

interface Subject {
  /** The value and its former state as CEL sees them. */
  self: unknown;
  oldSelf: unknown;
  /** The value as JSON. */
  value: unknown;
}

function evaluate(compiled: CompiledRule, { self, oldSelf, value }: Subject, path: string): FieldError[] {
  const { rule, expression, isTransition } = compiled;
  if (isTransition && oldSelf === undefined && !rule.optionalOldSelf) return [];
  const context = {
    self,
    oldSelf: rule.optionalOldSelf ? (oldSelf === undefined ? Optional.none() : Optional.of(oldSelf)) : oldSelf,
  };
  const field = `${path}${rule.fieldPath ?? ""}`.replace(/^\./, "") || "<nil>";
  try {
    if (expression(context) === true) return [];
  } catch (error) {
    const problem = error instanceof Error && "summary" in error ? String(error.summary) : String(error);
    return [
      {
        reason: "FieldValueInvalid",
        field,
        message: `Invalid value: ${problem} evaluating rule: ${rule.message ?? rule.rule}`,
      },
    ];
  }
  const message = messageOf(compiled, context);
  const reason = rule.reason ?? "FieldValueInvalid";
  const isScalar = !isObject(value) && !Array.isArray(value);
  const shown = isScalar && reason === "FieldValueInvalid" ? `${JSON.stringify(value)}: ` : "";
  return [{ reason, field, message: `${reasonWords[reason]}: ${shown}${message}` }];
}

const reasonWords = {
  FieldValueInvalid: "Invalid value",
  FieldValueForbidden: "Forbidden",
  FieldValueRequired: "Required value",
  FieldValueDuplicate: "Duplicate value",
} as const;

function messageOf({ rule, messageExpression }: CompiledRule, context: Record<string, unknown>): string {
  const fixed = rule.message ?? `failed rule: ${rule.rule.trim()}`;
  if (messageExpression === undefined) return fixed;
  try {
    const text: unknown = messageExpression(context);
    return typeof text === "string" && text.trim() !== "" ? text.trim() : fixed;
  } catch {
    return fixed; // the real server, too, falls back to the fixed message when the expression fails
  }
}
